//! Which Promotion of a Stage has its turn, and what to do about it.
//!
//! One at a time, in the order of their names, which is the order in which they were admitted. A Promotion has two halves:
//! before its assignment is committed nothing has happened, after it the Stage holds the new Freight whatever becomes of the
//! Promotion. `Stage.status.assignment.promotion` alone tells which half it is in: no Promotion assigns twice.

use std::borrow::Borrow;

use jiff::{SignedDuration, Timestamp};
use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{ABORT, CREATE_ACTOR, Promotion, ROLLBACK, StageStatus};

use crate::assignment::is_terminal;
use crate::check::{Check, Code};

mod abort;
mod commit;
mod end;
mod event;
mod inflate;
mod plan;
mod step;

pub(crate) use end::second;

pub use abort::Abort;
pub use commit::commit;
pub use end::{Ended, Phase};
pub use event::details;
pub use inflate::{called, inflate};
pub use plan::{Assign, Plan, is_known, plan};
pub use step::{Member, advance};

/// How long a Promotion may keep a person waiting once all it does is wait itself.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// What to do next about the Promotions of a Stage.
#[derive(Debug, PartialEq)]
pub enum Next<'p> {
    /// None is waiting, and none is at work.
    Idle,
    /// This one ends here, without further work.
    End(&'p Promotion, Ended),
    /// It has its turn: commit its assignment.
    Start(&'p Promotion, Plan),
    /// Its assignment is committed: see how far the Applications are. At `until` another one may take over.
    Work { promotion: &'p Promotion, plan: Plan, until: Option<Timestamp> },
}

/// Decides by what the Stage holds and by its Promotions, which are ordered by name.
pub fn next<'p, P: Borrow<Promotion>>(
    stage: &StageStatus,
    promotions: &'p [P],
    now: Timestamp,
) -> Next<'p> {
    let open = || promotions.iter().map(Borrow::borrow).filter(|p| !over(p));
    let committed = |p: &Promotion| {
        stage.assignment.as_ref().filter(|a| a.promotion == name(p)).map(|a| a.assigned_at)
    };
    if let Some((promotion, message)) = open().find_map(|p| Some((p, aborted(p)?))) {
        return Next::End(
            promotion,
            Ended { phase: Phase::Aborted, message, check: None, committed: committed(promotion) },
        );
    }
    let running = open().find(|p| committed(p).is_some());
    // One that is at work and has not committed lost its Stage's status, or comes from an older controller: it goes first.
    let Some(promotion) =
        running.or_else(|| open().find(|p| phase(p) == "Running")).or_else(|| open().next())
    else {
        return Next::Idle;
    };
    let plan = match plan(promotion) {
        Ok(plan) => plan,
        Err(check) => {
            return Next::End(promotion, Ended::by(Phase::Errored, check, committed(promotion)));
        }
    };
    let Some(since) = committed(promotion) else {
        return Next::Start(promotion, plan);
    };
    let follower = open().find(|p| name(p) != name(promotion));
    let until = follower.and_then(|f| takes_over(f, since));
    match follower {
        Some(follower) if until.is_some_and(|t| now >= t) => {
            let text = format!("superseded by {}", name(follower));
            Next::End(
                promotion,
                Ended::by(Phase::Aborted, Check::failed(Code::Superseded, text), Some(since)),
            )
        }
        _ => Next::Work { promotion, plan, until },
    }
}

/// When a Promotion may end the one before it, which has waited since `since` for Applications.
fn takes_over(follower: &Promotion, since: Timestamp) -> Option<Timestamp> {
    if annotation(follower, ROLLBACK) == Some("true") || annotation(follower, COLLECTION).is_some()
    {
        return Some(since);
    }
    (!by_machine(follower)).then_some(since + PATIENCE)
}

/// Whether no person asked for it.
pub(crate) fn by_machine(promotion: &Promotion) -> bool {
    let actor = annotation(promotion, CREATE_ACTOR).unwrap_or_default();
    actor.is_empty() || actor.starts_with("controller:")
}

/// Whether somebody asked for the end of a Promotion.
fn aborted(promotion: &Promotion) -> Option<String> {
    let Abort { actor, .. } = Abort::read(annotation(promotion, ABORT)?)?;
    Some(if actor.is_empty() { "aborted".into() } else { format!("aborted by {actor}") })
}

/// Whether it has ended.
pub fn over(promotion: &Promotion) -> bool {
    is_terminal(phase(promotion))
}

fn phase(promotion: &Promotion) -> &str {
    promotion.status.as_ref().map_or("", |s| &s.phase)
}

fn name(promotion: &Promotion) -> &str {
    promotion.metadata.name.as_deref().unwrap_or_default()
}

pub(crate) fn annotation<'p>(promotion: &'p Promotion, key: &str) -> Option<&'p str> {
    promotion.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests;
