//! The commit: what a Stage's status becomes when a Promotion assigns.

use jiff::Timestamp;
use wharfinger_api::additions::REASON;
use wharfinger_api::v1alpha1::{
    CREATE_ACTOR, Freight, FreightCollection, FreightReference, Promotion, PromotionReference,
    Stage, StageStatus,
};

use super::{annotation, name};
use crate::assignment::{self, Reason};
use crate::availability::{Upstream, Wanted, promotable};
use crate::check::Check;

/// The Stage's status with the assignment in it. `freights` is what was found in the Stage's own namespace under the names
/// that [`crate::availability::needed`] gives. An error ends the Promotion; nothing is assigned.
///
/// It is to be written with the resourceVersion of `stage`, and worked out again from the Stage that is there if that fails.
pub fn commit(
    stage: &Stage,
    promotion: &Promotion,
    freights: &[&Freight],
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Result<StageStatus, Check> {
    let wanted = promotable(stage, promotion, freights, upstream, now)?;
    let mut status = stage.status.clone().unwrap_or_default();
    let target = match wanted {
        // The same Freight, whose verification then counts anew.
        Wanted::Former(collection) => {
            FreightCollection { verification_history: vec![], ..collection.clone() }
        }
        Wanted::Freight(freight) => assignment::target(
            &status,
            &stage.spec.requested_freight,
            crate::freight::reference(freight),
        ),
    };
    let text = |key| annotation(promotion, key).unwrap_or_default().to_owned();
    let freight = reference(promotion, &target);
    let by = Reason {
        promotion: name(promotion).into(),
        actor: text(CREATE_ACTOR),
        reason: text(REASON),
    };
    assignment::assign(&mut status, target, by, now);
    status.current_promotion =
        Some(PromotionReference { name: name(promotion).into(), freight, ..Default::default() });
    Ok(status)
}

/// The Freight that a Promotion names, as the collection holds it.
pub(super) fn reference(
    promotion: &Promotion,
    collection: &FreightCollection,
) -> Option<FreightReference> {
    let wanted = promotion.spec.freight.as_deref()?;
    collection.items.values().find(|f| f.name == wanted).cloned()
}
