//! Changing which Stage an Application belongs to: asked for, tried, written, and looked after until it has settled.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use kube::api::{DynamicObject, PostParams};
use kube::runtime::wait::{self, await_condition};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::{Application, Source, Sources as _};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;
use wharfinger_core::duration;

use crate::argocd::App;
use crate::compare::Change;
use crate::exit::{Exit, Failure};
use crate::output::{Mark, clean, yaml};
use crate::session::Session;
use crate::verb::changed_objects;

/// How far to go.
#[derive(Clone, Debug, Default, Args)]
pub struct Resolve {
    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,

    /// Try every write on the cluster, and write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,

    /// Go on although what is deployed would change. The changes are shown
    #[arg(long)]
    pub accept_diff: bool,

    /// How long to wait until it has settled
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text).filter(SignedDuration::is_positive);
    let parsed = parsed.and_then(|d| Duration::try_from(d).ok());
    parsed.ok_or_else(|| "not a duration such as 90s, 10m or 1h30m".into())
}

/// An Application as it is, and as it is to be.
pub struct Move {
    pub app: App,
    pub sources: Vec<Source>,
    /// What the annotation is to say; nothing takes it away.
    pub stage: Option<String>,
}

/// What is to be done, once somebody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Go,
    Leave,
}

impl Move {
    /// Tries the write on the server.
    pub async fn attempt(&self, session: &Session) -> Result<(), Failure> {
        self.put(session, true).await
    }

    /// Writes annotation and sources in one request.
    pub async fn write(&self, session: &Session) -> Result<(), Failure> {
        self.put(session, false).await
    }

    /// The manifest's part that changes, for whoever keeps it.
    pub fn manifest(&self) -> Value {
        let spec = if self.app.app.spec.sources.is_empty() {
            json!({ "source": self.sources.first() })
        } else {
            json!({ "sources": self.sources })
        };
        match &self.stage {
            Some(stage) => {
                json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: stage } }, "spec": spec })
            }
            None => json!({ "spec": spec }),
        }
    }

    /// Waits until Argo CD has compared the Application as it is now.
    pub async fn settled(&self, session: &Session, limit: Duration) -> Result<(), Failure> {
        let api = session.apps(self.app.app.namespace()).await?;
        let compared = |object: Option<&DynamicObject>| object.is_some_and(compared);
        let waited = timeout(limit, await_condition(api, self.app.name(), compared)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wait::Error::ProbeFailed(e))) => {
                Err(Failure::new("can't watch the Application").because(&e))
            }
            Err(_) => Err(Failure::new(format!(
                "it is written, but Argo CD has not compared {} yet",
                self.app.name()
            ))
            .exit(Exit::TimedOut)
            .next(format!(
                "Look at it: kubectl -n {} describe application.argoproj.io {}",
                self.app.app.namespace(),
                self.app.name()
            ))),
        }
    }

    async fn put(&self, session: &Session, dry_run: bool) -> Result<(), Failure> {
        let api = session.apps(self.app.app.namespace()).await?;
        let name = self.app.name();
        let params = PostParams { dry_run, ..PostParams::default() };
        // Argo CD writes its status meanwhile; what a person decided on must not have changed.
        for _ in 0..TRIES {
            let now = session.app(&self.app.full_name()).await?;
            if now.sources() != self.app.sources()
                || now.app.annotation(AUTHORIZED_STAGE) != self.app.app.annotation(AUTHORIZED_STAGE)
            {
                return Err(Failure::new(format!("{name} has changed since it was looked at"))
                    .exit(Exit::Conflict)
                    .next("Look again, and repeat it if you still want to"));
            }
            let changed: DynamicObject = serde_json::from_value(self.changed(now.raw))
                .map_err(|e| Failure::new("can't write the Application").because(&e))?;
            match api.replace(name, &params, &changed).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(e) => return Err(Failure::api(format!("change the Application {name}"), &e)),
            }
        }
        Err(Failure::new(format!("{name} changes faster than it can be written"))
            .exit(Exit::Conflict))
    }

    fn changed(&self, mut object: Value) -> Value {
        match (&self.stage, object["metadata"]["annotations"].as_object_mut()) {
            (Some(stage), Some(annotations)) => {
                annotations.insert(AUTHORIZED_STAGE.into(), stage.as_str().into());
            }
            (Some(stage), None) => {
                object["metadata"]["annotations"] = json!({ AUTHORIZED_STAGE: stage });
            }
            (None, Some(annotations)) => drop(annotations.shift_remove(AUTHORIZED_STAGE)),
            (None, None) => {}
        }
        if self.app.app.spec.sources.is_empty() {
            object["spec"]["source"] = json!(self.sources.first());
        } else {
            object["spec"]["sources"] = json!(self.sources);
        }
        if let Some(status) = object.get_mut("status").filter(|_| self.stage.is_some()) {
            forget(status);
        }
        object
    }
}

