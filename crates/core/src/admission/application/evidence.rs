//! The status: what Argo CD's controllers have seen and done. Our controller believes it, so nobody else may write it.

use std::cmp::Reverse;

use serde_json::Value;
use wharfinger_api::argocd::{ApplicationStatus, Source, Sources as _};

use super::consent::{joins, was_of};
use super::fields::{Class, changed, class};
use super::source::{lean_value, newest};
use super::{Change, StageName};
use crate::admission::Stop;
use crate::admission::facts::status;
use crate::check::{Check, Code};

pub(super) fn judge(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    // While the rules were lifted nobody looked after it either.
    if joins(change, stage) || change.glass_mended() {
        brought(change, stage)?;
    }
    // It may be put back with the Application.
    if change.old.is_none() || change.context.by_argocd() {
        return Ok(());
    }
    if change.context.same(&["status"])? {
        return Ok(());
    }
    let (old, new) = change.at(&["status"])?;
    // The state of the operation has a rule of its own.
    let rest = |value: Option<&Value>| {
        let mut value = value.map(lean_value).unwrap_or_default();
        value.as_object_mut().map(|status| status.shift_remove("operationState"));
        value
    };
    let (old, new) = (rest(old), rest(new));
    let written = |path: &String| {
        let evidence = matches!(class(path), Some(Class::Evidence) | None);
        let field = path.strip_prefix("status.").unwrap_or_default();
        let value = new.get(field).filter(|value| !value.is_null());
        evidence && value.is_some_and(|value| !is_left_of(value, &old[field]))
    };
    // What is taken away proves nothing, and Argo CD finds it out again.
    let Some(path) = changed("status", &old, &new).into_iter().find(written) else {
        return Ok(());
    };
    let text = format!(
        "{path} is written by Argo CD's application controller, not by {}",
        change.context.review.user
    );
    Err(Check::failed(Code::StatusGuard, text).fix("Leave the status out of what you write").into())
}

/// Whether a list is another one without some of what was in it.
fn is_left_of(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_array(), old.as_array()) else { return false };
    let mut old = old.iter();
    new.iter().all(|entry| old.any(|was| was == entry))
}

/// Whoever joins brings a status that nobody looked after. It must not tell of what the Stage holds now, nor of what it
/// will hold: a promotion would take that for done. What was before does no harm, and comes with a backup that is put back.
///
/// Of an Application that was the Stage's already it is known that it may have been deployed, so it may say so.
fn brought(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    let told = told(change.new.status()?, stage);
    let first = told.into_iter().min_by_key(|(told, ..)| Reverse(*told));
    let Some((newest, part, below)) = first else { return Ok(()) };
    let was = was_of(change, stage);
    let generation = |stage| status(stage).assignment.as_ref().map_or(0, |a| a.generation);
    let harmless = |known: u64| newest < known || (was && newest == known);
    if change.context.facts.stage(stage)?.0.is_some_and(|stage| harmless(generation(stage))) {
        return Ok(());
    }
    let live = change.context.facts.stage_live(stage)?;
    // With the Stage gone there is no promotion to be told, and the Application has to be put right.
    if live.map_or(was, |stage| harmless(generation(stage))) {
        return Ok(());
    }
    let text = format!(
        "{part}{below} tells that assignment {newest} of Stage {stage} was deployed, which Argo CD has not seen here"
    );
    let fix = if change.old.is_none() {
        "Remove status: only Argo CD writes it, and finds it out again".to_owned()
    } else {
        format!("Set {part} to null in the same write: only Argo CD writes it")
    };
    Err(Check::failed(Code::StatusGuard, text).fix(fix).into())
}

/// What a status tells of a Stage's assignments: the generation, the part that can be taken out, and the field below it.
fn told(status: &ApplicationStatus, stage: &StageName) -> Vec<(u64, &'static str, &'static str)> {
    let by = |sources: &[Source], part, below| (newest(sources, stage), part, below);
    let mut told = vec![];
    told.extend(status.history.iter().map(|entry| by(entry.sources(), "status.history", "")));
    let sync = status.sync.as_ref();
    told.extend(sync.map(|sync| by(sync.compared_to.sources(), "status.sync", ".comparedTo")));
    let (state, record) = (status.operation_state.as_ref(), "status.operationState");
    let result = state.and_then(|state| state.sync_result.as_ref());
    told.extend(result.map(|result| by(result.sources(), record, ".syncResult")));
    let asked = state.and_then(|state| state.operation.sync.as_ref());
    told.extend(asked.map(|sync| by(sync.sources(), record, ".operation")));
    told.retain(|(generation, ..)| *generation > 0);
    told
}
