//! What holds for the metadata of every object.

use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::resource::Resource;
use crate::schema::{Problem, ProblemKind};

/// Fields that only the server writes.
const SYSTEM: [&str; 5] =
    ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

/// An object as it was sent, checked for its kind and the shape of its metadata.
pub(crate) fn read(resource: &Resource, mut object: Value) -> Outcome<Value> {
    if !object.is_object() {
        return Err(Failure::bad_request("the body of the request must be an object"));
    }
    let expected = resource.api_version();
    for (field, expected) in [("apiVersion", expected.as_str()), ("kind", &*resource.kind)] {
        match object.get(field).and_then(Value::as_str).unwrap_or_default() {
            // What is typed by its path may leave it out.
            "" if resource.schema.is_none() => object[field] = expected.into(),
            sent if sent == expected => {}
            sent => {
                return Err(Failure::bad_request(format!(
                    "the {field} in the data ({sent}) does not match the expected {field} ({expected})"
                )));
            }
        }
    }
    let metadata = &mut object["metadata"];
    if metadata.is_null() {
        *metadata = json!({});
    }
    let Some(fields) = metadata.as_object_mut() else {
        return Err(Failure::bad_request("metadata: must be an object"));
    };
    // Nobody's: who wrote what is not kept.
    fields.shift_remove("managedFields");
    fields.shift_remove("selfLink");
    fields.retain(|_, value| !value.is_null());
    for field in ["name", "generateName", "namespace", "uid", "resourceVersion"] {
        if fields.get(field).is_some_and(|value| !value.is_string()) {
            return Err(Failure::bad_request(format!("metadata.{field}: must be a string")));
        }
    }
    for field in ["labels", "annotations"] {
        let strings =
            |value: &Value| value.as_object().is_some_and(|map| map.values().all(Value::is_string));
        match fields.get(field) {
            Some(value) if !strings(value) => {
                return Err(Failure::bad_request(format!(
                    "metadata.{field}: must be an object with strings as values"
                )));
            }
            Some(Value::Object(map)) if map.is_empty() => {
                fields.shift_remove(field);
            }
            _ => {}
        }
    }
    for field in ["finalizers", "ownerReferences"] {
        let entry = |value: &Value| match field {
            "finalizers" => value.is_string(),
            _ => ["apiVersion", "kind", "name", "uid"].iter().all(|part| value[part].is_string()),
        };
        match fields.get(field) {
            Some(Value::Array(list)) if list.is_empty() => {
                fields.shift_remove(field);
            }
            Some(Value::Array(list)) if list.iter().all(entry) => {}
            Some(_) => {
                let what = match field {
                    "finalizers" => "a list of strings",
                    _ => "a list of objects with apiVersion, kind, name and uid",
                };
                return Err(Failure::bad_request(format!("metadata.{field}: must be {what}")));
            }
            None => {}
        }
    }
    Ok(object)
}

/// Takes out what only the server writes.
pub(crate) fn wipe(object: &mut Value) {
    if let Some(fields) = object["metadata"].as_object_mut() {
        for field in SYSTEM {
            fields.shift_remove(field);
        }
    }
}

/// Puts back what only the server writes.
pub(crate) fn restore(old: &Value, new: &mut Value) {
    wipe(new);
    for field in SYSTEM.iter().chain(&["namespace", "name", "generateName"]) {
        match &old["metadata"][field] {
            Value::Null => {}
            kept => new["metadata"][field] = kept.clone(),
        }
    }
}

pub(crate) fn check_new(resource: &Resource, object: &Value) -> Vec<Problem> {
    let name = text(object, "name");
    if name.is_empty() {
        return vec![Problem::new(
            "metadata.name",
            ProblemKind::Required,
            "Required value: name or generateName is required",
        )];
    }
    let mut problems: Vec<Problem> = name_problem(resource, name).into_iter().collect();
    problems.extend(check(object));
    problems
}

