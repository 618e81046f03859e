//! How an Application is brought to what its Stage holds: `claim(app) == assignment(stage)`, for ever.
//!
//! The decision is level-triggered. It looks only at the Application and the Stage as they are now, so it is the same after
//! a promotion, an install, a restore, or when somebody undid what was there.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use wharfinger_api::additions::{BREAK_GLASS, ENV_FREIGHT, ENV_STAGE, INFO_CLAIM, PLUGIN};
use wharfinger_api::argocd::{
    Application, ApplicationStatus, OperationState, Source, Sources as _, SyncOperation,
};
use wharfinger_api::v1alpha1::{FreightCollection, INFO_PROMOTION, StageStatus};

use crate::check::{Check, Code, State};
use crate::claim::{Claim, StageName, carry, ours};
use crate::url;

/// How long an operation of somebody else may keep a promotion waiting.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// How long Argo CD has to look at an Application for the first time.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// How long a comparison may lag behind the end of a sync before one is asked for.
const LAG: SignedDuration = SignedDuration::from_secs(2);

/// An Application that names a Stage and our plugin, and the Stage.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub app: &'a Application,
    pub stage: &'a StageName,
    pub status: &'a StageStatus,
    /// The Promotion that made the assignment, while it runs.
    pub promotion: Option<Promotion<'a>>,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub struct Promotion<'a> {
    pub name: &'a str,
    pub actor: &'a str,
}

/// What to do about an Application.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing: it is as it should be, or on its way there.
    Leave,
    /// Send this merge patch. It carries the resourceVersion that it was made from.
    Patch(Value),
    /// Send this merge patch, which ends the running operation, and look again when it has ended.
    Terminate(Value),
    /// Nothing yet: look again when the Application changes, or at `until`.
    Wait { check: Check, until: Option<Timestamp> },
}

/// What to do now so that the Application deploys what its Stage holds.
pub fn next(situation: &Situation<'_>) -> Next {
    let Situation { app, stage, status, promotion, .. } = *situation;
    let Some((claim, collection)) = held(status) else { return Next::Leave };
    if app.annotation(BREAK_GLASS).is_some() {
        return Next::Leave;
    }
    let wanted: Vec<Source> =
        app.spec.sources().iter().map(|s| with_claim(s, stage, &claim, collection)).collect();
    let in_place = wanted == app.spec.sources();
    let automated = auto_sync(app);
    let operate = promotion.is_some() || automated;
    let operates = operate && natively(app.name(), &app.status).is_none();
    if in_place && !(operates && needs_operation(app, stage, &claim, promotion.is_some())) {
        return Next::Leave;
    }
    if let Some(running) = running(app) {
        return yield_to(&running, situation, &claim);
    }
    // An operation would deploy what no Freight is in; the claim lets Argo CD look again.
    Next::Patch(patch(situation, &claim, wanted, operates))
}

/// That the last comparison of an Application rendered a source of ours without our plugin, though the source names it.
pub fn natively(app: &str, status: &ApplicationStatus) -> Option<Check> {
    let compared = &status.sync.as_ref()?.compared_to;
    let types = if compared.sources.is_empty() {
        std::slice::from_ref(&status.source_type)
    } else {
        &status.source_types
    };
    let mut both = compared.sources().iter().zip(types);
    // Nothing is known of what could not be rendered.
    let (_, found) = both.find(|(source, found)| {
        source.plugin() == Some(PLUGIN) && !matches!(found.as_str(), "" | "Plugin")
    })?;
    let text =
        format!("Argo CD rendered the Application as {found} and not with the plugin {PLUGIN}");
    Some(Check::failed(Code::RenderedNatively, text).fix(format!(
        "Look in its folder in Git for .argocd-source.yaml and .argocd-source-{app}.yaml: they must not take the plugin away"
    )))
}

/// The claim and the collection of a Stage that holds something.
pub fn held(status: &StageStatus) -> Option<(Claim, &FreightCollection)> {
    let assignment = status.assignment.as_ref()?;
    let collection = status.freight_history.first().filter(|c| c.id == assignment.collection)?;
    Some((Claim::of(assignment), collection))
}

