//! Every write of this process, and the reads that go with them. No other file names `Patch`.
//!
//! Every write of a status, and every write that hangs on what an object says, carries the resourceVersion of what it was
//! worked out from. If that is no longer the current one, the answer is [`Error::Stale`], and nothing was written.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::Freight;
use wharfinger_core::check::Code;
use wharfinger_core::recover::REFRESH;

use crate::store::Key;

/// Who this process is to the API server's field ownership.
const MANAGER: &str = "wharfinger-controller";
/// The longest an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a read or write came to nothing, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Read the object and decide again.
    #[error("the object has changed")]
    Stale,
    /// Forget the object.
    #[error("the object is gone")]
    Gone,
    /// The same will be refused again: not before something has changed.
    #[error("refused: {why}")]
    Refused { code: Code, why: String },
    /// Try again in a moment.
    #[error("the Kubernetes API is unavailable")]
    Unavailable(#[source] Option<kube::Error>),
}

/// Replaces the status of an object. It has to carry the resourceVersion that the status was worked out from.
pub(crate) async fn status<K>(client: &Client, object: &K) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Serialize
        + DeserializeOwned
        + Debug,
{
    let key = Key::of(object);
    let params = PostParams { field_manager: Some(MANAGER.into()), ..Default::default() };
    answer(api::<K>(client, &key).replace_status(&key.name, &params, object)).await
}

/// Changes some fields of a Freight's status: others write theirs.
pub(crate) async fn freight_status(
    client: &Client,
    freight: &Freight,
    status: &Value,
) -> Result<Freight, Error> {
    let key = Key::of(freight);
    let patch = json!({ "metadata": { "resourceVersion": freight.metadata.resource_version }, "status": status });
    answer(api::<Freight>(client, &key).patch_status(&key.name, &params(), &Patch::Merge(patch)))
        .await
}

/// Sends a patch of `core::converge`. It carries its resourceVersion.
pub(crate) async fn application(
    client: &Client,
    key: &Key,
    patch: &Value,
) -> Result<Application, Error> {
    answer(api::<Application>(client, key).patch(&key.name, &params(), &Patch::Merge(patch))).await
}

/// Asks Argo CD to look at an Application again.
pub(crate) async fn refresh(client: &Client, key: &Key, hard: bool) -> Result<Application, Error> {
    // Without resourceVersion: it takes nothing back, and another write beside it is no reason not to look.
    let how = if hard { "hard" } else { "normal" };
    let patch = json!({ "metadata": { "annotations": { REFRESH: how } } });
    answer(api::<Application>(client, key).patch(&key.name, &params(), &Patch::Merge(patch))).await
}

/// Puts an event on record. One of the same name is there already, or will do.
pub(crate) async fn event(client: &Client, event: &Event) -> Result<(), Error> {
    let key = Key::of(event);
    match answer(api::<Event>(client, &key).create(&PostParams::default(), event)).await {
        Ok(_) | Err(Error::Stale) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Reads an object from the API server itself.
pub(crate) async fn live<K>(client: &Client, key: &Key) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    answer(api::<K>(client, key).get(&key.name)).await
}

fn api<K>(client: &Client, key: &Key) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), &key.namespace)
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() }
}

async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    let error = match timeout(LIMIT, request).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => error,
        Err(_) => return Err(Error::Unavailable(None)),
    };
    Err(match &error {
        kube::Error::Api(status) => match status.code {
            404 | 410 => Error::Gone,
            409 => Error::Stale,
            400 | 403 | 405 | 413 | 422 => {
                Error::Refused { code: Code::Permission, why: status.message.clone() }
            }
            // What a webhook that can't be reached comes to.
            500 => Error::Refused { code: Code::Unavailable, why: status.message.clone() },
            _ => Error::Unavailable(Some(error)),
        },
        kube::Error::SerdeError(e) => Error::Refused {
            code: Code::Unavailable,
            why: format!("the answer can't be read: {e}"),
        },
        _ => Error::Unavailable(Some(error)),
    })
}
