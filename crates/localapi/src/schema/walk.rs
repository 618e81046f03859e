//! The way through an object beside its schema.

use serde_json::Value;

use super::{node::Node, path::Path};

/// Looks at a value that the schema knows, and then at each below it.
pub(super) fn walk(
    node: &Node,
    path: &Path<'_>,
    value: &Value,
    look: &mut impl FnMut(&Node, &Path<'_>, &Value),
) {
    look(node, path, value);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some((node, path)) = path.field(node, name) {
                    walk(node, &path, value, look);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = node.items.as_deref() {
                for (i, item) in items.iter().enumerate() {
                    walk(each, &path.item(i), item, look);
                }
            }
        }
        _ => {}
    }
}
