//! What the sidecar may do with the Kubernetes API: get and watch.

use std::fmt::Debug;
use std::time::Duration;

use futures::Stream;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use wharfinger_daemon::{Unreadable, watch_readable};

use crate::refusal::Refusal;

/// A client without a verb that writes.
#[derive(Clone)]
pub struct Cluster(Client);

/// For one answer. A judgement needs three at the most.
const PATIENCE: Duration = Duration::from_secs(5);

impl Cluster {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// An object as it is now; nothing where there is none. `PartialObjectMeta<K>` asks for the metadata alone.
    pub async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Refusal>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let api: Api<K> = Api::namespaced(self.0.clone(), namespace);
        answer::<K, _>(timeout(PATIENCE, api.get_opt(name)).await)
    }

    /// All objects of a kind, in all namespaces, and whatever becomes of them.
    pub fn watch<K>(&self) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        watcher(Api::all(self.0.clone()), watcher::Config::default())
    }

    /// The same, but for those that can't be read: they are as if they were not there, and whoever asks for one reads it.
    pub fn watch_readable<K>(
        &self,
        bare: fn(ObjectMeta) -> K,
    ) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        watch_readable(Api::all(self.0.clone()), bare, Unreadable::default())
    }
}

fn answer<K: Resource<DynamicType = ()>, T>(
    answer: Result<kube::Result<T>, tokio::time::error::Elapsed>,
) -> Result<T, Refusal> {
    let kind = K::kind(&());
    match answer {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            Err(Refusal::Internal(format!(
                "the sidecar's service account may not read the {kind}; its ClusterRole must allow get, list and watch of {}.{}",
                K::plural(&()),
                K::group(&()),
            )))
        }
        Ok(Err(error)) => {
            tracing::warn!(%kind, error = &error as &dyn std::error::Error, "Kubernetes API does not answer");
            Err(unreachable(&kind))
        }
        Err(_) => {
            tracing::warn!(%kind, "Kubernetes API does not answer in time");
            Err(unreachable(&kind))
        }
    }
}

fn unreachable(kind: &str) -> Refusal {
    Refusal::unavailable(format!(
        "the sidecar can't reach the Kubernetes API to read the {kind}, so what the Stage holds is not known"
    ))
}
