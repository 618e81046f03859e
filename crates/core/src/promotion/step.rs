//! How far the steps of a Promotion are, once its assignment is committed.

use jiff::Timestamp;
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{Promotion, PromotionStatus, StageStatus, StepExecutionMetadata};

use super::commit::reference;
use super::end::{Phase, keep_check, second};
use super::plan::{Assign, Plan};
use crate::assignment::is_terminal;
use crate::check::{Check, Code};
use crate::converge::Progress;
use crate::duration;

/// How many Applications a message names.
const NAMED: usize = 3;
/// How much of a text of somebody else's becomes part of a status.
const TEXT: usize = 1000;

/// An Application of the Stage, and how far it is.
#[derive(Clone, Debug)]
pub struct Member {
    pub namespace: String,
    pub name: String,
    pub progress: Progress,
}

/// The status of a Promotion whose assignment is committed, as it is now; and when time alone will change it.
pub fn advance(
    promotion: &Promotion,
    stage: &StageStatus,
    plan: &Plan,
    members: &[Member],
    now: Timestamp,
) -> (PromotionStatus, Option<Timestamp>) {
    let mut status = promotion.status.clone().unwrap_or_default();
    let assigned = stage.assignment.as_ref().map_or(now, |a| a.assigned_at);
    status.phase = "Running".into();
    status.started_at.get_or_insert(second(assigned));
    status.freight_collection = stage.freight_history.first().cloned();
    status.freight = status.freight_collection.as_ref().and_then(|c| reference(promotion, c));
    if !status.state.is_object() {
        status.state = json!({});
    }
    let first = usize::try_from(status.current_step).unwrap_or_default();
    for (index, step) in plan.steps.iter().enumerate().skip(first) {
        status.current_step = i64::try_from(index).unwrap_or_default();
        status.state[&step.alias] = output(stage, members);
        let mut meta = status.step_execution_metadata.get(index).cloned().unwrap_or_default();
        meta.alias.clone_from(&step.alias);
        meta.continue_on_error = step.continue_on_error;
        let began = meta
            .started_at
            .get_or_insert_with(|| second(if index == 0 { assigned } else { now }))
            .0;
        let outcome =
            wait(step, members, now >= step.timeout.map_or(Timestamp::MAX, |t| began + t));
        let (phase, message, check) = match outcome {
            Outcome::Wait(message) => {
                meta.status = "Running".into();
                meta.message.clone_from(&message);
                status.message = message;
                keep(&mut status, index, meta);
                return (status, step.timeout.map(|t| began + t));
            }
            Outcome::Done(message) => (Phase::Succeeded, message, None),
            Outcome::Ended(phase, check) => (phase, check.to_string(), Some(check)),
        };
        meta.status = phase.as_str().into();
        meta.message.clone_from(&message);
        meta.finished_at = Some(second(now));
        meta.error_count = check.as_ref().map(|_| 1);
        status.message = message;
        keep(&mut status, index, meta);
        if let Some(check) = check {
            keep_check(&mut status, &step.alias, &check);
            if !step.continue_on_error {
                break;
            }
        }
    }
    status.phase = worst(&status).as_str().into();
    status.finished_at = Some(second(now));
    debug_assert!(is_terminal(&status.phase));
    (status, None)
}

enum Outcome {
    Wait(String),
    Done(String),
    Ended(Phase, Check),
}

fn wait(step: &Assign, members: &[Member], late: bool) -> Outcome {
    if members.is_empty() {
        return if step.allow_none {
            Outcome::Done("no Application names the Stage".into())
        } else {
            let check = Check::failed(Code::NoApplications, "no Application names the Stage; it holds the Freight all the same")
                .fix("Annotate an Application with kargo.akuity.io/authorized-stage, or set `allowNone: true` in the step");
            Outcome::Ended(Phase::Failed, check)
        };
    }
    let done = members.iter().filter(|m| m.progress.done()).count();
    let summary = format!("{done} of {} Applications done", members.len());
    let failed: Vec<_> = members.iter().filter(|m| m.progress.failed()).collect();
    if let Some(first) = failed.first() {
        let code = first.progress.check.code;
        return Outcome::Ended(
            Phase::Failed,
            Check::failed(code, format!("{summary}; {}", named(&failed))),
        );
    }
    if done == members.len() {
        return Outcome::Done(summary);
    }
    let missing: Vec<_> = members.iter().filter(|m| !m.progress.done()).collect();
    let summary = format!("{summary}; {}", named(&missing));
    match step.timeout.filter(|_| late) {
        Some(timeout) => {
            let text = format!("not done within {}: {summary}", duration::write(timeout));
            Outcome::Ended(Phase::Errored, Check::failed(Code::Timeout, text))
        }
        None => Outcome::Wait(summary),
    }
}

fn named(members: &[&Member]) -> String {
    let mut parts: Vec<_> = members
        .iter()
        .take(NAMED)
        .map(|m| format!("{}/{}: {}", m.namespace, m.name, short(&m.progress.check.text)))
        .collect();
    if members.len() > NAMED {
        parts.push(format!("and {} more", members.len() - NAMED));
    }
    parts.join("; ")
}

/// What the step puts out. It has nothing in it that changes while nothing happens.
fn output(stage: &StageStatus, members: &[Member]) -> Value {
    let assignment = stage.assignment.as_ref();
    let applications = members.iter().map(|m| {
        let mut check = m.progress.check.clone();
        check.text = short(&check.text);
        json!({ "namespace": m.namespace, "name": m.name, "check": check })
    });
    json!({
        "assignment": {
            "generation": assignment.map(|a| a.generation),
            "collection": assignment.map(|a| &a.collection),
        },
        "applications": applications.collect::<Vec<_>>(),
    })
}

fn keep(status: &mut PromotionStatus, index: usize, meta: StepExecutionMetadata) {
    let all = &mut status.step_execution_metadata;
    if all.len() <= index {
        all.resize(index + 1, StepExecutionMetadata::default());
    }
    all[index] = meta;
}

/// The phase of a Promotion whose steps have ended.
fn worst(status: &PromotionStatus) -> Phase {
    let count = |s: &str| {
        status.step_execution_metadata.iter().any(|m| m.status == s && !m.continue_on_error)
    };
    if count("Errored") {
        Phase::Errored
    } else if count("Failed") {
        Phase::Failed
    } else {
        Phase::Succeeded
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
