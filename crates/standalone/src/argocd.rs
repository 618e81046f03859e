//! A plain stand-in for Argo CD: it looks at every Application, asks the sidecar over its socket as repo-server does, and
//! deploys what it gets.
//!
//! It knows sources of our plugin, syncs, automated syncs, terminations and refreshes, in Argo CD's words. It does not prune,
//! heal, order, hook or retry, has no AppProjects, and takes every Deployment to be healthy as soon as it is written. What
//! depends on more than that is tested with the real Argo CD.

mod deploy;
mod render;

use std::path::PathBuf;

use anyhow::Result;
use futures::StreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource as _};
use serde_json::{Value, json};
use wharfinger_api::argocd::{Application, Source, Sources as _};
use wharfinger_core::recover::REFRESH;
use wharfinger_daemon::{Clock, Gate, Shutdown};

use crate::repository::Repository;

/// Ended operations that are remembered, as by default.
const HISTORY: usize = 10;

#[derive(Clone)]
pub(crate) struct ArgoCd {
    pub(crate) client: Client,
    pub(crate) repository: Repository,
    pub(crate) socket: PathBuf,
    pub(crate) clock: Clock,
}

impl ArgoCd {
    /// Does to each Application, whenever it changes, the next thing there is to do.
    pub(crate) async fn run(self, gate: Gate, shutdown: Shutdown) -> Result<()> {
        let events = watcher(self.applications(""), watcher::Config::default());
        let mut events = events.default_backoff().boxed();
        let work = async {
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(app) | watcher::Event::InitApply(app)) => {
                        self.step(app).await?;
                    }
                    Ok(watcher::Event::InitDone) => gate.open(),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "Watch interrupted"
                        );
                    }
                }
            }
            Ok(())
        };
        // Whatever it waits for: the sidecar may be gone first.
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = work => ended,
        }
    }

    async fn step(&self, object: DynamicObject) -> Result<()> {
        let seen: Application = serde_json::from_value(serde_json::to_value(&object)?)?;
        let (namespace, name) = (seen.namespace().to_owned(), seen.name().to_owned());
        let mut next = serde_json::to_value(object)?;
        match Self::todo(&seen) {
            Todo::Begin => begin(&mut next, &seen, self.clock.now()),
            Todo::Terminate => {
                self.end(&mut next, &seen, Err(("Failed", "operation terminated".into())));
            }
            Todo::Sync => {
                let done = self.sync(&seen).await;
                self.end(&mut next, &seen, done);
            }
            Todo::Compare => self.compare(&mut next, &seen).await,
            Todo::AutoSync => {
                next["operation"] = json!({
                    "initiatedBy": { "automated": true },
                    "retry": { "limit": 5 },
                    "sync": { "revision": self.revision(seen.spec.sources().first()) },
                });
            }
            Todo::Nothing => return Ok(()),
        }
        let next = serde_json::from_value(next)?;
        match self.applications(&namespace).replace(&name, &PostParams::default(), &next).await {
            Ok(_) => {}
            // Somebody else was faster, and the watch tells what is there now.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
            Err(error) => {
                tracing::warn!(
                    name,
                    error = &error as &dyn std::error::Error,
                    "Writing the Application failed"
                );
            }
        }
        Ok(())
    }

    fn todo(app: &Application) -> Todo {
        let state = app.status.operation_state.as_ref();
        match (&app.operation, state.filter(|s| s.in_progress())) {
            (_, Some(state)) if state.phase == "Terminating" => return Todo::Terminate,
            (_, Some(_)) => return Todo::Sync,
            (Some(_), None) => return Todo::Begin,
            (None, None) => {}
        }
        let compared = app.status.sync.as_ref();
        let ended = state.and_then(|s| s.finished_at);
        let refresh = app.meta().annotations.as_ref().is_some_and(|a| a.contains_key(REFRESH));
        if refresh
            || compared.is_none_or(|s| s.compared_to.sources() != app.spec.sources())
            || ended > app.status.reconciled_at
        {
            return Todo::Compare;
        }
        let automated = app.spec.sync_policy.as_ref().and_then(|p| p.automated.as_ref());
        let tried = state.and_then(|s| s.sync_result.as_ref());
        if compared.is_some_and(|s| s.status == "OutOfSync")
            && automated.is_some_and(|a| a.enabled != Some(false))
            && tried.is_none_or(|t| t.sources() != app.spec.sources())
        {
            return Todo::AutoSync;
        }
        Todo::Nothing
    }

    /// Renders what the running operation asks for, and deploys it.
    async fn sync(&self, app: &Application) -> Result<(), (&'static str, String)> {
        let manifests = self.render(self.calls(app, &deployed(app))).await;
        let manifests = manifests.map_err(|e| ("Error", format!("ComparisonError: {e}")))?;
        let places = deploy::places(&self.client, namespace(app), &manifests);
        let applied = match places {
            Ok(places) => deploy::apply(places).await,
            Err(error) => Err(error),
        };
        applied.map_err(|e| ("Failed", format!("{e:#}")))
    }

    fn end(&self, next: &mut Value, app: &Application, done: Result<(), (&'static str, String)>) {
        let now = self.clock.now();
        let status = &mut next["status"];
        let (phase, message) = match done {
            Ok(()) => ("Succeeded", "successfully synced (all tasks run)".to_owned()),
            Err(error) => error,
        };
        let state = &mut status["operationState"];
        state["phase"] = phase.into();
        state["message"] = message.into();
        state["finishedAt"] = json!(now);
        if phase == "Succeeded" {
            let mut entry = named(&deployed(app), !app.spec.sources.is_empty());
            entry["id"] = app.status.history.len().into();
            entry["revision"] = self.revision(deployed(app).first()).into();
            entry["deployStartedAt"] = state["startedAt"].clone();
            entry["deployedAt"] = json!(now);
            entry["initiatedBy"] = state["operation"]["initiatedBy"].clone();
            let mut history = status["history"].as_array().cloned().unwrap_or_default();
            history.push(entry);
            status["history"] = history[history.len().saturating_sub(HISTORY)..].into();
        }
        if let Some(object) = next.as_object_mut() {
            object.shift_remove("operation");
        }
    }

    /// Says how what runs compares to what should.
    async fn compare(&self, next: &mut Value, app: &Application) {
        let rendered = self.render(self.calls(app, app.spec.sources())).await;
        let (mut sync, mut conditions) = ("Unknown", json!([]));
        let now = json!(self.clock.now());
        match rendered {
            Ok(manifests) => {
                let places = deploy::places(&self.client, namespace(app), &manifests);
                let same = match places {
                    Ok(places) => deploy::live(places).await.unwrap_or(false),
                    Err(_) => false,
                };
                sync = if same { "Synced" } else { "OutOfSync" };
                next["status"]["summary"] = json!({ "images": deploy::images(&manifests) });
            }
            Err(message) => {
                conditions = json!([{
                    "type": "ComparisonError",
                    "message": format!("Failed to load target state: {message}"),
                    "lastTransitionTime": now,
                }]);
            }
        }
        let compared = named(app.spec.sources(), !app.spec.sources.is_empty());
        let revision = self.revision(app.spec.sources().first());
        next["status"]["sync"] =
            json!({ "status": sync, "comparedTo": compared, "revision": revision });
        next["status"]["health"] =
            json!({ "status": if sync == "Synced" { "Healthy" } else { "Missing" } });
        next["status"]["conditions"] = conditions;
        next["status"]["reconciledAt"] = now;
        if let Some(annotations) = next["metadata"]["annotations"].as_object_mut() {
            annotations.shift_remove(REFRESH);
        }
    }

    fn revision(&self, source: Option<&Source>) -> String {
        let revision = source.map(|s| self.repository.resolve(s.target_revision()));
        revision.and_then(Result::ok).unwrap_or_default()
    }

    fn applications(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = ApiResource::erase::<Application>(&());
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &kind)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &kind)
        }
    }
}

