//! The health of what a Stage has deployed, from its Applications.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::Health;

use crate::claim::Claim;
use crate::converge::Progress;
use crate::recover::REFRESH;

/// How long Argo CD may take to look again, before it is asked to.
const LAG: SignedDuration = SignedDuration::from_secs(2);

/// What was seen of an Application when it was first seen to be done with a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    claim: Claim,
    version: Option<String>,
    at: Timestamp,
}

/// Whether an Application's health is of what it deploys now.
///
/// What Argo CD writes together with the end of a sync can be one step behind: `Healthy`, before a Deployment's new
/// generation was seen (`real-parts.md` §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    /// A later write will tell; none yet.
    Wait(Timestamp),
    /// None came: ask for one.
    Ask,
}

/// To be asked of an Application that is done with `claim`, with what the last answer was.
pub fn freshness(
    app: &Application,
    claim: &Claim,
    last: Option<Glimpse>,
    now: Timestamp,
) -> (Glimpse, Freshness) {
    let version = app.metadata.resource_version.clone();
    let glimpse = last.filter(|g| g.claim == *claim).unwrap_or_else(|| Glimpse {
        claim: claim.clone(),
        version: version.clone(),
        at: now,
    });
    let finished = app.status.operation_state.as_ref().and_then(|s| s.finished_at);
    // Whole seconds: the comparison of a later second began after the sync, one of the same second perhaps did not.
    let compared = app
        .status
        .reconciled_at
        .zip(finished)
        .is_some_and(|(compared, finished)| compared > finished);
    // Our own request to look again is a write too.
    let asked = app.annotation(REFRESH).is_some();
    let fresh = compared || (glimpse.version != version && !asked);
    let due = glimpse.at + LAG;
    let freshness = match fresh {
        true => Freshness::Fresh,
        false if now < due => Freshness::Wait(due),
        false => Freshness::Ask,
    };
    (glimpse, freshness)
}

/// The health of a Stage. An Application comes with how far it is, and whether its health is known by now.
pub fn health(members: &[(&Application, Progress, bool)]) -> Health {
    let mut worst = if members.is_empty() { "NotApplicable" } else { "Healthy" };
    let mut issues = vec![];
    let mut statuses = vec![];
    for (app, progress, fresh) in members {
        let (health, issue) = of(app, progress, *fresh);
        if rank(health) > rank(worst) {
            worst = health;
        }
        issues.extend(issue.map(|text| format!("{}/{}: {text}", app.namespace(), app.name())));
        statuses.push(json!({
            "namespace": app.namespace(),
            "name": app.name(),
            "health": { "status": app.status.health.as_ref().map_or("", |h| &h.status) },
            "sync": { "status": app.status.sync.as_ref().map_or("", |s| &s.status) },
        }));
    }
    Health {
        status: worst.into(),
        issues,
        output: if statuses.is_empty() {
            serde_json::Value::Null
        } else {
            json!([{ "applicationStatuses": statuses }])
        },
        ..Default::default()
    }
}

/// As Kargo's checker for Argo CD reads an Application (`kargo-semantics.md` §6.9).
fn of(app: &Application, progress: &Progress, fresh: bool) -> (&'static str, Option<String>) {
    let errors = app
        .status
        .conditions
        .iter()
        .find(|c| matches!(c.kind.as_str(), "ComparisonError" | "InvalidSpecError"));
    if let Some(error) = errors {
        return ("Unhealthy", Some(error.message.clone()));
    }
    if progress.failed() {
        return ("Unhealthy", Some(progress.check.text.clone()));
    }
    if !progress.done() {
        return ("Unknown", Some(progress.check.text.clone()));
    }
    if !fresh {
        return ("Unknown", Some("Argo CD has not looked at it again since it was synced".into()));
    }
    let health = app.status.health.clone().unwrap_or_default();
    match health.status.as_str() {
        "Healthy" => ("Healthy", None),
        "" | "Progressing" | "Suspended" => {
            ("Progressing", Some(said(&health.status, &health.message)))
        }
        _ => ("Unhealthy", Some(said(&health.status, &health.message))),
    }
}

fn said(status: &str, message: &str) -> String {
    match (status, message) {
        ("", _) => "health not known yet".into(),
        (status, "") => status.into(),
        (status, message) => format!("{status}: {message}"),
    }
}

fn rank(health: &str) -> u8 {
    match health {
        "Healthy" => 0,
        "NotApplicable" => 1,
        "Progressing" => 2,
        "Unknown" => 3,
        _ => 4,
    }
}
