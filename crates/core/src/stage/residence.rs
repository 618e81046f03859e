//! Which Freight is in a Stage, and since when: what soak time is counted from.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};
use wharfinger_api::v1alpha1::{FreightStatus, Promotion, StageStatus};

use crate::duration;

/// The Freight that a Stage holds, and since when it is there; no time while the Promotion that assigned it has not
/// succeeded, or is not known any more.
pub fn residence<P: Borrow<Promotion>>(
    status: &StageStatus,
    promotions: &[P],
) -> (BTreeSet<String>, Option<Time>) {
    let Some(assignment) = &status.assignment else { return Default::default() };
    let head = status.freight_history.first().filter(|c| c.id == assignment.collection);
    let held = head.into_iter().flat_map(|c| c.items.values()).map(|f| f.name.clone()).collect();
    let known = promotions
        .iter()
        .map(Borrow::borrow)
        .find(|p| p.metadata.name.as_deref() == Some(&assignment.promotion));
    let last = status.last_promotion.as_ref().filter(|l| l.name == assignment.promotion);
    let ended = known.and_then(|p| p.status.as_ref()).or_else(|| last?.status.as_ref());
    let since = ended.filter(|s| s.phase == "Succeeded").and_then(|s| s.finished_at.clone());
    (held, since)
}

/// What has to change in a Freight's status so that it says it is in `stage` since `since`, or not there; and that it was
/// verified there, if it was. A merge patch of the status; nothing where it says so already.
pub fn resident(
    freight: &FreightStatus,
    stage: &str,
    held: bool,
    since: Option<&Time>,
    verified: Option<&Time>,
    now: Timestamp,
) -> Option<Value> {
    let mut patch = Map::new();
    let mut verification = Map::new();
    let known = freight.verified_in.get(stage);
    // Once verified it stays so, since the first time.
    if let (None, Some(verified)) = (known, verified) {
        verification.insert("verifiedAt".into(), json!(verified));
    }
    match (freight.currently_in.get(stage), held) {
        // It stayed while other Freight came: it is there as long as it was.
        (Some(_), true) | (None, false) => {}
        (None, true) => {
            if let Some(since) = since {
                patch.insert("currentlyIn".into(), json!({ stage: { "since": since } }));
            }
        }
        (Some(there), false) => {
            patch.insert("currentlyIn".into(), json!({ stage: null }));
            // Soak counts only for Freight that was verified there.
            if let (true, Some(since)) = (known.is_some() || verified.is_some(), &there.since) {
                let stayed = now.duration_since(since.0);
                let longest = known.and_then(|k| duration::parse(&k.longest_soak));
                if stayed > longest.unwrap_or_default() {
                    verification.insert("longestSoak".into(), duration::write(stayed).into());
                }
            }
        }
    }
    if !verification.is_empty() {
        patch.insert("verifiedIn".into(), json!({ stage: verification }));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}
