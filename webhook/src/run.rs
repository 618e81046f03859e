//! Puts the parts together.

use std::sync::Mutex;

use axum::Router;
use kube::Client;
use prometheus_client::registry::Registry;
use ulid::{Generator, Ulid};
use wharfinger_core::admission::Identities;
use wharfinger_daemon::{Clock, Readiness, Tasks};

use crate::cache::Caches;
use crate::door::{Service, router};
use crate::event::Events;
use crate::find::Cluster;
use crate::metrics::Metrics;

/// Makes what is new in the name of a Promotion. Each one sorts after the one before.
pub type MakeUlid = Box<dyn FnMut() -> Ulid + Send>;

/// From the time, and each greater than the one before.
pub(crate) fn ulids() -> MakeUlid {
    let mut generator = Generator::new();
    Box::new(move || generator.generate().unwrap_or_else(|_| Ulid::generate()))
}

/// The webhook, before it answers.
pub struct Webhook {
    client: Client,
    identities: Identities,
    clock: Clock,
    ulid: MakeUlid,
    #[cfg(feature = "fault-points")]
    pub(crate) hold: crate::fault::Hold,
}

impl Webhook {
    pub fn new(client: Client, identities: Identities, clock: Clock, ulid: MakeUlid) -> Self {
        Self {
            client,
            identities,
            clock,
            ulid,
            #[cfg(feature = "fault-points")]
            hold: crate::fault::Hold::default(),
        }
    }

    /// Spawns what keeps it informed on `tasks`, and returns what answers.
    pub fn start(
        self,
        readiness: &Readiness,
        registry: &mut Registry,
        tasks: &mut Tasks,
    ) -> Router {
        let caches = Caches::fill(
            &self.client,
            readiness,
            tasks,
            #[cfg(feature = "fault-points")]
            &self.hold,
        );
        router(Service {
            identities: self.identities,
            clock: self.clock,
            events: Events::write(self.client.clone(), tasks),
            cluster: Cluster { client: self.client, caches },
            metrics: Metrics::register(registry),
            ulid: Mutex::new(self.ulid),
        })
    }
}
