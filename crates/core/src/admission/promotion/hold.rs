//! Promotions by hand and automatic ones: who chooses other Freight than automatic promotion would holds it back, and who
//! chooses the same lets it go on.

use serde_json::Value;
use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{
    AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME, FreightOrigin, Promotion, Stage,
};

use super::{Context, Stop, freight, missing};
use crate::availability::former;
use crate::claim::StageName;
use crate::policy::auto_promotion;
use crate::promotion::{annotation, by_machine};

/// What a Promotion means for automatic promotion: the origins that it holds back, and those that it lets go on, each as its
/// annotation has them.
#[derive(Default, PartialEq)]
struct Intent {
    hold: Option<String>,
    resume: Option<String>,
}

/// Writes into a new Promotion what it means for automatic promotion. What its sender says about that does not count.
pub(super) fn intend(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
    metadata: &mut Value,
) -> Result<(), Stop> {
    let Intent { hold, resume } = intent(context, on, stage, promotion)?;
    for (key, origins) in [(AUTO_PROMOTION_HOLD, hold), (AUTO_PROMOTION_RESUME, resume)] {
        if let Some(origins) = origins {
            metadata["annotations"][key] = origins.into();
        } else if let Some(annotations) = metadata["annotations"].as_object_mut() {
            annotations.shift_remove(key);
        }
    }
    Ok(())
}

/// Whether a new Promotion says of automatic promotion what it means for it.
pub(super) fn intended(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
) -> Result<bool, Stop> {
    let said = |key| annotation(promotion, key).map(str::to_owned);
    let said = Intent { hold: said(AUTO_PROMOTION_HOLD), resume: said(AUTO_PROMOTION_RESUME) };
    if said == intent(context, on, stage, promotion)? {
        return Ok(true);
    }
    // The one that put it in may have seen what this cache has not.
    context.facts.config_live(&on.project)?;
    let stage = context.facts.stage_live(on)?.ok_or_else(|| missing(on))?;
    Ok(said == intent(context, on, stage, promotion)?)
}

fn intent(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
) -> Result<Intent, Stop> {
    if context.by_controller() && by_machine(promotion) {
        return Ok(Intent::default());
    }
    // Asked again before a policy that was mended a moment ago denies anything.
    let enabled = match auto_promotion(context.facts.config(&on.project)?, stage) {
        Ok(enabled) => enabled,
        Err(_) => auto_promotion(context.facts.config_live(&on.project)?, stage)?,
    };
    if !enabled {
        return Ok(Intent::default());
    }
    let (mut hold, mut resume) = (vec![], vec![]);
    for (name, origin) in chosen(context, on, stage, promotion)? {
        let candidate = freight::chosen(context, on, stage, &origin)?;
        let same = candidate.is_ok_and(|c| c.metadata.name.as_deref() == Some(name));
        if same { &mut resume } else { &mut hold }.push(origin.to_string());
    }
    let listed = |origins: Vec<String>| Some(origins.join(",")).filter(|all| !all.is_empty());
    Ok(Intent { hold: listed(hold), resume: listed(resume) })
}

/// The Freight that somebody chooses, and where each piece comes from: the one that is named, or all that a rollback goes
/// back to.
fn chosen<'a>(
    context: &Context<'a>,
    on: &StageName,
    stage: &'a Stage,
    promotion: &'a Promotion,
) -> Result<Vec<(&'a str, FreightOrigin)>, Stop> {
    if let Some(id) = annotation(promotion, COLLECTION) {
        let collection = match former(stage, id) {
            Some(collection) => Some(collection),
            // A cache that is behind does not hold it yet. If there is none at all, the validation says so.
            None => former(context.facts.stage_live(on)?.ok_or_else(|| missing(on))?, id),
        };
        let items = collection.into_iter().flat_map(|c| c.items.values());
        return Ok(items.map(|f| (f.name.as_str(), f.origin.clone())).collect());
    }
    let name = promotion.spec.freight.as_deref().unwrap_or_default();
    let freight = freight::one(context, on, name)?;
    Ok(freight.into_iter().map(|f| (name, f.origin.clone())).collect())
}
