//! Puts the parts together.

use std::sync::Arc;

use kube::Client;
use tokio::sync::oneshot;
use wharfinger_daemon::{Clock, Readiness, Tasks};

use crate::fault::Faults;
use crate::queue::queue;
use crate::watch::{Into, watch};
use crate::world::{World, prune_application, prune_freight};
use crate::{application, recover, stage};

/// The controller, before it works.
pub struct Controller {
    pub client: Client,
    /// How many Stages, and how many Applications, are worked on at the same time.
    pub workers: usize,
    pub clock: Clock,
    pub faults: Faults,
}

impl Controller {
    /// Spawns everything it does on `tasks`.
    pub fn start(self, readiness: &Readiness, tasks: &mut Tasks) {
        start(self, readiness, tasks);
    }
}

/// The same, for those who have to do with what the workers share.
pub(crate) fn start(
    controller: Controller,
    readiness: &Readiness,
    tasks: &mut Tasks,
) -> Arc<World> {
    let Controller { client, workers, clock, faults } = controller;
    let (stage_waker, stages) = queue();
    let (application_waker, applications) = queue();
    let world = Arc::new(World::new(client, clock, stage_waker, application_waker, faults));
    let mut listed = vec![];

    macro_rules! watching {
        ($kind:literal, $store:ident, $changed:ident, $prune:expr) => {{
            let (ready, is_ready) = oneshot::channel();
            let (world, gate, shutdown) = (world.clone(), readiness.gate($kind), tasks.shutdown());
            tasks.spawn($kind, async move {
                let changed = |change: &_| world.$changed(change);
                let into = Into { store: &world.$store, prune: $prune, changed: &changed };
                watch(world.client.clone(), into, gate, ready, shutdown).await
            });
            is_ready
        }};
    }
    listed.push(watching!("stages", stages, stage_changed, |s| s.metadata.managed_fields = None));
    listed.push(watching!("promotions", promotions, promotion_changed, |p| p
        .metadata
        .managed_fields =
        None));
    listed.push(watching!("projectconfigs", configs, config_changed, |c| {
        c.metadata.managed_fields = None;
        c.status = None;
    }));
    listed.push(watching!("applications", applications, application_changed, prune_application));
    // No Promotion has to wait for it: it only shows where Freight has to come and leave.
    let freights = watching!("freights", freights, freight_changed, prune_freight);

    let (ready, workers_ready) = oneshot::channel();
    let (shutdown, listing) = (tasks.shutdown(), world.clone());
    tasks.spawn("listing", async move {
        // Nothing is decided before everything was seen once: half a picture looks like a Stage without Applications.
        for one in listed {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = one => {}
            }
        }
        ready.send(()).ok();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = freights => listing.freights_are_listed(),
        }
        shutdown.cancelled().await;
        Ok(())
    });
    let (shutdown, shared) = (tasks.shutdown(), world.clone());
    tasks.spawn("workers", async move {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = workers_ready => {}
        }
        let (a, b) = (shared.clone(), shared.clone());
        let stages =
            stages.run(workers, shutdown.clone(), move |key| stage::reconcile(a.clone(), key));
        let applications = applications
            .run(workers, shutdown.clone(), move |key| application::reconcile(b.clone(), key));
        let recover = recover::run(shared, shutdown.clone());
        futures::future::try_join3(stages, applications, recover).await.map(|_| ())
    });
    world
}
