//! Control-flow Stages: what is available to them counts as verified there, so that it may go on.

use jiff::Timestamp;
use wharfinger_api::v1alpha1::Stage;
use wharfinger_core::stage::{Passage, passage};

use crate::apply::{self, Error};
use crate::world::{World, origin_key};

/// Passes on what is available to a Stage now. Says when time alone will make more available.
pub(crate) async fn pass_on(
    world: &World,
    stage: &Stage,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    if !world.freights_listed() || stage.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let namespace = stage.metadata.namespace.as_deref().unwrap_or_default();
    let mut next = None;
    for request in &stage.spec.requested_freight {
        for freight in world.freights.of_stage(&origin_key(namespace, &request.origin)) {
            let patch = match passage(stage, &freight, now) {
                Passage::Now(patch) => patch,
                Passage::At(at) => {
                    next = Some(next.map_or(at, |next: Timestamp| next.min(at)));
                    continue;
                }
                Passage::Rest => continue,
            };
            match apply::freight_status(&world.client, &freight, &patch).await {
                Ok(freight) => world.freight_answered(freight),
                // What the watch shows next is judged again.
                Err(Error::Stale | Error::Gone) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(next)
}
