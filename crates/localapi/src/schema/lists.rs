//! Lists that are sets or maps: no item, and no key, twice.

use serde_json::{Map, Value};

use super::{
    node::{List, Node},
    path::Path,
    problem::Problem,
    walk::walk,
};

pub(super) fn validate(root: &Node, object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, &Path::Whole, object, &mut |node, path, value| {
        if let Value::Array(items) = value {
            unique(&node.list, path, items, &mut problems);
        }
    });
    problems
}

fn unique(list: &List, path: &Path<'_>, items: &[Value], problems: &mut Vec<Problem>) {
    let identities: Vec<Value> = match list {
        List::Atomic => return,
        List::Set => items.to_vec(),
        List::Map(keys) => {
            let stray = items.iter().position(|item| !item.is_object() && !item.is_null());
            if let Some(i) = stray {
                let detail = "must be an object for an array of list-type map";
                problems.push(Problem::invalid(path.item(i).to_string(), &items[i], detail));
                return;
            }
            items.iter().map(|item| identity(keys, item)).collect()
        }
    };
    // Each identity is reported once, where it comes for the second time.
    for (i, one) in identities.iter().enumerate() {
        if identities[..i].iter().filter(|other| *other == one).count() == 1 {
            problems.push(Problem::duplicate(path.item(i).to_string(), one));
        }
    }
}

fn identity(keys: &[String], item: &Value) -> Value {
    let present = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
    Value::Object(present.collect::<Map<_, _>>())
}
