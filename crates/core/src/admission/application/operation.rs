//! Operations: what Argo CD is asked to deploy now, and the record from which it goes on with what it has begun.

use serde_json::Value;
use wharfinger_api::additions::{BREAK_GLASS, Freedom, PLUGIN};
use wharfinger_api::argocd::{Operation, Source, Sources, SyncOperation, SyncResult};

use super::fields::{changed, class};
use super::guard::{known, unless_free};
use super::source::{claim, lean_value, same, same_but_revision};
use super::{Change, StageName};
use crate::admission::facts::status;
use crate::admission::{Stop, read};
use crate::check::{Check, Code};
use crate::claim::{Claim, Claimed, ours, shown};
use crate::converge::{held, natively, pinned};

/// `.operation`: what anybody may ask for.
pub(super) fn judge(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    let (_, new) = change.at(&["operation"])?;
    let (Some(operation), Some(whole)) = (change.new.operation()?, new) else { return Ok(()) };
    let asked = || {
        deploys(change, stage, operation)?;
        known(change, stage, whole)
    };
    if !change.context.same(&["operation"])? {
        asked()
    } else if change.glass_mended() {
        asked().map_err(|stop| left_over(change, stop))
    } else {
        Ok(())
    }
}

/// An operation from the time when the rules were lifted: it has to end before they apply again.
fn left_over(change: &Change<'_>, stop: Stop) -> Stop {
    let Stop::Deny(check) = stop else { return stop };
    let fix = format!(
        "Remove {BREAK_GLASS} when that operation has ended; to end it now: argocd app terminate-op {}",
        change.new.name()
    );
    Check::failed(check.code, check.text).fix(fix).into()
}

const STATE: [&str; 2] = ["status", "operationState"];

/// `status.operationState`: while an operation runs, Argo CD goes on from here and not from `.operation`.
pub(super) fn judge_state(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    if change.context.same(&STATE)? {
        return Ok(());
    }
    let (old, new) = change.at(&STATE)?;
    let Some(state) = new else { return Ok(()) };
    if change.context.by_argocd() {
        return by_argocd(change, stage, state);
    }
    let terminates = old.and_then(Value::as_object).is_some_and(|old| {
        let mut wanted = old.clone();
        wanted.insert("phase".into(), "Terminating".into());
        state.as_object() == Some(&wanted)
    });
    // As when a backup is put back: nothing goes on from an operation that has ended.
    let ended = || matches!(state["phase"].as_str(), Some("Succeeded" | "Failed" | "Error"));
    if terminates || (change.old.is_none() && ended()) {
        return Ok(());
    }
    let text = format!(
        "status.operationState is written by Argo CD's application controller, not by {}",
        change.context.review.user
    );
    let fix = "Ask for an operation in .operation, end one by setting its phase to Terminating, or forget it by setting operationState to null";
    Err(Check::failed(Code::OperationState, text).fix(fix).into())
}

/// The account of the application controller writes the record, but also whatever a parent Application has in Git.
///
/// A record that it keeps for itself must get through: it writes again until it does, and a worker waits that long.
fn by_argocd(change: &Change<'_>, stage: &StageName, state: &Value) -> Result<(), Stop> {
    let recorded = state
        .get("operation")
        .map(|o| read(o, "in status.operationState"))
        .transpose()?
        .unwrap_or_default();
    let whole = state.get("operation").unwrap_or(&Value::Null);
    let old = change.old;
    let (before, now) = change.at(&["operation"])?;
    let (state_before, _) = change.at(&["status", "operationState", "operation"])?;
    let state_was = old.map(|old| old.status()).transpose()?;
    let state_was = state_was.and_then(|status| status.operation_state.as_ref());
    let admitted = [
        (old.map(|old| old.operation()).transpose()?.flatten(), before),
        (state_was.map(|state| &state.operation), state_before),
        // Judged a moment ago.
        (change.new.operation()?, now),
    ];
    let goes_on = admitted.into_iter().any(|(operation, known)| {
        operation.is_some_and(|operation| same_deployment(operation, &recorded))
            && known.is_some_and(|known| same_fields(known, whole))
    });
    if !goes_on {
        deploys(change, stage, &recorded)?;
        known(change, stage, whole)?;
    }
    result(change, state, &recorded)
}

/// The sources in the result of an operation are where Argo CD goes on from. They are the operation's own, or those that
/// the spec had when it began.
fn result(change: &Change<'_>, state: &Value, recorded: &Operation) -> Result<(), Stop> {
    let result: Option<SyncResult> =
        state.get("syncResult").map(|r| read(r, "in status.operationState")).transpose()?;
    let Some(result) = result.filter(|result| result.sources().iter().any(|s| !s.0.is_empty()))
    else {
        return Ok(());
    };
    let old = change.old;
    let status = old.map(|old| old.status()).transpose()?;
    let before =
        status.and_then(|s| s.operation_state.as_ref()).and_then(|s| s.sync_result.as_ref());
    let sync = recorded.sync.as_ref().map(Sources::sources).filter(|sources| !sources.is_empty());
    let own = |sources: &[Source]| {
        let pairs = || sources.iter().zip(result.sources());
        sources.len() == result.sources().len() && pairs().all(|(a, b)| same(a, b))
    };
    let spec = [
        Some(change.new.sources()),
        old.map(|old| old.sources()),
        // The spec may have changed since it began.
        status.and_then(|s| s.sync.as_ref()).map(|s| s.compared_to.sources()),
    ];
    let known = match sync {
        Some(sources) => own(sources),
        None => spec.into_iter().flatten().any(own),
    };
    if known || before.is_some_and(|before| own(before.sources())) {
        return Ok(());
    }
    let text = "status.operationState.syncResult has sources that are not those of its operation";
    Err(Check::failed(Code::OperationState, text)
        .fix("Leave the status out of what you write")
        .into())
}

