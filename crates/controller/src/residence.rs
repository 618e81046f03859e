//! `Freight.status`: `currentlyIn` and `verifiedIn`, written where they differ from what the Stage says.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{Freight, Promotion, StageStatus};
use wharfinger_core::stage::{residence, resident, verified_freight};

use crate::apply::{self, Error};
use crate::store::Key;
use crate::world::World;

/// Brings the Freight of a Stage's Project to say what the Stage says.
pub(crate) async fn settle(
    world: &World,
    stage: &Key,
    status: &StageStatus,
    promotions: &[Arc<Promotion>],
    now: Timestamp,
) -> Result<(), Error> {
    if !world.freights_listed() {
        return Ok(());
    }
    let (held, since) = residence(status, promotions);
    let verified = verified_freight(status);
    let unmarked = verified.keys().filter(|name| {
        let known = world.freights.get(&Key::new(&stage.namespace, **name));
        known.is_some_and(|f| {
            f.status.as_ref().is_none_or(|s| !s.verified_in.contains_key(&stage.name))
        })
    });
    let unmarked: BTreeSet<_> = unmarked.map(|name| (*name).to_owned()).collect();
    let there = world.freights.of_stage(stage);
    let there: BTreeSet<_> = there.iter().filter_map(|f| f.metadata.name.clone()).collect();
    // Where the Promotion has not succeeded, Freight leaves and none comes.
    let coming = held.difference(&there).filter(|_| since.is_some());
    let leaving = there.difference(&held);
    let changing: BTreeSet<_> = coming.chain(leaving).chain(&unmarked).collect();
    for name in changing {
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
        let patch = resident(
            &known,
            &stage.name,
            held.contains(name),
            since.as_ref(),
            verified.get(name.as_str()).copied(),
            now,
        );
        let current = match patch {
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
        world.freight_answered(current);
    }
    Ok(())
}
