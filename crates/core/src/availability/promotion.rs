//! Whether what a Promotion asks for is available to its Stage.

use jiff::Timestamp;
use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{Freight, FreightCollection, Promotion, ROLLBACK, Stage};

use super::{Names, Upstream, availability, requests, unavailable};
use crate::check::{Check, Code};
use crate::promotion::annotation;

/// What a Promotion brings to its Stage.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    Freight(&'a Freight),
    /// What the Stage held before, as its history has it.
    Former(&'a FreightCollection),
}

/// The names of the Freight that has to be looked at before a Promotion is judged.
pub fn needed<'a>(stage: &'a Stage, promotion: &'a Promotion) -> Vec<&'a str> {
    match annotation(promotion, COLLECTION) {
        None => promotion.spec.freight.as_deref().into_iter().collect(),
        Some(id) if verified(stage, id) => vec![],
        Some(id) => {
            let items = former(stage, id).into_iter().flat_map(|c| c.items.values());
            items.map(|f| f.name.as_str()).collect()
        }
    }
}

/// What a Promotion brings to its Stage, if that is available to it. `freights` is what was found under the names that
/// [`needed`] gives.
///
/// A rollback (annotation `kargo.akuity.io/rollback` or `wharfinger.dev/collection`) to what was verified in this very Stage
/// is always available. Kargo judges it as any other promotion, which comes to the same, since verification upstream is
/// never withdrawn; unless the Stage came to ask for more meanwhile (a longer soak, another Stage upstream). Who rolls back
/// in an emergency asks for what has worked here, so that is enough. What has not is judged as any promotion is, each piece
/// of Freight in a FreightCollection by itself.
pub fn promotable<'a>(
    stage: &'a Stage,
    promotion: &Promotion,
    freights: &[&'a Freight],
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Result<Wanted<'a>, Check> {
    let name = promotion.spec.freight.as_deref().unwrap_or_default();
    let Some(id) = annotation(promotion, COLLECTION) else {
        let freight = one(stage, name, freights)?;
        let rollback = annotation(promotion, ROLLBACK) == Some("true");
        judge(stage, freight, rollback, upstream, now)?;
        return Ok(Wanted::Freight(freight));
    };
    let Some(collection) = former(stage, id) else {
        let text = format!(
            "the history of Stage {} does not hold the FreightCollection {id}",
            Names::stage(stage)
        );
        return Err(Check::failed(Code::Freight, text).fix("Promote the Freight itself"));
    };
    if collection.items.values().all(|f| f.name != name) {
        let text = format!("the FreightCollection {id} does not hold the Freight {name:?}");
        return Err(Check::failed(Code::Freight, text)
            .fix("Set spec.freight to the name of Freight that is in it"));
    }
    for name in needed(stage, promotion) {
        judge(stage, one(stage, name, freights)?, true, upstream, now)?;
    }
    Ok(Wanted::Former(collection))
}

fn one<'a>(stage: &Stage, name: &str, freights: &[&'a Freight]) -> Result<&'a Freight, Check> {
    let found = freights.iter().find(|f| f.metadata.name.as_deref() == Some(name)).copied();
    found.ok_or_else(|| {
        let project = stage.metadata.namespace.as_deref().unwrap_or_default();
        Check::failed(Code::Freight, format!("there is no Freight {name:?} in Project {project}"))
            .fix(format!("Name one that is there: wharf get freight -p {project}"))
    })
}

fn judge(
    stage: &Stage,
    freight: &Freight,
    rollback: bool,
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Result<(), Check> {
    if rollback && requests(stage, freight).next().is_some() && worked(stage, freight) {
        return Ok(());
    }
    let checks = availability(stage, freight, upstream, now);
    unavailable(stage, freight, &checks).map_or(Ok(()), Err)
}

/// Whether Freight was verified in the Stage that it is now promoted to again.
fn worked(stage: &Stage, freight: &Freight) -> bool {
    let name = stage.metadata.name.as_deref().unwrap_or_default();
    freight.status.as_ref().is_some_and(|s| s.verified_in.contains_key(name))
}

/// What a Stage held before, as its history has it.
pub(crate) fn former<'s>(stage: &'s Stage, id: &str) -> Option<&'s FreightCollection> {
    history(stage, id).next()
}

/// Whether a FreightCollection was verified in the Stage, whenever it held it.
fn verified(stage: &Stage, id: &str) -> bool {
    history(stage, id).any(|c| crate::stage::verified(c).is_some())
}

fn history<'s>(stage: &'s Stage, id: &str) -> impl Iterator<Item = &'s FreightCollection> {
    stage.status.iter().flat_map(|s| &s.freight_history).filter(move |c| c.id == id)
}
