//! Whole objects inside an object (`x-kubernetes-embedded-resource`): they say what they are.

use serde_json::Value;

use super::{node::Node, path::Path, problem::Problem, walk::walk};

pub(super) fn validate(root: &Node, object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, &Path::Whole, object, &mut |node, path, value| {
        if node.embedded && value.is_object() {
            for name in ["apiVersion", "kind"] {
                says(value.get(name), &path.child(name), &mut problems);
            }
        }
    });
    problems
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
