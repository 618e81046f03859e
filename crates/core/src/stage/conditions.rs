//! `Promoting`, `Healthy`, `Verified` and `Ready` (`kargo-semantics.md` §4.3).

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use wharfinger_api::v1alpha1::{Health, Stage, StageStatus};

pub(super) fn set(status: &mut StageStatus, stage: &Stage, now: Timestamp) {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let condition = |kind: &str, (state, reason, message): (&str, String, String)| Condition {
        type_: kind.into(),
        status: state.into(),
        reason,
        message,
        observed_generation: stage.metadata.generation,
        last_transition_time: Time(now),
    };
    let current = status.current_promotion.as_ref();
    let busy = current.map(|current| format!("Promotion {:?} is currently Running", current.name));
    let mut all = std::mem::take(&mut status.conditions);
    match &busy {
        Some(message) => super::set(
            &mut all,
            condition("Promoting", ("True", "ActivePromotion".into(), message.clone())),
        ),
        None => all.retain(|c| c.type_ != "Promoting"),
    }
    if super::is_control_flow(stage) {
        all.retain(|c| !matches!(c.type_.as_str(), "Healthy" | "Verified"));
        let text = "Stage has no promotion steps; it passes Freight on";
        super::set(&mut all, condition("Ready", ("True", "ControlFlow".into(), text.into())));
        status.conditions = all;
        return;
    }
    let healthy = healthy(status, busy.as_deref());
    let verified = verified(status, stage);
    let ready = if let Some(message) = busy {
        ("False", "ActivePromotion".into(), message)
    } else if healthy.0 != "True" {
        ("False", healthy.1.clone(), healthy.2.clone())
    } else if verified.0 != "True" {
        ("False", verified.1.clone(), verified.2.clone())
    } else {
        ("True", healthy.1.clone(), healthy.2.clone())
    };
    super::set(&mut all, condition("Healthy", healthy));
    super::set(&mut all, condition("Verified", verified));
    super::set(&mut all, condition("Ready", ready));
    status.conditions = all;
}

fn healthy(status: &StageStatus, busy: Option<&str>) -> (&'static str, String, String) {
    if let Some(message) = busy {
        return ("Unknown", "ActivePromotion".into(), message.into());
    }
    let last = status.last_promotion.as_ref().and_then(|p| p.status.as_ref());
    if let Some(last) = last.filter(|last| last.phase != "Succeeded") {
        return ("Unknown", format!("LastPromotion{}", last.phase), last.message.clone());
    }
    if status.assignment.is_none() {
        return ("Unknown", "NoFreight".into(), "Stage has no current Freight".into());
    }
    let Some(health) = &status.health else {
        return (
            "Unknown",
            "WaitingForHealthCheck".into(),
            "Waiting for health check to be performed after promotion".into(),
        );
    };
    let state = match health.status.as_str() {
        _ if is_healthy(health) => "True",
        "Unhealthy" => "False",
        _ => "Unknown",
    };
    let message = match health.issues.as_slice() {
        [] => format!("Stage is {}", health.status.to_lowercase()),
        issues => issues.join("; "),
    };
    // What Argo CD says may be long; a condition may not.
    let message = message.chars().take(4096).collect();
    (state, health.status.clone(), message)
}

/// Nothing that is looked after is unhealthy: perhaps because there is nothing.
pub(super) fn is_healthy(health: &Health) -> bool {
    matches!(health.status.as_str(), "Healthy" | "NotApplicable")
}

fn verified(status: &StageStatus, stage: &Stage) -> (&'static str, String, String) {
    let said = |state, reason: &str, message: &str| (state, reason.into(), message.into());
    match status.freight_history.first() {
        None => said("Unknown", "NoFreight", "Stage has no current Freight"),
        Some(held) if super::verified(held).is_some() => {
            said("True", "Verified", "Freight has been verified")
        }
        Some(_) if stage.spec.verification.is_some() => said(
            "False",
            "VerificationError",
            "This version of Wharfinger does not carry out spec.verification, so Freight is not verified here; approve it for the Stages downstream",
        ),
        Some(_) => said(
            "Unknown",
            "WaitingForVerification",
            "Freight is verified when it was promoted with success and the Stage is healthy",
        ),
    }
}