/// A source as it is to be while the Stage holds `claim`: with the claim in its plugin's environment and the revision that
/// the Freight carries for it. A source of another plugin, or of none, stays as it is.
pub fn with_claim(
    source: &Source,
    stage: &StageName,
    claim: &Claim,
    collection: &FreightCollection,
) -> Source {
    let mut source = source.clone();
    if source.plugin() != Some(PLUGIN) {
        return source;
    }
    if let Some(revision) = pinned(&source, collection) {
        source.0.insert("targetRevision".into(), revision.into());
    }
    let Some(plugin) = source.0.get_mut("plugin").and_then(Value::as_object_mut) else {
        return source;
    };
    let mut env = match plugin.get_mut("env").map(Value::take) {
        Some(Value::Array(env)) => env,
        _ => vec![],
    };
    for (name, value) in [(ENV_STAGE, stage.to_string()), (ENV_FREIGHT, claim.to_string())] {
        let entry = json!({ "name": name, "value": value });
        let mut places = env.iter().enumerate().filter(|(_, e)| e["name"] == name).map(|(i, _)| i);
        match places.next() {
            Some(first) => {
                let rest: Vec<usize> = places.collect();
                env[first] = entry;
                for again in rest.into_iter().rev() {
                    env.remove(again);
                }
            }
            None => env.push(entry),
        }
    }
    plugin.insert("env".into(), Value::Array(env));
    source
}

/// The commit or chart version that the Freight carries for a source.
pub fn pinned<'c>(source: &Source, collection: &'c FreightCollection) -> Option<&'c str> {
    let freight = || collection.items.values();
    let (repo, chart) = (source.repo_url(), source.chart());
    // With Argo CD, an artifact of a registry need not be called a chart.
    if chart.is_empty() && !repo.starts_with("oci://") {
        let wanted = url::normalise_git(repo);
        let mut commits = freight().flat_map(|f| &f.commits);
        return commits.find(|c| url::normalise_git(&c.repo_url) == wanted).map(|c| c.id.as_str());
    }
    let wanted = url::chart_key(repo, chart);
    let mut charts = freight().flat_map(|f| &f.charts);
    charts.find(|c| url::chart_key(&c.repo_url, &c.name) == wanted).map(|c| c.version.as_str())
}

/// An operation that has not ended.
struct Running<'a> {
    state: Option<&'a OperationState>,
}

fn running(app: &Application) -> Option<Running<'_>> {
    let state = app.status.operation_state.as_ref().filter(|s| s.in_progress());
    (state.is_some() || app.operation.is_some()).then_some(Running { state })
}

/// Nothing is written over a running operation: its end writes `operation: null`, and the request would be lost.
fn yield_to(running: &Running<'_>, situation: &Situation<'_>, claim: &Claim) -> Next {
    let Situation { app, stage, status, now, .. } = *situation;
    let Some(state) = running.state else {
        let check =
            Check::waiting(Code::OperationPending, "an operation was asked for and has not begun");
        return Next::Wait { check, until: Some(now + LAG) };
    };
    let who = match &*state.operation.initiated_by.username {
        "" => "Argo CD",
        name => name,
    };
    let check =
        Check::waiting(Code::OperationRunning, format!("an operation of {who} has to end first"))
            .fix(format!("Wait, or end it: argocd app terminate-op {}", app.name()));
    if state.phase == "Terminating" {
        return Next::Wait { check, until: None };
    }
    let theirs = carried(state);
    let another = theirs.is_some() && !theirs.is_some_and(|sources| carry(sources, stage, claim));
    let ours =
        state.operation.info.iter().any(|i| i.name == INFO_CLAIM && i.value != claim.to_string());
    // Its time begins when it begins to be in the way.
    let assigned = status.assignment.as_ref().map(|a| a.assigned_at);
    let patience = state.started_at.max(assigned).unwrap_or(now) + PATIENCE;
    if ours || (another && now >= patience) {
        return Next::Terminate(json!({
            "metadata": { "resourceVersion": app.metadata.resource_version },
            "status": { "operationState": { "phase": "Terminating" } },
        }));
    }
    Next::Wait { check: check.until(patience), until: (now < patience).then_some(patience) }
}

/// The sources that an operation deploys, as far as can be seen.
fn carried(state: &OperationState) -> Option<&[Source]> {
    let explicit = state.operation.sync.as_ref().map(|s| s.sources()).filter(|s| !s.is_empty());
    explicit.or_else(|| state.sync_result.as_ref().map(|r| r.sources()).filter(|s| !s.is_empty()))
}

/// Whether the claim is in place but nothing has deployed it, nor is about to.
fn needs_operation(app: &Application, stage: &StageName, claim: &Claim, promoting: bool) -> bool {
    if app.operation.is_some() || deployed(app, stage, claim) {
        return false;
    }
    match &app.status.operation_state {
        Some(state) if carried(state).is_some_and(|s| carry(s, stage, claim)) => {
            let part = !state.operation.sync.as_ref().is_some_and(whole);
            match state.phase.as_str() {
                // It could not be rendered, and now it can: the operation is owed again. Argo CD itself never retries it.
                "Error" | "Failed" => {
                    render_failure(&state.message).is_some_and(|f| f != RenderFailure::Refused)
                        && render_failed(app).is_none()
                }
                // Somebody synced a part of it, or on trial, before all of it was.
                "Succeeded" => promoting && part,
                _ => false,
            }
        }
        // Without a Promotion, auto-sync does it: the source has changed.
        _ => promoting,
    }
}

