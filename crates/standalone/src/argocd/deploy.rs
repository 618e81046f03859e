//! What is rendered, against what is there.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, ResourceExt as _};
use serde_json::Value;

/// Where a manifest belongs, and the object it is.
pub(super) struct Place {
    api: Api<DynamicObject>,
    name: String,
    object: DynamicObject,
}

/// Of each manifest, with `namespace` for those that name none.
pub(super) fn places(client: &Client, namespace: &str, manifests: &[Value]) -> Result<Vec<Place>> {
    manifests.iter().map(|manifest| place(client, namespace, manifest)).collect()
}

/// Creates what is missing and changes what differs.
pub(super) async fn apply(places: Vec<Place>) -> Result<()> {
    for Place { api, name, object } in places {
        let written = match api.create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&object)).await
            }
            created => created,
        };
        written.with_context(|| format!("{name} can't be written"))?;
    }
    Ok(())
}

/// Whether all that is rendered is there.
pub(super) async fn live(places: Vec<Place>) -> Result<bool> {
    for Place { api, name, object } in places {
        let Some(found) = api.get_opt(&name).await? else { return Ok(false) };
        if !within(&serde_json::to_value(object)?, &serde_json::to_value(found)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The images of all containers, each once.
pub(super) fn images(manifests: &[Value]) -> BTreeSet<String> {
    let templates = manifests.iter().map(|m| &m["spec"]["template"]["spec"]["containers"]);
    let containers = templates.filter_map(Value::as_array).flatten();
    containers.filter_map(|c| c["image"].as_str().map(str::to_owned)).collect()
}

fn place(client: &Client, namespace: &str, manifest: &Value) -> Result<Place> {
    let object: DynamicObject =
        serde_json::from_value(manifest.clone()).context("what was rendered is no object")?;
    let types = object.types.as_ref().context("what was rendered has no kind")?;
    let kind = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    let namespace = object.namespace().unwrap_or_else(|| namespace.into());
    let api = Api::namespaced_with(client.clone(), &namespace, &kind);
    Ok(Place { api, name: object.name_any(), object })
}

/// Whether `found` says all that `wanted` says.
fn within(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().all(|(key, value)| {
            value.is_null() || found.get(key).is_some_and(|f| within(value, f))
        }),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| within(w, f))
        }
        _ => wanted == found,
    }
}
