//! What a Promotion brings: Freight that somebody names, or the candidate of an origin.

use wharfinger_api::v1alpha1::{Freight, FreightOrigin, Promotion, Stage};

use super::{Context, Stop, missing};
use crate::availability::{self, Upstream, needed, promotable};
use crate::check::{Check, Code};
use crate::claim::StageName;

/// The Freight that is promoted where only its origin is named.
pub(super) fn candidate<'a>(
    context: &Context<'a>,
    on: &StageName,
    origin: &FreightOrigin,
) -> Result<&'a Freight, Stop> {
    let now = context.review.now;
    let stage = context.facts.stage_if_any(on)?.ok_or_else(|| missing(on))?;
    if let Ok(found) = chosen(context, on, stage, origin)? {
        return Ok(found);
    }
    // As in `available`: a cache that is behind denies nothing.
    let stage = context.facts.stage_live(on)?.ok_or_else(|| missing(on))?;
    let freights = context.facts.freight_of(&on.project, origin)?;
    let upstream = upstream(context, on, stage, freights)?;
    Ok(availability::candidate(stage, origin, freights, &upstream, now)?)
}

/// The candidate of an origin, or why there is none.
pub(super) fn chosen<'a>(
    context: &Context<'a>,
    on: &StageName,
    stage: &Stage,
    origin: &FreightOrigin,
) -> Result<Result<&'a Freight, Check>, Stop> {
    let freights = context.facts.freight_of(&on.project, origin)?;
    Ok(availability::candidate(stage, origin, freights, &Upstream::new(), context.review.now))
}

/// Denies Freight that is not available to the Stage.
pub(super) fn available(
    context: &Context<'_>,
    on: &StageName,
    promotion: &Promotion,
) -> Result<(), Stop> {
    let now = context.review.now;
    let judged = |stage, upstream: &Upstream<'_>| {
        let freights = freights(context, on, stage, promotion)?;
        Ok::<_, Stop>(promotable(stage, promotion, &freights, upstream, now).map(drop))
    };
    let stage = context.facts.stage_if_any(on)?.ok_or_else(|| missing(on))?;
    if judged(stage, &Upstream::new())?.is_ok() {
        return Ok(());
    }
    // Perhaps the Stage asked for something else when this cache last saw it. If not, the denial is to be of use.
    let stage = context.facts.stage_live(on)?.ok_or_else(|| missing(on))?;
    let freights = freights(context, on, stage, promotion)?;
    let upstream = upstream(context, on, stage, freights)?;
    Ok(judged(stage, &upstream)??)
}

/// One piece of Freight of the Project, if it is there.
pub(super) fn one<'a>(
    context: &Context<'a>,
    on: &StageName,
    name: &str,
) -> Result<Option<&'a Freight>, Stop> {
    // It becomes part of a request. Every name of Freight is a hash.
    let hash =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if hash { context.facts.freight(&on.project, name) } else { Ok(None) }
}

/// What there is of the Freight that a Promotion is judged by.
fn freights<'a>(
    context: &Context<'a>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
) -> Result<Vec<&'a Freight>, Stop> {
    let mut found = vec![];
    for name in needed(stage, promotion) {
        found.extend(one(context, on, name)?);
    }
    Ok(found)
}

/// What there is of the Stages from which Freight would have to come.
fn upstream<'a>(
    context: &Context<'a>,
    on: &StageName,
    stage: &'a Stage,
    freights: impl IntoIterator<Item = &'a Freight>,
) -> Result<Upstream<'a>, Stop> {
    let mut upstream = Upstream::new();
    for name in freights.into_iter().flat_map(|f| availability::upstream_of(stage, f)) {
        if upstream.contains_key(name) {
            continue;
        }
        let known = match format!("{}:{name}", on.project).parse() {
            Ok(stage) => context.facts.stage_if_any(&stage)?,
            Err(_) => None,
        };
        upstream.insert(name, known);
    }
    Ok(upstream)
}

/// Denies what names neither Freight nor an origin, or both.
pub(super) fn named(promotion: &Promotion) -> Result<(), Check> {
    match (&promotion.spec.freight, &promotion.spec.origin) {
        (Some(_), None) => Ok(()),
        (None, Some(_)) => {
            let text = "spec.origin is still there: Wharfinger's webhook was not asked to choose the Freight";
            Err(Check::failed(Code::Freight, text)
                .fix("Look at MutatingWebhookConfiguration wharfinger: wharf doctor"))
        }
        _ => Err(Check::failed(
            Code::Freight,
            "exactly one of spec.freight and spec.origin must be set",
        )
        .fix("Set spec.freight to the name of Freight: wharf get freight; or spec.origin to the Warehouse whose newest is wanted")),
    }
}
