//! Which Freight of an origin is promoted to a Stage when nobody says which.

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{Freight, FreightOrigin, FreightRequest, Stage};

use super::{Names, Upstream, availability, not_requested, passed, requests, unavailable};
use crate::check::{Check, Code};

/// The candidate of an origin, out of all Freight of it that there is; or why there is none.
pub fn candidate<'f>(
    stage: &Stage,
    origin: &FreightOrigin,
    freights: &'f [Freight],
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Result<&'f Freight, Check> {
    let request = stage.spec.requested_freight.iter().find(|r| r.origin == *origin);
    let request = request.ok_or_else(|| not_requested(stage, origin))?;
    let freights = || freights.iter().filter(|f| f.origin == *origin);
    let available = available(stage, freights(), now);
    if let Some(newest) = newest(stage, origin, &available) {
        return Ok(newest);
    }
    let to = Names::stage(stage);
    let none = |why: String| {
        let text = format!("Stage {to} has no candidate of {origin}: {why}");
        Check::failed(Code::Freight, text)
            .fix("Name the Freight in spec.freight instead of spec.origin")
    };
    let Some(latest) = freights().max_by_key(|f| age(f)) else {
        return Err(none("there is no Freight of it".into()));
    };
    match mirrored(request) {
        Some(mirrored) if available.is_empty() => {
            Err(none(format!("Stage {mirrored}, which it follows, holds none that is available")))
        }
        Some(mirrored) => Err(none(format!(
            "Stage {mirrored}, which it follows, holds {} at once",
            available.len()
        ))),
        None => {
            let checks = availability(stage, latest, upstream, now);
            let why = unavailable(stage, latest, &checks);
            Err(why.map_or_else(
                || none("none is available".into()),
                |why| Check {
                    text: format!(
                        "Stage {to} has no candidate of {origin}. The newest: {}",
                        why.text
                    ),
                    ..why
                },
            ))
        }
    }
}

/// What is available to a Stage of this Freight. Where the Stage follows the one upstream, only what that one holds now.
pub fn available<'f>(
    stage: &Stage,
    freights: impl IntoIterator<Item = &'f Freight>,
    now: Timestamp,
) -> Vec<&'f Freight> {
    let missing = |freight: &Freight, stage: &str| {
        !freight.status.as_ref().is_some_and(|s| s.currently_in.contains_key(stage))
    };
    let mirrored_out = |freight: &Freight| {
        requests(stage, freight).all(|r| mirrored(r).is_some_and(|s| missing(freight, s)))
    };
    let judged = |freight: &Freight| availability(stage, freight, &Upstream::new(), now);
    freights.into_iter().filter(|f| passed(&judged(f)) && !mirrored_out(f)).collect()
}

/// The newest Freight of an origin, out of what is available. A Stage that follows another one has no choice to make: where
/// that one holds several, there is no candidate.
pub fn newest<'f>(
    stage: &Stage,
    origin: &FreightOrigin,
    available: &[&'f Freight],
) -> Option<&'f Freight> {
    let request = stage.spec.requested_freight.iter().find(|r| r.origin == *origin)?;
    let of_origin = || available.iter().copied().filter(|f| f.origin == *origin);
    if mirrored(request).is_some() && of_origin().count() > 1 {
        return None;
    }
    of_origin().max_by_key(|f| age(f))
}

/// The Stage that another one follows in all it holds.
fn mirrored(request: &FreightRequest) -> Option<&str> {
    let sources = &request.sources;
    let policy = sources.auto_promotion_options.as_ref().map(|o| o.selection_policy.as_str());
    let follows = policy == Some("MatchUpstream") && !sources.direct;
    sources.stages.first().filter(|_| follows).map(String::as_str)
}

/// Greater for newer Freight. Of the same age it is the name that decides.
pub(super) fn age(freight: &Freight) -> (Option<Timestamp>, &str) {
    let metadata = &freight.metadata;
    let at = freight.discovered_at.as_ref().or(metadata.creation_timestamp.as_ref());
    (at.map(|t| t.0), metadata.name.as_deref().unwrap_or_default())
}
