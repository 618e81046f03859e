//! The status: what Argo CD's controllers have seen and done. Our controller believes it, so nobody else may write it.

use serde_json::Value;
use wharfinger_api::argocd::Sources as _;

use super::consent::joins;
use super::fields::{Class, changed, class};
use super::source::{lean_value, newest};
use super::{Change, StageName};
use crate::admission::Stop;
use crate::admission::facts::status;
use crate::check::{Check, Code};

pub(super) fn judge(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    if joins(change, stage) {
        brought(change, stage)?;
    }
    // It may be put back with the Application.
    if change.old.is_none() || change.context.by_argocd() {
        return Ok(());
    }
    let (old, new) = change.at(&["status"]);
    if old == new {
        return Ok(());
    }
    // The state of the operation has a rule of its own.
    let rest = |value: Option<&Value>| {
        let mut value = value.map(lean_value).unwrap_or_default();
        value.as_object_mut().map(|status| status.shift_remove("operationState"));
        value
    };
    let new = rest(new);
    let written = |path: &String| {
        let evidence = matches!(class(path), Some(Class::Evidence) | None);
        let field = path.strip_prefix("status.").unwrap_or_default();
        evidence && new.get(field).is_some_and(|value| !value.is_null())
    };
    // What is taken away proves nothing, and Argo CD finds it out again.
    let Some(path) = changed("status", &rest(old), &new).into_iter().find(written) else {
        return Ok(());
    };
    let text = format!(
        "{path} is written by Argo CD's application controller, not by {}",
        change.context.review.user
    );
    Err(Check::failed(Code::StatusGuard, text).fix("Leave the status out of what you write").into())
}

/// Whoever joins brings a status that nobody looked after. It must not tell of a promotion to come.
fn brought(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    let told = &change.new.status;
    let history = told.history.iter().map(|entry| newest(entry.sources(), stage));
    let compared = told.sync.iter().map(|sync| newest(sync.compared_to.sources(), stage));
    let state = told.operation_state.iter();
    let result = state.filter_map(|s| s.sync_result.as_ref()).map(|r| newest(r.sources(), stage));
    let Some(newest) = history.chain(compared).chain(result).max().filter(|newest| *newest > 0)
    else {
        return Ok(());
    };
    let generation = |stage| status(stage).assignment.as_ref().map_or(0, |a| a.generation);
    let known = change.context.facts.stage(stage)?.0.map_or(0, generation);
    if newest <= known || newest <= change.context.facts.stage_live(stage)?.map_or(0, generation) {
        return Ok(());
    }
    let text =
        format!("the status tells of assignment {newest} of Stage {stage}, which was not made yet");
    Err(Check::failed(Code::StatusGuard, text)
        .fix("Leave the status out: Argo CD finds it out again")
        .into())
}