/// Argo CD's own record that a full sync with the claim succeeded.
fn deployed(app: &Application, stage: &StageName, claim: &Claim) -> bool {
    let recorded = app.status.history.iter().any(|h| carry(h.sources(), stage, claim));
    // Without history the operation is all there is to go by.
    let unrecorded = app.spec.revision_history_limit == Some(0)
        && app.status.operation_state.as_ref().is_some_and(|s| {
            s.phase == "Succeeded"
                && s.operation.sync.as_ref().is_some_and(whole)
                && s.sync_result.as_ref().is_some_and(|r| carry(r.sources(), stage, claim))
        });
    recorded || unrecorded
}

/// Of everything, and not on trial: what Argo CD would enter into its history.
fn whole(sync: &SyncOperation) -> bool {
    sync.resources.is_empty() && sync.dry_run != Some(true)
}

pub(crate) fn auto_sync(app: &Application) -> bool {
    let automated = app.spec.sync_policy.as_ref().and_then(|p| p.automated.as_ref());
    automated.is_some_and(|a| a.enabled != Some(false))
}

/// One merge patch: the claim, and with `operate` the operation that deploys it.
fn patch(situation: &Situation<'_>, claim: &Claim, wanted: Vec<Source>, operate: bool) -> Value {
    let Situation { app, promotion, .. } = *situation;
    let multiple = !app.spec.sources.is_empty();
    let spec =
        if multiple { json!({ "sources": wanted }) } else { json!({ "source": wanted.first() }) };
    let mut patch = json!({
        "metadata": { "resourceVersion": app.metadata.resource_version },
        "spec": spec,
    });
    if operate {
        patch["operation"] = operation(app, claim, wanted, multiple, promotion);
        // Else Argo CD resumes from the state of the operation before (`kargo-semantics.md` §6.9).
        patch["status"] = json!({ "operationState": null });
    }
    patch
}

fn operation(
    app: &Application,
    claim: &Claim,
    wanted: Vec<Source>,
    multiple: bool,
    promotion: Option<Promotion<'_>>,
) -> Value {
    let policy = app.spec.sync_policy.as_ref();
    let mut sync = Map::new();
    if multiple {
        let revisions: Vec<_> = wanted.iter().map(|s| s.target_revision().to_owned()).collect();
        sync.insert("revisions".into(), json!(revisions));
        sync.insert("sources".into(), json!(wanted));
    } else if let Some(source) = wanted.into_iter().next() {
        sync.insert("revision".into(), source.target_revision().into());
        sync.insert("source".into(), json!(source));
    }
    if policy.and_then(|p| p.automated.as_ref()).and_then(|a| a.prune) == Some(true) {
        sync.insert("prune".into(), true.into());
    }
    if let Some(policy) = policy.filter(|p| !p.sync_options.is_empty()) {
        sync.insert("syncOptions".into(), json!(policy.sync_options));
    }
    let mut info = vec![json!({ "name": INFO_CLAIM, "value": claim.to_string() })];
    if let Some(promotion) = promotion {
        info.insert(0, json!({ "name": INFO_PROMOTION, "value": promotion.name }));
    }
    let (username, automated) = match promotion {
        Some(Promotion { actor, .. }) if !actor.is_empty() => {
            (actor, actor.starts_with("controller:"))
        }
        _ => ("wharfinger", true),
    };
    json!({
        "initiatedBy": { "username": username, "automated": automated },
        "info": info,
        // Never absent: Argo CD would add it, and that write would come to the webhook as a change of the operation.
        "retry": policy.and_then(|p| p.retry.clone()).unwrap_or_else(|| json!({})),
        "sync": sync,
    })
}

/// How far an Application is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub check: Check,
    /// Argo CD should be asked to look at the Application.
    pub refresh: bool,
}

impl Progress {
    pub fn done(&self) -> bool {
        matches!(self.check.state, State::Passed | State::Warning)
    }

    pub fn failed(&self) -> bool {
        self.check.state == State::Failed
    }
}

