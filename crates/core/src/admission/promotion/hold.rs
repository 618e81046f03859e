//! Promotions by hand and automatic ones: who chooses other Freight than automatic promotion would holds it back, and who
//! chooses the same lets it go on.

use serde_json::Value;
use wharfinger_api::v1alpha1::{AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME, Promotion, Stage};

use super::{Context, Stop, freight};
use crate::claim::StageName;
use crate::policy::auto_promotion;
use crate::promotion::by_machine;

/// Writes into a new Promotion what it means for automatic promotion. What its sender says about that does not count.
pub(super) fn intend(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
    metadata: &mut Value,
) -> Result<(), Stop> {
    let intent = intent(context, on, stage, promotion)?;
    if let Some(annotations) = metadata["annotations"].as_object_mut() {
        annotations.retain(|key, _| key != AUTO_PROMOTION_HOLD && key != AUTO_PROMOTION_RESUME);
    }
    if let Some((key, origin)) = intent {
        metadata["annotations"][key] = origin.into();
    }
    Ok(())
}

fn intent(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
) -> Result<Option<(&'static str, String)>, Stop> {
    if context.by_controller() && by_machine(promotion) {
        return Ok(None);
    }
    // Asked again before a policy that was mended a moment ago denies anything.
    let enabled = match auto_promotion(context.facts.config(&on.project)?, stage) {
        Ok(enabled) => enabled,
        Err(_) => auto_promotion(context.facts.config_live(&on.project)?, stage)?,
    };
    let name = promotion.spec.freight.as_deref().unwrap_or_default();
    let chosen = if enabled { freight::one(context, on, name)? } else { None };
    let Some(chosen) = chosen else { return Ok(None) };
    let candidate = freight::chosen(context, on, stage, &chosen.origin)?;
    let same = candidate.is_ok_and(|c| c.metadata.name == chosen.metadata.name);
    let key = if same { AUTO_PROMOTION_RESUME } else { AUTO_PROMOTION_HOLD };
    Ok(Some((key, chosen.origin.to_string())))
}