/// Takes out of a status what it tells of a time when the Application was rendered with Freight before: the webhook does not
/// let anybody join with that. What it is now, Argo CD finds out again.
fn forget(status: &mut Value) {
    let rendered = |of: Option<&Value>| {
        let source = of.and_then(|of| of.get("source"));
        let sources = of.and_then(|of| of.get("sources")?.as_array()).into_iter().flatten();
        source.into_iter().chain(sources).any(|s| s["plugin"]["name"] == PLUGIN)
    };
    if let Some(history) = status.get_mut("history").and_then(Value::as_array_mut) {
        history.retain(|entry| !rendered(Some(entry)));
    }
    let places = [
        ("sync", "/sync/comparedTo"),
        ("operationState", "/operationState/syncResult"),
        ("operationState", "/operationState/operation/sync"),
    ];
    for (field, place) in places {
        if rendered(status.pointer(place)) {
            status.as_object_mut().map(|status| status.shift_remove(field));
        }
    }
}

const TRIES: usize = 5;

/// Argo CD has compared exactly the sources that are in the spec, and knows how it came out.
fn compared(object: &DynamicObject) -> bool {
    let app = serde_json::to_value(object).and_then(serde_json::from_value::<Application>);
    let Ok(app) = app else { return false };
    let sync = app.status.sync.as_ref().filter(|sync| sync.status != "Unknown");
    sync.is_some_and(|sync| sync.compared_to.sources() == app.spec.sources())
        && app.operation.is_none()
        && !app.status.operation_state.as_ref().is_some_and(|state| state.in_progress())
}

impl Resolve {
    /// Whether to go on. On a terminal a person is asked; elsewhere `--yes` is needed.
    pub async fn ask(&self, session: &Session) -> Result<Answer, Failure> {
        if self.yes {
            return Ok(Answer::Go);
        }
        let console = &session.console;
        if self.dry_run || !console.err.terminal || !io::stdin().is_terminal() {
            console.say("nothing is written; --yes does it");
            return Ok(Answer::Leave);
        }
        console.say("Do it? [y/N]");
        let line = spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line)
        });
        let line = line.await.map_err(|e| Failure::new("can't ask").because(&e))?;
        let line = line.map_err(|e| Failure::new("can't read the answer").because(&e))?;
        Ok(if matches!(line.trim(), "y" | "Y" | "yes") { Answer::Go } else { Answer::Leave })
    }
}

/// A line about what was found or done.
pub fn passed(session: &Session, text: &str) -> Result<(), Failure> {
    let console = &session.console;
    Ok(console.line(format!("{} {}", Mark::Passed.painted(console.out), clean(text)))?)
}

/// A line about what would be done.
pub fn planned(session: &Session, text: &str) -> Result<(), Failure> {
    Ok(session.console.line(format!("- {}", clean(text)))?)
}

/// The changes that were found where there should be none.
pub fn differences(session: &Session, text: &str, changes: &[Change]) -> Result<(), Failure> {
    let console = &session.console;
    console.line(format!("{} {}", Mark::Warning.painted(console.out), clean(text)))?;
    for line in changed_objects(changes, console.out) {
        console.line(format!("  {line}"))?;
    }
    Ok(())
}

/// What to write where the Application is kept, since a write here would be undone from there.
pub fn for_its_writer(session: &Session, wanted: &Move, writer: &str) -> Result<Exit, Failure> {
    let console = &session.console;
    let name = wanted.app.name();
    console.say(clean(&format!(
        "{name} is written by {writer}: nothing is written here. In its manifest, this is to be:"
    )));
    match wanted.stage {
        Some(_) => console.say("(kustomize, helm and directory are gone from the source)"),
        None => console.say(format!("(without the annotation {AUTHORIZED_STAGE})")),
    }
    console.raw(yaml(&wanted.manifest())?.as_bytes())?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_joins_again_brings_no_past() {
        let ours = json!({ "repoURL": "r", "plugin": { "name": PLUGIN } });
        let native = json!({ "repoURL": "r", "path": "p" });
        let mut status = json!({
            "history": [{ "id": 1, "source": ours }, { "id": 2, "source": native }, { "id": 3, "sources": [native, ours] }],
            "sync": { "status": "Synced", "comparedTo": { "source": ours } },
            "operationState": { "phase": "Succeeded", "operation": { "sync": { "sources": [ours] } } },
            "health": { "status": "Healthy" },
        });
        forget(&mut status);
        let left = json!({ "history": [{ "id": 2, "source": native }], "health": { "status": "Healthy" } });
        assert_eq!(status, left);
        let mut other = json!({
            "history": [{ "id": 2, "source": native }],
            "sync": { "status": "Synced", "comparedTo": { "source": native } },
            "operationState": { "phase": "Running", "operation": { "sync": {} }, "syncResult": { "source": native } },
        });
        let before = other.clone();
        forget(&mut other);
        assert_eq!(other, before);
    }
}
