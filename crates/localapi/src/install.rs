//! What every cluster has from the start, and manifests.

use std::sync::Arc;

use serde_json::Value;
use tracing::warn;

use crate::answer::Exchange;
use crate::catalog::Catalog;
use crate::failure::{Failure, Outcome};
use crate::meta;
use crate::query::Query;
use crate::state::State;
use crate::target::Asked;
use crate::user::User;
use crate::write::{self, Change};
use crate::{complete, sweep};

const EVERY_CLUSTER: &str = include_str!("install/cluster.yaml");

/// A manifest that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the manifests can't be read")]
    Yaml(#[from] serde_saphyr::Error),
    #[error("{kind} {name:?}: {message}")]
    Object { kind: String, name: String, message: String },
}

/// Creates what is missing of it.
pub(crate) fn what_every_cluster_has(state: &State) {
    let objects: Vec<Value> = match serde_saphyr::from_multiple(EVERY_CLUSTER) {
        Ok(objects) => objects,
        Err(error) => {
            warn!(%error, "What every cluster has can't be read");
            return;
        }
    };
    let now = state.now();
    let mut world = state.world();
    for mut object in objects {
        let kind = text(&object, "kind");
        let Some(resource) = world.catalog.of_kind(&text(&object, "apiVersion"), &kind).cloned()
        else {
            warn!(kind, "A kind that every cluster has is not served");
            continue;
        };
        let (namespace, name) = (meta::text(&object, "namespace"), meta::text(&object, "name"));
        let key = write::key(&resource, namespace, name);
        if world.store.get(&key).is_some() {
            continue;
        }
        object["metadata"]["uid"] = state.draw_uid().into();
        object["metadata"]["creationTimestamp"] = now.as_str().into();
        let stored = complete::complete(&resource, None, &mut object, &now)
            .and_then(|()| world.store.put(key, object).map_err(Failure::internal));
        if let Err(failure) = stored {
            warn!(kind, reason = failure.message, "What every cluster has can't be created");
        }
    }
    world.catalog = Catalog::of(&world.store);
}

pub(crate) async fn apply(state: &Arc<State>, yaml: &str) -> Result<(), Refused> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let items = match document.get("items").and_then(Value::as_array) {
            Some(items) if text(&document, "kind").ends_with("List") => items.clone(),
            _ => vec![document],
        };
        for object in items {
            let (kind, name) = (text(&object, "kind"), meta::text(&object, "name").to_owned());
            put(state, object).await.map_err(|failure| Refused::Object {
                kind,
                name,
                message: failure.message,
            })?;
        }
    }
    Ok(())
}

async fn put(state: &Arc<State>, mut object: Value) -> Outcome<()> {
    let (api_version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
    let resource = state.world().catalog.of_kind(&api_version, &kind).cloned();
    let resource = resource.ok_or_else(|| {
        Failure::bad_request(format!("no matches for kind {kind:?} in version {api_version:?}"))
    })?;
    let name = meta::text(&object, "name").to_owned();
    let namespace = match meta::text(&object, "namespace") {
        _ if !resource.namespaced => None,
        "" => Some("default".to_owned()),
        namespace => Some(namespace.to_owned()),
    };
    let asked = |verb, name: Option<&str>| Asked {
        verb,
        group: resource.group.clone(),
        version: resource.version.clone(),
        plural: resource.plural.clone(),
        namespace: namespace.clone(),
        name: name.map(Into::into),
        subresource: None,
    };
    let exchange = |asked| {
        Exchange::new(state.clone(), User::admin(), Query::default(), asked, resource.clone())
    };
    let mut create = exchange(asked("create", None));
    let created = write::create(&mut create, object.clone()).await;
    let exists = matches!(&created, Err(failure) if failure.reason == "AlreadyExists");
    if !exists {
        created?;
    } else {
        let key = write::key(&resource, &create.namespace(), &name);
        let current = create.find(&key)?;
        object["metadata"]["resourceVersion"] = meta::text(&current, "resourceVersion").into();
        let mut update = exchange(asked("update", Some(&name)));
        write::change(&mut update, &name, &Change::Replace(object)).await?;
    }
    sweep::sweep(state).await;
    Ok(())
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().into()
}