/// How far an Application is on its way to what its Stage holds.
pub fn progress(situation: &Situation<'_>) -> Progress {
    let Situation { app, stage, status, now, .. } = *situation;
    let Some((claim, _)) = held(status) else {
        return still(Check::waiting(Code::Unassigned, "the Stage holds nothing yet"));
    };
    let assigned = status.assignment.as_ref().map_or(now, |a| a.assigned_at);
    if app.annotation(BREAK_GLASS).is_some() {
        let text = "the claim rules are lifted for this Application; it keeps what it has";
        return still(
            Check::new(Code::BreakGlass, State::Warning, text)
                .fix(format!("Remove the annotation {BREAK_GLASS}")),
        );
    }
    let looked =
        app.status.sync.as_ref().is_some_and(|s| carry(s.compared_to.sources(), stage, &claim));
    if let Some(check) = natively(app.name(), &app.status).filter(|_| looked) {
        return still(check);
    }
    if deployed(app, stage, &claim) {
        return compared(app, stage, &claim, now);
    }
    let state = app.status.operation_state.as_ref();
    if let Some(state) = state.filter(|s| carried(s).is_some_and(|s| carry(s, stage, &claim))) {
        return operated(app, state);
    }
    if let Next::Wait { check, .. } = next(situation) {
        return still(check);
    }
    if app.status.reconciled_at.is_none()
        && app.status.sync.is_none()
        && now >= assigned + FIRST_LOOK
    {
        let text = "Argo CD has never reconciled the Application";
        return still(Check::failed(Code::NotReconciled, text).fix(
            "Look whether an application controller of Argo CD watches its namespace, and whether its AppProject exists",
        ));
    }
    still(Check::waiting(Code::OperationPending, "the operation has not begun"))
}

fn still(check: Check) -> Progress {
    Progress { check, refresh: false }
}

/// An operation with the claim that has left no trace in the history yet.
fn operated(app: &Application, state: &OperationState) -> Progress {
    let message = state.message.as_str();
    let check = match (state.phase.as_str(), render_failure(message)) {
        ("Failed" | "Error", Some(RenderFailure::Trouble | RenderFailure::Cached)) => {
            Check::waiting(Code::RenderFailed, message)
                .fix("It is tried again as soon as the Application can be rendered")
        }
        ("Failed" | "Error", _) => Check::failed(
            Code::OperationFailed,
            format!("the sync ended {}: {message}", state.phase),
        )
        .fix(format!("Look at the sync result: argocd app get {}", app.name())),
        ("Succeeded", _) => {
            Check::waiting(Code::Comparing, "synced; Argo CD has not recorded it yet")
        }
        _ => Check::waiting(
            Code::OperationRunning,
            if message.is_empty() { "syncing" } else { message },
        ),
    };
    still(check)
}

/// Deployed: what is missing is that Argo CD compares again.
fn compared(app: &Application, stage: &StageName, claim: &Claim, now: Timestamp) -> Progress {
    let recorded = app.status.history.iter().rev().find(|h| carry(h.sources(), stage, claim));
    let operation = app.status.operation_state.as_ref().and_then(|s| s.finished_at);
    let ended = recorded.and_then(|h| h.deployed_at).or(operation).unwrap_or(now);
    let settled = ended + LAG;
    let sync = app.status.sync.as_ref().filter(|s| carry(s.compared_to.sources(), stage, claim));
    match sync.map(|s| s.status.as_str()) {
        Some("Synced") => still(Check::new(Code::Converged, State::Passed, "synced")),
        // The comparison before the sync said so too, and one right after it may not have seen yet what was applied: only one
        // that began well after it tells drift. Its time is cut to the second, like that of the end.
        Some("OutOfSync") if app.status.reconciled_at.is_some_and(|t| t >= settled) => {
            let fix = format!("Look at what differs: argocd app diff {}", app.name());
            still(
                Check::new(Code::OutOfSync, State::Warning, "synced, and out of sync again")
                    .fix(fix),
            )
        }
        _ => {
            let check =
                Check::waiting(Code::Comparing, "synced; Argo CD has not compared it again yet");
            Progress { check, refresh: now >= settled }
        }
    }
}

/// Why Argo CD could not render an Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderFailure {
    /// The sidecar said no, and will say no again.
    Refused,
    /// Something is down or too slow.
    Trouble,
    /// Argo CD repeats an earlier failure without asking.
    Cached,
}

/// The failure that an Application's comparison shows now, if our sidecar has a part in it.
pub fn render_failed(app: &Application) -> Option<RenderFailure> {
    ours(app.spec.sources()).next()?;
    let conditions = app.status.conditions.iter().filter(|c| c.kind == "ComparisonError");
    conditions.filter_map(|c| render_failure(&c.message)).next()
}

/// The failure that a message of Argo CD is about.
fn render_failure(message: &str) -> Option<RenderFailure> {
    const PARTS: [&str; 5] = [
        "failed to generate manifest",
        "Manifest generation error",
        "CMP processing failed",
        "cmp-server plugin",
        "error generating manifests in cmp",
    ];
    if !PARTS.iter().any(|part| message.contains(part)) {
        return None;
    }
    Some(if message.contains("(cached)") {
        RenderFailure::Cached
    } else if message.contains("code = FailedPrecondition")
        || message.contains("code = InvalidArgument")
    {
        RenderFailure::Refused
    } else {
        RenderFailure::Trouble
    })
}

#[cfg(test)]
mod tests;