/// Argo CD fills in `retry`, and a retry may look for a newer revision: neither changes whose Freight is deployed.
fn same_deployment(one: &Operation, other: &Operation) -> bool {
    let deployed = |o: &Operation| {
        o.sync.as_ref().map(|s| (s.source.clone(), s.sources.clone(), s.manifests.clone()))
    };
    deployed(one) == deployed(other)
}

/// Whether two operations differ in nothing but what somebody has looked at.
fn same_fields(one: &Value, other: &Value) -> bool {
    changed("operation", &lean_value(one), &lean_value(other)).iter().all(|p| class(p).is_some())
}

fn deploys(change: &Change<'_>, stage: &StageName, operation: &Operation) -> Result<(), Stop> {
    let Some(sync) = &operation.sync else { return Ok(()) };
    if let Some(check) = natively(change.new.name(), change.new.status()?) {
        return Err(check.into());
    }
    if !sync.manifests.is_empty() {
        let text =
            "the operation brings manifests of its own in place of what the Freight renders to";
        return Err(Check::failed(Code::OperationSource, text).fix("Sync without --local").into());
    }
    let (brought, spec) = (sync.sources(), change.new.sources());
    if brought.is_empty() {
        return revisions(change, stage, sync);
    }
    for source in ours(brought) {
        if let Some(asked) = another(source, spec) {
            foreign(change, stage, operation, source, &asked)?;
        }
    }
    if brought.len() != spec.len()
        || !brought.iter().zip(spec).all(|(brought, spec)| same_but_revision(brought, spec))
    {
        let text = "the operation brings sources that are not those of the Application";
        return Err(Check::failed(Code::OperationSource, text)
            .fix("Leave source and sources out of it: it deploys what the spec says")
            .into());
    }
    ours(brought).try_for_each(|source| claim(change, stage, source))?;
    revisions(change, stage, sync)
}

/// The revision that an operation asks for: the one that the Freight pins, else the one that the spec names.
fn revisions(change: &Change<'_>, stage: &StageName, sync: &SyncOperation) -> Result<(), Stop> {
    for (at, source) in change.new.sources().iter().enumerate() {
        let other = |revision: &&str| !revision.is_empty() && *revision != source.target_revision();
        let brought = sync.sources().get(at).map(Source::target_revision).filter(other);
        let first = (at == 0).then_some(&*sync.revision).filter(other);
        let asked = sync.revisions.get(at).map(String::as_str).filter(other);
        let others: Vec<_> = [brought, first, asked].into_iter().flatten().collect();
        if others.is_empty() {
            continue;
        }
        if let Some(pin) = pin(change, stage, source)? {
            let Some(another) = others.into_iter().find(|revision| *revision != pin) else {
                continue;
            };
            let text = format!(
                "the operation deploys revision {:?}, but the Freight of Stage {stage} pins {pin}",
                shown(another)
            );
            return Err(Check::failed(Code::WrongRevision, text)
                .fix("Leave the revision out of it")
                .into());
        }
        // What targetRevision stood for when it was looked up. That it did is for Argo CD to see to.
        let another = brought.is_some() || !change.context.by_accounts_of_argocd();
        if another && change.context.facts.stage_if_any(stage)?.is_some() {
            unless_free(change, stage, "operation.sync.revision", Freedom::Revision)?;
        }
    }
    Ok(())
}

/// What the Freight of the Stage pins for a source of the spec.
fn pin(change: &Change<'_>, stage: &StageName, source: &Source) -> Result<Option<String>, Stop> {
    if source.plugin() != Some(PLUGIN) {
        return Ok(None);
    }
    let found = change.context.facts.stage_live(stage)?.map(status).and_then(held);
    Ok(found.and_then(|(_, collection)| pinned(source, collection)).map(str::to_owned))
}

/// The claim of a source that no source of the spec has.
fn another(source: &Source, spec: &[Source]) -> Option<Claim> {
    let claimed = Claimed::of(source).ok()?;
    let known = ours(spec).any(|s| Claimed::of(s).as_ref() == Ok(&claimed));
    claimed.claim.filter(|_| !known)
}

/// Somebody goes back in Argo CD's history, or Argo CD itself has not seen yet that the Stage moved on.
fn foreign(
    change: &Change<'_>,
    stage: &StageName,
    operation: &Operation,
    source: &Source,
    asked: &Claim,
) -> Result<(), Stop> {
    let facts = change.context.facts;
    let check = match claim(change, stage, source) {
        Err(Stop::Deny(check)) if check.code == Code::ClaimOutdated => check,
        // Either it can't be had at all, or what is wrong is that the spec says otherwise.
        otherwise => return otherwise,
    };
    let found = facts.stage_if_any(stage)?.map(status);
    let holds = found
        .and_then(|s| s.assignment.as_ref())
        .map(|a| Claim::of(a).to_string())
        .unwrap_or_default();
    let who = match &*operation.initiated_by.username {
        "" => "Argo CD",
        name => name,
    };
    let text = format!(
        "the operation that {who} asks for deploys the assignment {asked}, but Stage {stage} holds {holds}"
    );
    let check = Check::failed(check.code, text);
    let remembered =
        found.is_some_and(|s| s.freight_history.iter().any(|c| c.id == asked.collection));
    Err(if operation.initiated_by.automated {
        check.fix("Argo CD looks again by itself")
    } else if remembered {
        check.fix(format!(
            "To go back, run: wharf rollback --project {} --stage {} --to {}",
            stage.project, stage.stage, asked.collection
        ))
    } else {
        check.fix("It is no longer in the Stage's history. What an Application deploys changes by a promotion of its Stage: wharf promote")
    }
    .into())
}
