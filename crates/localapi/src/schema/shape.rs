//! Pruning and defaulting: what an object becomes before it is looked at.

use serde_json::{Map, Value};

use super::node::{Additional, Node};

/// Fields of every object, at its root or embedded. No schema takes them away.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops the fields that the schema does not name, and returns their paths, sorted.
pub(super) fn prune(root: &Node, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_at(Some(root), object, "", true, &mut dropped);
    dropped.sort();
    dropped
}

/// The same for a value that is not a whole object.
pub(super) fn prune_part(node: &Node, value: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_at(Some(node), value, "", false, &mut dropped);
    dropped
}

fn prune_at(
    node: Option<&Node>,
    value: &mut Value,
    path: &str,
    is_root: bool,
    dropped: &mut Vec<String>,
) {
    match value {
        Value::Object(fields) => {
            let is_object = node.is_some_and(|node| node.embedded) || is_root;
            let keep = node.is_some_and(|node| node.preserve);
            fields.retain(|name, value| {
                if is_object && OF_EVERY_OBJECT.contains(&name.as_str()) {
                    return true;
                }
                let below = join(path, name);
                match node {
                    Some(Node { properties, .. }) if properties.contains_key(name) => {
                        prune_at(properties.get(name), value, &below, false, dropped);
                        true
                    }
                    Some(Node { additional: Some(additional), .. }) => {
                        let each = match additional {
                            Additional::Each(node) => Some(node.as_ref()),
                            Additional::Anything => None,
                        };
                        prune_at(each, value, &below, false, dropped);
                        true
                    }
                    _ if keep => true,
                    _ => {
                        dropped.push(below);
                        false
                    }
                }
            });
        }
        Value::Array(items) => {
            // A node that keeps unknown fields says nothing about items unless it describes them.
            let each = node.and_then(|node| node.items.as_deref());
            if each.is_none() && node.is_some_and(|node| node.preserve) {
                return;
            }
            for (i, item) in items.iter_mut().enumerate() {
                prune_at(each, item, &format!("{path}[{i}]"), false, dropped);
            }
        }
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Drops nulls where null is not allowed and no default stands in.
pub(super) fn drop_nulls(root: &Node, object: &mut Value) {
    if let Value::Object(fields) = object {
        fields.retain(|name, value| {
            OF_EVERY_OBJECT.contains(&name.as_str()) || may_stay(root, name, value)
        });
    }
}

/// Whether a field may stay, once the nulls in it are gone.
fn may_stay(node: &Node, name: &str, value: &mut Value) -> bool {
    let Some(node) = node.field(name) else {
        return true;
    };
    if value.is_null() && !node.nullable && node.default.is_none() {
        return false;
    }
    drop_nulls_below(node, value);
    true
}

fn drop_nulls_below(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| may_stay(node, name, value));
        }
        Value::Array(items) => {
            if let Some(each) = node.items.as_deref() {
                for item in items {
                    drop_nulls_below(each, item);
                }
            }
        }
        _ => {}
    }
}

/// Writes whole numbers without a fraction, as they come back from Go's encoder.
pub(super) fn whole_numbers(value: &mut Value) {
    const LARGEST_SAFE: f64 = 9_007_199_254_740_991.0;
    match value {
        Value::Number(number) if !number.is_i64() => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= LARGEST_SAFE
            {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Sets what is absent, or null where null is not allowed, and has a default.
pub(super) fn default(root: &Node, object: &mut Value) {
    if let Value::Object(fields) = object {
        default_fields(root, fields, |name| !OF_EVERY_OBJECT.contains(&name));
    }
}

fn default_at(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => default_fields(node, fields, |_| true),
        Value::Array(items) => {
            if let Some(each) = node.items.as_deref() {
                for item in items {
                    stand_in(each, item);
                    default_at(each, item);
                }
            }
        }
        _ => {}
    }
}

fn default_fields(node: &Node, fields: &mut Map<String, Value>, ours: fn(&str) -> bool) {
    for (name, property) in node.properties.iter().filter(|(name, _)| ours(name)) {
        if let Some(default) = &property.default {
            fields.entry(name.as_str()).or_insert_with(|| default.clone());
        }
    }
    for (name, value) in fields.iter_mut().filter(|(name, _)| ours(name)) {
        if let Some(below) = node.field(name) {
            stand_in(below, value);
            default_at(below, value);
        }
    }
}

fn stand_in(node: &Node, value: &mut Value) {
    if let (Value::Null, false, Some(default)) = (&value, node.nullable, &node.default) {
        *value = default.clone();
    }
}
