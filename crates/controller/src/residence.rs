//! `Freight.status.currentlyIn`: written where it differs from what the Stage holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{Freight, Promotion, StageStatus};
use wharfinger_core::stage::{residence, resident};

use crate::apply::{self, Error};
use crate::store::Key;
use crate::world::{World, prune_freight};

/// Brings the Freight of a Stage's Project to say what the Stage says.
pub(crate) async fn settle(
    world: &World,
    stage: &Key,
    status: &StageStatus,
    promotions: &[Arc<Promotion>],
    now: Timestamp,
) -> Result<(), Error> {
    let (held, since) = residence(status, promotions);
    let there = world.freights.of_stage(stage);
    let there: BTreeSet<_> = there.iter().filter_map(|f| f.metadata.name.clone()).collect();
    // Where the Promotion has not succeeded, Freight leaves and none comes.
    let coming = held.difference(&there).filter(|_| since.is_some());
    let leaving = there.difference(&held);
    for name in coming.chain(leaving) {
        let key = Key::new(&stage.namespace, name);
        let freight: Freight = match apply::live(&world.client, &key).await {
            Ok(freight) => freight,
            Err(Error::Gone) => {
                world.freights.gone(&key);
                continue;
            }
            Err(e) => return Err(e),
        };
        let known = freight.status.clone().unwrap_or_default();
        let mut current =
            match resident(&known, &stage.name, held.contains(name), since.as_ref(), now) {
                None => freight,
                Some(patch) => match apply::freight_status(&world.client, &freight, &patch).await {
                    Ok(freight) => freight,
                    // Somebody approves it, say. The Stage is looked at again, and the Freight with it.
                    Err(Error::Stale | Error::Gone) => {
                        world.stage_waker.wake(stage.clone());
                        continue;
                    }
                    Err(e) => return Err(e),
                },
            };
        prune_freight(&mut current);
        // This may be the first time that it is in a Stage, so it is taken in though it was not kept before.
        if let Some(change) = world.freights.seen(current) {
            world.freight_changed(&change);
        }
    }
    Ok(())
}
