//! What the three kinds of patches make of an object.

use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::resource::Resource;

#[derive(Clone, Debug)]
pub(crate) enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    /// For the built-in kinds only, as with Kubernetes.
    Strategic(Value),
}

impl Patch {
    pub(crate) fn parse(resource: &Resource, content_type: &str, body: &[u8]) -> Outcome<Self> {
        let unreadable = |error: serde_json::Error| {
            Failure::bad_request(format!("error decoding patch: {error}"))
        };
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            "application/json-patch+json" => {
                serde_json::from_slice(body).map(Self::Json).map_err(unreadable)
            }
            "application/merge-patch+json" => {
                serde_json::from_slice(body).map(Self::Merge).map_err(unreadable)
            }
            "application/strategic-merge-patch+json" if resource.schema.is_none() => {
                serde_json::from_slice(body).map(Self::Strategic).map_err(unreadable)
            }
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
                Err(Failure::unsupported_media_type(
                    "this API server keeps no field managers and can't do server-side apply: use client-side apply or another patch",
                ))
            }
            _ => {
                let strategic = match resource.schema {
                    None => ", application/strategic-merge-patch+json",
                    Some(_) => "",
                };
                Err(Failure::unsupported_media_type(format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{strategic}"
                )))
            }
        }
    }

    pub(crate) fn apply(&self, object: &mut Value) -> Outcome<()> {
        match self {
            Self::Json(patch) => json_patch::patch(object, patch).map_err(|error| {
                let mut failure = Failure::new(
                    422,
                    "Invalid",
                    "the server rejected our request due to an error in our request",
                );
                *failure.details = json!({"causes": [{"reason": "UnexpectedServerResponse", "message": error.to_string()}]});
                failure
            }),
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Strategic(patch) => {
                let Value::Object(patch) = patch else {
                    return Err(Failure::bad_request("a strategic merge patch must be an object"));
                };
                merge_map(object, patch)
            }
        }
    }
}

/// By what the entries of a list are told apart. A list without a key is replaced.
fn merge_key(field: &str) -> Option<&'static str> {
    Some(match field {
        "ownerReferences" => "uid",
        "conditions" => "type",
        "webhooks" | "matchConditions" | "secrets" | "imagePullSecrets" => "name",
        _ => return None,
    })
}

fn merge_map(object: &mut Value, patch: &Map<String, Value>) -> Outcome<()> {
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        let rest = patch.iter().filter(|(key, _)| *key != "$patch");
        *object = Value::Object(rest.map(|(k, v)| (k.clone(), v.clone())).collect());
        return Ok(());
    }
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(list) = object.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|entry| !gone.contains(entry));
            }
            continue;
        }
        match (key.as_str(), value) {
            ("$retainKeys", Value::Array(kept)) => {
                if let Some(object) = object.as_object_mut() {
                    object.retain(|key, _| kept.iter().any(|k| k == key));
                }
            }
            // It orders what the other directives set; the order of what we merge is the patch's.
            (directive, _) if directive.starts_with("$setElementOrder/") => {}
            (directive, _) if directive.starts_with('$') => {
                return Err(Failure::unsupported_media_type(format!(
                    "{directive} in a strategic merge patch is not supported: use a merge patch"
                )));
            }
            (_, Value::Null) => {
                if let Some(object) = object.as_object_mut() {
                    object.shift_remove(key);
                }
            }
            (_, Value::Object(inner)) => merge_map(&mut object[key], inner)?,
            ("finalizers", Value::Array(more)) => {
                let mut list = object[key].as_array().cloned().unwrap_or_default();
                list.extend(more.iter().filter(|m| !list.contains(m)).cloned().collect::<Vec<_>>());
                object[key] = list.into();
            }
            (_, Value::Array(entries)) => match merge_key(key) {
                Some(by) => merge_list(&mut object[key], entries, by)?,
                None => object[key] = value.clone(),
            },
            _ => object[key] = value.clone(),
        }
    }
    Ok(())
}

fn merge_list(list: &mut Value, patch: &[Value], by: &str) -> Outcome<()> {
    let mut merged = list.as_array().cloned().unwrap_or_default();
    if patch.iter().any(|entry| entry["$patch"] == "replace") {
        merged.clear();
    }
    for entry in patch.iter().filter(|entry| entry["$patch"] != "replace") {
        let Some(fields) = entry.as_object().filter(|fields| fields.contains_key(by)) else {
            return Err(Failure::bad_request(format!(
                "an entry of a list that is merged by {by:?} does not have it"
            )));
        };
        let found = merged.iter().position(|old| old[by] == entry[by]);
        match (entry["$patch"].as_str(), found) {
            (Some("delete"), Some(index)) => {
                merged.remove(index);
            }
            (Some("delete"), None) => {}
            (_, Some(index)) => merge_map(&mut merged[index], fields)?,
            (_, None) => merged.push(entry.clone()),
        }
    }
    *list = merged.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategic_patches_merge_as_kubectl_means_them() {
        let rows = [
            (
                json!({"data": {"a": "1", "b": "2"}}),
                json!({"data": {"a": null, "c": "3"}}),
                json!({"data": {"b": "2", "c": "3"}}),
            ),
            (
                json!({"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]}),
                json!({"rules": [{"verbs": ["watch"]}]}),
                json!({"rules": [{"verbs": ["watch"]}]}),
            ),
            (
                json!({"webhooks": [{"name": "a", "timeoutSeconds": 1}, {"name": "b"}]}),
                json!({"$setElementOrder/webhooks": [{"name": "a"}, {"name": "c"}],
                       "webhooks": [{"name": "a", "failurePolicy": "Fail"}, {"name": "c"}, {"name": "b", "$patch": "delete"}]}),
                json!({"webhooks": [{"name": "a", "timeoutSeconds": 1, "failurePolicy": "Fail"}, {"name": "c"}]}),
            ),
            (
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
            ),
            (
                json!({"spec": {"a": 1, "b": 2}}),
                json!({"spec": {"$retainKeys": ["b"], "b": 3}}),
                json!({"spec": {"b": 3}}),
            ),
            (
                json!({"spec": {"a": 1}}),
                json!({"spec": {"$patch": "replace", "b": 3}}),
                json!({"spec": {"b": 3}}),
            ),
        ];
        for (mut object, patch, expected) in rows {
            Patch::Strategic(patch.clone()).apply(&mut object).unwrap();
            assert_eq!(object, expected, "{patch}");
        }
        assert!(Patch::Strategic(json!({"$new/x": 1})).apply(&mut json!({})).is_err());
    }
}
