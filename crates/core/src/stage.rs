//! What is known about a Stage: its conditions, its health, and where its Freight is.
//!
//! Words and reasons are Kargo's, so that what reads a Stage today goes on reading it.

use std::borrow::Borrow;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use wharfinger_api::v1alpha1::{
    Health, Promotion, PromotionReference, REFRESH, Stage, StageStatus,
};

use crate::promotion::over;

mod conditions;
mod control_flow;
mod health;
mod hold;
mod residence;
mod verification;

pub use control_flow::{Passage, is_control_flow, passage};
pub use health::{Freshness, Glimpse, freshness, health};
pub use hold::hold;
pub use residence::{residence, resident};
pub use verification::{verified, verified_freight};

/// The status of a Stage as it is to be, from what it is. What the Stage holds stays as it is.
///
/// `health` is left out while nothing new is known.
pub fn observe<P: Borrow<Promotion>>(
    stage: &Stage,
    promotions: &[P],
    health: Option<Health>,
    now: Timestamp,
) -> StageStatus {
    let mut status = stage.status.clone().unwrap_or_default();
    fold(&mut status, promotions);
    let annotations = stage.metadata.annotations.as_ref();
    if let Some(asked) = annotations.and_then(|a| a.get(REFRESH)) {
        status.last_handled_refresh.clone_from(asked);
    }
    status.observed_generation = stage.metadata.generation;
    status.freight_summary = summary(stage, &status);
    if health.is_some() {
        status.health = health;
        let succeeded = residence(&status, promotions).1.is_some();
        verification::record(&mut status, stage, succeeded, now);
    }
    conditions::set(&mut status, stage, now);
    status
}

/// Takes ended Promotions into the Stage's status: the last that ended, and none at work that is not.
///
/// Unlike Kargo's, one that was aborted before its turn came leaves no trace: it did nothing to the Stage.
pub fn fold<P: Borrow<Promotion>>(status: &mut StageStatus, promotions: &[P]) {
    let newest = promotions.iter().map(Borrow::borrow).max_by_key(|p| end(p));
    if let Some(newest) = newest.filter(|p| end(p) > last(status)) {
        status.last_promotion = newest.status.clone().map(|mut status| {
            // The Promotion has it, and it may be large.
            status.state = serde_json::Value::Null;
            PromotionReference {
                name: newest.metadata.name.clone().unwrap_or_default(),
                freight: status.freight.clone(),
                finished_at: status.finished_at.clone(),
                status: Some(status),
            }
        });
    }
    let at_work = |name: &str| {
        let mut all = promotions.iter().map(Borrow::borrow);
        all.any(|p| p.metadata.name.as_deref() == Some(name) && !over(p))
    };
    if status.current_promotion.as_ref().is_some_and(|current| !at_work(&current.name)) {
        status.current_promotion = None;
    }
}

/// Orders Promotions by their end. Nothing for one that has not ended, or has never begun.
fn end(promotion: &Promotion) -> Option<(Option<&Time>, &str)> {
    let status = promotion.status.as_ref().filter(|s| over(promotion) && s.started_at.is_some())?;
    Some((status.finished_at.as_ref(), promotion.metadata.name.as_deref().unwrap_or_default()))
}

/// The end up to which Promotions are in a Stage's status.
fn last(status: &StageStatus) -> Option<(Option<&Time>, &str)> {
    status.last_promotion.as_ref().map(|p| (p.finished_at.as_ref(), &*p.name))
}

fn summary(stage: &Stage, status: &StageStatus) -> String {
    if is_control_flow(stage) {
        return "N/A".into();
    }
    let requested = &stage.spec.requested_freight;
    let head = status.freight_history.first();
    let held: Vec<_> =
        requested.iter().filter_map(|r| head?.items.get(&r.origin.to_string())).collect();
    match (requested.len(), held.first()) {
        (1, Some(freight)) => freight.name.clone(),
        (n, _) => format!("{}/{n} Fulfilled", held.len()),
    }
}

/// As Kubernetes sets conditions: the time is that of the last change of `status`.
fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    match conditions.iter_mut().find(|c| c.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests;
