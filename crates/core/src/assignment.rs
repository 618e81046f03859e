//! The one judgement: may this Application have this claim for this Stage?
//!
//! The webhook asks it before a write is admitted, the sidecar before anything is rendered, the controller before it leaves
//! an Application alone. A question is answered from what the asker has at hand, or with what has to be read live first.

use jiff::Timestamp;
use wharfinger_api::additions::{Assignment, BREAK_GLASS};
use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::{FreightCollection, FreightReference, FreightRequest, StageStatus};

use crate::check::{Check, Code};
use crate::claim::{Claim, Claimed, Malformed, StageName, carry};
use crate::freight;

/// How many FreightCollections a Stage remembers.
const HISTORY: usize = 10;

#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The Stage that the Application names.
    pub stage: &'a StageName,
    /// What the source claims.
    pub claimed: &'a Result<Claimed, Malformed>,
    pub seen: Seen<'a>,
    pub asker: Asker,
}

/// What the asker sees of the Stage.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Nothing where there is no such Stage.
    pub status: Option<&'a StageStatus>,
    /// Read from the API server for this question, and not from a cache that may be behind.
    pub live: bool,
}

/// Who asks, with what only that asker can know.
#[derive(Clone, Copy, Debug)]
pub enum Asker {
    /// The webhook: the claim is about to be written into a spec or an operation.
    Admit,
    /// The controller: may the claim stay where it is?
    Converge,
    /// The sidecar: the claim is about to be rendered.
    Render(Option<Evidence>),
}

/// What speaks for rendering a claim that the Stage no longer holds. Read live, never from a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// An operation that began before the assignment still carries the claim: it may end what it began.
    pub operation: bool,
    /// The spec still carries the claim, and the Promotion that moves it on is at work.
    pub moving: bool,
    /// Somebody lifted the claim rules for the Application.
    pub break_glass: bool,
}

#[derive(Debug, PartialEq)]
pub enum Answer<'a> {
    /// The claim holds: this is what it stands for.
    Yes(&'a FreightCollection),
    /// Not to be answered from a cache.
    Look(Look),
    No(Check),
}

/// What has to be read live before the question is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The Stage.
    Stage,
    /// The Stage, the Application and the Promotion of the Stage's assignment.
    Evidence,
}

/// Whether an Application may have a claim. Asked again with what it said to look at, it answers yes or no.
pub fn judge<'a>(question: &Question<'a>) -> Answer<'a> {
    let Question { stage, claimed, seen, asker } = question;
    let claimed = match claimed {
        Ok(claimed) => claimed,
        Err(e) => {
            return Answer::No(
                Check::failed(
                    Code::ClaimMalformed,
                    format!("the claim in the environment of the plugin can't be read: {e}"),
                )
                .fix(REPAIR),
            );
        }
    };
    let (Some(named), Some(claim)) = (&claimed.stage, &claimed.claim) else {
        return match seen.status {
            _ if !seen.live => Answer::Look(Look::Stage),
            None => Answer::No(stage_missing(stage)),
            Some(StageStatus { assignment: None, .. }) => Answer::No(unassigned(stage)),
            Some(_) => Answer::No(
                Check::failed(Code::ClaimMissing, "the source carries no claim").fix(REPAIR),
            ),
        };
    };
    if named != *stage {
        let text = format!(
            "the source claims Freight of Stage {named}, but the Application belongs to Stage {stage}"
        );
        return Answer::No(Check::failed(Code::ClaimStage, text).fix(REPAIR));
    }
    let Some(status) = seen.status else {
        return if seen.live {
            Answer::No(stage_missing(stage))
        } else {
            Answer::Look(Look::Stage)
        };
    };
    let Some(assignment) = &status.assignment else {
        return if seen.live { Answer::No(unassigned(stage)) } else { Answer::Look(Look::Stage) };
    };
    let held = status.freight_history.iter().find(|c| c.id == claim.collection);
    if claim.generation < assignment.generation {
        return former(stage, claim, held, seen.live, *asker);
    }
    match held {
        Some(collection) if *claim == Claim::of(assignment) => Answer::Yes(collection),
        _ if !seen.live => Answer::Look(Look::Stage),
        _ => {
            let text = format!("Stage {stage} never made the assignment {claim}");
            Answer::No(Check::failed(Code::ClaimUnknown, text).fix(PROMOTE))
        }
    }
}

/// A claim of an earlier assignment: nothing new may carry it, but what began with it may end.
fn former<'a>(
    stage: &StageName,
    claim: &Claim,
    held: Option<&'a FreightCollection>,
    live: bool,
    asker: Asker,
) -> Answer<'a> {
    let outdated = |why: &str| {
        let text = format!("Stage {stage} no longer holds the assignment {claim}{why}");
        Answer::No(Check::failed(Code::ClaimOutdated, text).fix(PROMOTE))
    };
    match (asker, held) {
        (Asker::Admit | Asker::Converge, _) => outdated(""),
        (Asker::Render(_), None) => outdated(", nor is it in its history"),
        (Asker::Render(None), Some(_)) => Answer::Look(Look::Evidence),
        (Asker::Render(Some(_)), Some(_)) if !live => Answer::Look(Look::Evidence),
        (Asker::Render(Some(Evidence { operation, moving, break_glass })), Some(collection)) => {
            if operation || moving || break_glass {
                Answer::Yes(collection)
            } else {
                outdated("")
            }
        }
    }
}