enum Todo {
    Begin,
    Terminate,
    Sync,
    Compare,
    AutoSync,
    Nothing,
}

fn begin(next: &mut Value, app: &Application, now: jiff::Timestamp) {
    let sync = app.operation.as_ref().and_then(|o| o.sync.as_ref());
    let sources = sync.map(|s| s.sources()).filter(|s| !s.is_empty());
    next["status"]["operationState"] = json!({
        "phase": "Running",
        "operation": app.operation,
        "startedAt": now,
        "syncResult": named(sources.unwrap_or(app.spec.sources()), !app.spec.sources.is_empty()),
    });
}

/// The sources of the operation that runs, or has ended last.
fn deployed(app: &Application) -> Vec<Source> {
    let result = app.status.operation_state.as_ref().and_then(|s| s.sync_result.as_ref());
    result.map(|r| r.sources().to_vec()).unwrap_or_default()
}

/// One source or several, under the name that Argo CD gives them.
fn named(sources: &[Source], several: bool) -> Value {
    if several { json!({ "sources": sources }) } else { json!({ "source": sources.first() }) }
}

fn namespace(app: &Application) -> &str {
    let namespace = app.spec.destination.as_ref().map_or("", |d| d.namespace.as_str());
    if namespace.is_empty() { "default" } else { namespace }
}
