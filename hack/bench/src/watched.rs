//! One Application as a watch shows it, with the moment of each event.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream::BoxStream};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value;
use wharfinger_tests::Kubernetes;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Watched {
    events: BoxStream<'static, watcher::Result<kube::api::DynamicObject>>,
}

impl Watched {
    /// Begins to watch; the first event is the Application as it is.
    pub(crate) async fn application(admin: &Kubernetes, name: &str) -> Result<Self> {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(admin.of("application", "argocd"), config)
            .default_backoff()
            .applied_objects()
            .boxed();
        let mut watched = Self { events };
        watched.until(|_| true).await?;
        Ok(watched)
    }

    /// The moment of the first event from now on that is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Instant> {
        let search = async {
            while let Some(event) = self.events.next().await {
                let at = Instant::now();
                if wanted(&serde_json::to_value(event?)?) {
                    return Ok(at);
                }
            }
            anyhow::bail!("the watch ended")
        };
        tokio::time::timeout(PATIENCE, search).await.context("nothing happened for two minutes")?
    }

    /// The moments at which a sync with `claim` is seen to have begun, and to be done.
    pub(crate) async fn deployed(&mut self, claim: &str) -> Result<(Instant, Instant)> {
        let begun = |app: &Value| {
            let info = app["status"]["operationState"]["operation"]["info"].as_array();
            info.is_some_and(|i| {
                i.iter().any(|i| i["name"] == "wharfinger.dev/claim" && i["value"] == claim)
            })
        };
        let done = |app: &Value| {
            let carries = |of: &Value| {
                let env = of["source"]["plugin"]["env"].as_array();
                env.is_some_and(|e| {
                    e.iter().any(|e| e["name"] == "WHARFINGER_FREIGHT" && e["value"] == claim)
                })
            };
            let sync = &app["status"]["sync"];
            app["status"]["history"].as_array().is_some_and(|h| h.iter().any(carries))
                && carries(&sync["comparedTo"])
                && sync["status"] == "Synced"
        };
        let begun = self.until(begun).await?;
        Ok((begun, self.until(done).await?))
    }
}