impl Evidence {
    /// What a live Application says for a claim that its Stage no longer holds. `promotion` is the phase of the Promotion of
    /// the assignment; nothing where that Promotion is gone.
    pub fn of(
        app: &Application,
        stage: &StageName,
        claim: &Claim,
        assignment: &Assignment,
        promotion: Option<&str>,
    ) -> Self {
        let carries = |sources| carry(sources, stage, claim);
        let spec = carries(app.spec.sources());
        let operation = match (&app.status.operation_state, &app.operation) {
            (Some(state), _) if state.in_progress() => {
                let explicit = state.operation.sync.as_ref().is_some_and(|s| carries(s.sources()));
                let result = state.sync_result.as_ref().is_some_and(|r| carries(r.sources()));
                // `startedAt` is cut to the second, so an operation of the same second counts as begun before.
                (explicit || result)
                    && state.started_at.is_some_and(|t| t <= assignment.assigned_at)
            }
            _ => false,
        };
        let over = promotion.is_none_or(is_terminal);
        Self {
            operation,
            moving: spec && !over,
            break_glass: app.annotation(BREAK_GLASS).is_some(),
        }
    }
}

/// Whether a Promotion in this phase has ended.
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed" | "Errored" | "Aborted")
}

/// What a Stage is to hold once `freight` is promoted to it: the other origins stay as they are assigned now.
pub fn target(
    status: &StageStatus,
    requested: &[FreightRequest],
    freight: FreightReference,
) -> FreightCollection {
    let mut target = FreightCollection::default();
    let held = status.freight_history.first().into_iter().flat_map(|c| c.items.values());
    let kept = held.filter(|f| requested.iter().any(|r| r.origin == f.origin)).cloned();
    freight::push(&mut target, kept.chain([freight]).collect::<Vec<_>>());
    target
}

/// Who assigns, and why.
#[derive(Clone, Debug)]
pub struct Reason {
    pub promotion: String,
    pub actor: String,
    pub reason: String,
}

/// Makes `collection` what the Stage holds. Written with the resourceVersion of the status it was made from, this is the
/// commit point of a promotion.
pub fn assign(
    status: &mut StageStatus,
    mut collection: FreightCollection,
    by: Reason,
    now: Timestamp,
) {
    if status.freight_history.first().is_some_and(|held| held.id == collection.id) {
        let held = status.freight_history.remove(0);
        collection.verification_history = held.verification_history;
    }
    let Reason { promotion, actor, reason } = by;
    status.assignment = Some(Assignment {
        generation: status.assignment.as_ref().map_or(0, |a| a.generation) + 1,
        collection: collection.id.clone(),
        promotion,
        actor,
        reason,
        assigned_at: now,
    });
    status.freight_history.insert(0, collection);
    status.freight_history.truncate(HISTORY);
}

/// Whether a Stage's status may be written as `new`: what the Stage holds changes by an assignment and by nothing else.
///
/// It holds for our own controllers too, so that a status put together from an old copy can't undo an assignment.
pub fn lawful(old: &StageStatus, new: &StageStatus) -> Result<(), Check> {
    let unlawful = |text: &str| {
        Err(Check::failed(Code::StatusGuard, text)
            .fix("Read the Stage again and write only what follows from that"))
    };
    let held = |s: &StageStatus| s.freight_history.first().map(|c| (c.id.clone(), c.items.clone()));
    if new.assignment == old.assignment {
        if held(new) != held(old) {
            return unlawful("freightHistory[0] changes without an assignment");
        }
        return Ok(());
    }
    let Some(assignment) = &new.assignment else {
        return unlawful("assignment can't be removed");
    };
    let before = old.assignment.as_ref().map_or(0, |a| a.generation);
    if assignment.generation != before + 1 {
        return unlawful("assignment.generation does not follow the one before it");
    }
    let Some(head) = new.freight_history.first() else {
        return unlawful("assignment without freightHistory");
    };
    if head.id != assignment.collection
        || head.id != freight::collection_id(head.items.values().map(|f| f.name.as_str()))
    {
        return unlawful("assignment.collection is not the id of freightHistory[0]");
    }
    let ids =
        |history: &[FreightCollection]| history.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
    let mut expected = ids(&old.freight_history);
    if expected.first() == Some(&head.id) {
        expected.remove(0);
    }
    expected.truncate(HISTORY - 1);
    if ids(&new.freight_history[1..]) != expected {
        return unlawful("freightHistory loses or changes what came before the assignment");
    }
    Ok(())
}

const REPAIR: &str = "Wharfinger's controller repairs it within seconds; if it does not, look at its log and at the Stage";
const PROMOTE: &str = "What an Application deploys changes by a promotion of its Stage: wharf promote, or wharf rollback";

fn stage_missing(stage: &StageName) -> Check {
    Check::failed(Code::StageMissing, format!("there is no Stage {} in Project {}", stage.stage, stage.project))
        .fix("Create it and promote Freight to it, or change the annotation kargo.akuity.io/authorized-stage")
}

fn unassigned(stage: &StageName) -> Check {
    Check::failed(Code::Unassigned, format!("Stage {stage} holds no Freight yet")).fix(format!(
        "Promote Freight to it: wharf promote --project {} --stage {}",
        stage.project, stage.stage
    ))
}

#[cfg(test)]
mod tests;
