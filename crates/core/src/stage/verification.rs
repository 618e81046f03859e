//! Verification of what a Stage holds.
//!
//! A Stage without `spec.verification` has its Freight verified as soon as it is healthy. What `spec.verification` asks for is
//! not carried out by this version, so Freight in a Stage that has it stays unverified there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use wharfinger_api::v1alpha1::{FreightCollection, Stage, StageStatus, VerificationInfo};

use super::conditions::is_healthy;
use super::is_control_flow;
use crate::freight::sha1;
use crate::promotion::second;

/// How many verifications a FreightCollection remembers.
const HISTORY: usize = 10;

/// The newest verification of a FreightCollection that was successful. A later failure takes nothing back.
pub fn verified(collection: &FreightCollection) -> Option<&VerificationInfo> {
    collection.verification_history.iter().find(|v| v.phase == "Successful")
}

/// The Freight that was verified in a Stage, of all that its history holds, and when it first was.
pub fn verified_freight(status: &StageStatus) -> BTreeMap<&str, &Time> {
    let mut all = BTreeMap::new();
    for collection in &status.freight_history {
        let history = collection.verification_history.iter().filter(|v| v.phase == "Successful");
        // Newest first, so the oldest is what stays.
        for at in history.filter_map(|v| v.finish_time.as_ref()) {
            all.extend(collection.items.values().map(|f| (f.name.as_str(), at)));
        }
    }
    all
}

/// Records that what a Stage holds is verified, where it asks for nothing but health. `succeeded` is whether the Promotion that
/// brought it here has.
pub(super) fn record(status: &mut StageStatus, stage: &Stage, succeeded: bool, now: Timestamp) {
    let healthy = status.health.as_ref().is_some_and(is_healthy);
    let asks = stage.spec.verification.is_some() || is_control_flow(stage);
    let Some(assignment) = &status.assignment else { return };
    let Some(held) = status.freight_history.first_mut() else { return };
    if asks || !healthy || !succeeded || verified(held).is_some() {
        return;
    }
    let uid = stage.metadata.uid.as_deref().unwrap_or_default();
    let id = uuid(&sha1(&format!("{uid}/{}", assignment.generation)));
    let now = Some(second(now));
    let info = VerificationInfo {
        id,
        start_time: now.clone(),
        phase: "Successful".into(),
        finish_time: now,
        ..Default::default()
    };
    held.verification_history.insert(0, info);
    held.verification_history.truncate(HISTORY);
}

/// A hash in the form that readers of the field expect. The same assignment has the same one, whoever works it out again.
fn uuid(hash: &str) -> String {
    format!(
        "{}-{}-5{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..32]
    )
}
