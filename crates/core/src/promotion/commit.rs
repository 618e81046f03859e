//! The commit: what a Stage's status becomes when a Promotion assigns.

use jiff::Timestamp;
use wharfinger_api::additions::{COLLECTION, REASON};
use wharfinger_api::v1alpha1::{
    CREATE_ACTOR, Freight, FreightCollection, FreightReference, Promotion, PromotionReference,
    Stage, StageStatus,
};

use super::{annotation, name};
use crate::assignment::{self, Reason};
use crate::check::{Check, Code};

/// The Stage's status with the assignment in it. `freight` is what was found under the name that the Promotion gives, in the
/// Stage's own namespace. An error ends the Promotion; nothing is assigned.
///
/// It is to be written with the resourceVersion of `stage`, and worked out again from the Stage that is there if that fails.
pub fn commit(
    stage: &Stage,
    promotion: &Promotion,
    freight: Option<&Freight>,
    now: Timestamp,
) -> Result<StageStatus, Check> {
    let mut status = stage.status.clone().unwrap_or_default();
    let target = match annotation(promotion, COLLECTION) {
        Some(id) => former(&status, id)?,
        None => assignment::target(
            &status,
            &stage.spec.requested_freight,
            requested(stage, promotion, freight)?,
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

/// What a rollback goes back to: the same Freight, whose verification then counts anew.
fn former(status: &StageStatus, id: &str) -> Result<FreightCollection, Check> {
    let found = status.freight_history.iter().find(|c| c.id == id);
    found.map(|c| FreightCollection { verification_history: vec![], ..c.clone() }).ok_or_else(
        || {
            Check::failed(
                Code::Freight,
                format!("the Stage's history does not hold the FreightCollection {id}"),
            )
            .fix("Promote the Freight itself")
        },
    )
}

fn requested(
    stage: &Stage,
    promotion: &Promotion,
    freight: Option<&Freight>,
) -> Result<FreightReference, Check> {
    let Some(freight) = freight else {
        let wanted = promotion.spec.freight.as_deref().unwrap_or_default();
        return Err(Check::failed(
            Code::Freight,
            format!("there is no Freight {wanted:?} in the Stage's Project"),
        ));
    };
    if !stage.spec.requested_freight.iter().any(|r| r.origin == freight.origin) {
        let text = format!("the Stage does not request Freight of {}", freight.origin);
        return Err(Check::failed(Code::Freight, text));
    }
    Ok(crate::freight::reference(freight))
}

/// The Freight that a Promotion names, as the collection holds it.
pub(super) fn reference(
    promotion: &Promotion,
    collection: &FreightCollection,
) -> Option<FreightReference> {
    let wanted = promotion.spec.freight.as_deref()?;
    collection.items.values().find(|f| f.name == wanted).cloned()
}
