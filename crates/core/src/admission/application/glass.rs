//! Break-glass: the rules are lifted for one Application, by somebody who may, in everybody's sight.

use std::collections::BTreeMap;

use wharfinger_api::additions::BREAK_GLASS;

use super::Change;
use super::annotation::stages;
use crate::admission::{Event, Stop, Verb};
use crate::check::{Check, Code};

/// Whether the rules are lifted.
pub(super) fn judge(change: &Change<'_>) -> Result<bool, Stop> {
    let Some(reason) = change.is(BREAK_GLASS) else { return Ok(false) };
    let is = stages(change.new);
    let was = change.old.map(stages);
    // On an Application that was none of our business the annotation could be set by anybody, and so it says nothing about
    // a Stage that is joined later.
    if broken(change) || was.as_ref() != Some(&is) {
        if reason.trim().is_empty() {
            let fix = format!("Say why: {BREAK_GLASS}: <reason>");
            return Err(Check::failed(
                Code::BreakGlass,
                format!("annotation {BREAK_GLASS} has no reason"),
            )
            .fix(fix)
            .into());
        }
        let on: Vec<_> = is.iter().chain(was.iter().flatten()).collect();
        if on.is_empty() {
            let text = format!(
                "annotation {BREAK_GLASS} lifts the rules of a Stage, but the Application names none"
            );
            return Err(Check::failed(Code::BreakGlass, text)
                .fix(format!("Remove the annotation {BREAK_GLASS}"))
                .into());
        }
        for stage in on {
            change.context.require(Verb::Bypass, stage, "lift the rules")?;
        }
    }
    Ok(true)
}

/// Told each time the rules did not apply, or will not from now on.
pub(super) fn event(change: &Change<'_>, renders: bool) -> Option<Event> {
    let reason = change.is(BREAK_GLASS).filter(|_| broken(change) || renders)?;
    // An event's text holds 1 kB.
    let reason: String = reason.chars().take(200).collect();
    let stages: Vec<_> = stages(change.new).iter().map(ToString::to_string).collect();
    let text = format!(
        "{} changed the Application without the rules of Stage {}: {reason}",
        change.context.review.user,
        stages.join(", ")
    );
    Some(Event { warning: true, reason: "BreakGlass", text, annotations: BTreeMap::new() })
}

/// The annotation is new, or says something new.
fn broken(change: &Change<'_>) -> bool {
    change.was(BREAK_GLASS) != change.is(BREAK_GLASS)
}