pub(crate) fn check_changed(old: &Value, new: &Value) -> Vec<Problem> {
    let mut problems = check(new);
    if !old["metadata"]["deletionTimestamp"].is_null() {
        let added: Vec<&str> = strings(&new["metadata"]["finalizers"])
            .filter(|f| !strings(&old["metadata"]["finalizers"]).any(|had| had == *f))
            .collect();
        if !added.is_empty() {
            let added: Vec<String> =
                added.iter().map(|finalizer| format!("{finalizer:?}")).collect();
            let message = format!(
                "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            problems.push(Problem::new("metadata.finalizers", ProblemKind::Forbidden, message));
        }
    }
    problems
}

/// Labels and annotations.
fn check(object: &Value) -> Vec<Problem> {
    const ANNOTATIONS: usize = 256 * 1024;
    let mut problems = Vec::new();
    let mut add = |field: &str, value: &str, why: String| {
        let message = format!("Invalid value: {value:?}: {why}");
        problems.push(Problem::new(format!("metadata.{field}"), ProblemKind::Invalid, message));
    };
    let fields = |field: &str| object["metadata"][field].as_object().into_iter().flatten();
    for (key, value) in fields("labels") {
        let value = value.as_str().unwrap_or_default();
        qualified_name(key).into_iter().for_each(|why| add("labels", key, why));
        label_value(value).into_iter().for_each(|why| add("labels", value, why));
    }
    let mut size = 0;
    for (key, value) in fields("annotations") {
        size += key.len() + value.as_str().unwrap_or_default().len();
        // Unlike a label's, an annotation's prefix may be written in capitals.
        qualified_name(&key.to_lowercase())
            .into_iter()
            .for_each(|why| add("annotations", key, why));
    }
    if size > ANNOTATIONS {
        let message = format!("Too long: may not be more than {ANNOTATIONS} bytes");
        problems.push(Problem::new("metadata.annotations", ProblemKind::TooLong, message));
    }
    problems
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn qualified_name(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (*name).to_owned(),
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".into());
            } else if !is_subdomain(prefix) {
                wrong.push(format!("prefix part {SUBDOMAIN}"));
            }
            (*name).to_owned()
        }
        _ => {
            return vec![format!(
                "a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".into());
    }
    if !is_word(&name) {
        wrong.push(format!("name part {QUALIFIED}"));
    }
    wrong
}

fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > 63 {
        wrong.push("must be no more than 63 bytes".into());
    }
    if !value.is_empty() && !is_word(value) {
        wrong.push(LABEL_VALUE.into());
    }
    wrong
}

fn name_problem(resource: &Resource, name: &str) -> Option<Problem> {
    let why = match resource.group.as_str() {
        // system:node and the like.
        "rbac.authorization.k8s.io" => match name {
            "." | ".." => Some(format!("may not be '{name}'")),
            _ => name.chars().find(|c| "/%".contains(*c)).map(|c| format!("may not contain '{c}'")),
        },
        "" if resource.plural == "namespaces" => match name {
            _ if name.contains('.') => Some("must not contain dots".into()),
            _ if name.len() > 63 => Some("must be no more than 63 bytes".into()),
            _ => (!is_label(name)).then(|| LABEL.into()),
        },
        _ if name.len() > 253 => Some("must be no more than 253 bytes".into()),
        _ => (!is_subdomain(name)).then(|| SUBDOMAIN.into()),
    };
    why.map(|why: String| {
        let message = format!("Invalid value: {name:?}: {why}");
        Problem::new("metadata.name", ProblemKind::Invalid, message)
    })
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(end) && text.ends_with(end) && text.chars().all(|c| end(c) || c == '-')
}

fn is_word(text: &str) -> bool {
    let end = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(end)
        && text.ends_with(end)
        && text.chars().all(|c| end(c) || "-_.".contains(c))
}

pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(crate) fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(group: &str, plural: &str) -> Resource {
        let mut resource = Resource::built_in().into_iter().next().unwrap();
        (resource.group, resource.plural) = (group.into(), plural.into());
        resource
    }

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        let rows = [
            ("g", "things", "a.b-c", true),
            ("g", "things", "A", false),
            ("g", "things", "a-", false),
            ("g", "things", "a..b", false),
            ("", "namespaces", "a.b", false),
            ("rbac.authorization.k8s.io", "roles", "system:Node", true),
            ("rbac.authorization.k8s.io", "roles", "a/b", false),
        ];
        for (group, plural, name, expected) in rows {
            let found = name_problem(&resource(group, plural), name);
            assert_eq!(found.is_none(), expected, "{plural} {name}");
        }
    }

    #[test]
    fn labels_and_annotations_have_the_shape_that_kubernetes_takes() {
        let rows = [
            (json!({"labels": {"a.io/b": "C_d"}}), true),
            (json!({"labels": {"a/b/c": "d"}}), false),
            (json!({"labels": {"a": "b c"}}), false),
            (json!({"labels": {"a": ""}, "annotations": {"a.io/b": "any thing"}}), true),
            (json!({"annotations": {"a b": ""}}), false),
        ];
        for (metadata, expected) in rows {
            let object = json!({"metadata": metadata});
            assert_eq!(check(&object).is_empty(), expected, "{object}");
        }
    }
}
