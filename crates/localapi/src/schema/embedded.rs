//! Whole objects inside an object (`x-kubernetes-embedded-resource`): they say what they are.

use serde_json::Value;

use super::{node::Node, path::Path, problem::Problem};

pub(super) fn validate(root: &Node, object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    below(root, &Path::Whole, object, &mut problems);
    problems
}

fn below(node: &Node, path: &Path<'_>, value: &Value, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(fields) => {
            if node.embedded {
                for name in ["apiVersion", "kind"] {
                    says(value.get(name), &path.child(name), problems);
                }
            }
            for (name, value) in fields {
                if let Some((node, path)) = path.field(node, name) {
                    below(node, &path, value, problems);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = node.items.as_deref() {
                for (i, item) in items.iter().enumerate() {
                    below(each, &path.item(i), item, problems);
                }
            }
        }
        _ => {}
    }
}

fn says(value: Option<&Value>, path: &Path<'_>, problems: &mut Vec<Problem>) {
    let path = path.to_string();
    match value {
        None => problems.push(Problem::required(path, "")),
        Some(Value::String(text)) if !text.is_empty() => {}
        Some(empty @ Value::String(_)) => {
            problems.push(Problem::invalid(path, empty, "must not be empty"));
        }
        Some(other) => problems.push(Problem::invalid(path, other, "must be a string")),
    }
}
