//! Helps Argo CD out of failed renders; `core::recover` says how fast.

use std::sync::Arc;

use tokio::time::sleep_until;
use tracing::{info, warn};
use wharfinger_core::recover::{Next, Pace};
use wharfinger_daemon::Shutdown;

use crate::clock;
use crate::world::World;

pub(crate) async fn run(world: Arc<World>, shutdown: Shutdown) -> anyhow::Result<()> {
    let mut pace = Pace::default();
    loop {
        let now = world.clock.now();
        let next = pace.next(&world.failing(), now);
        let until = match next {
            Next::Refresh { key, hard } => {
                info!(application = %key, hard, "Could not be rendered; asking Argo CD to try again");
                if let Err(error) = world.refresh(&key, hard, now).await {
                    warn!(application = %key, error = &error as &dyn std::error::Error, "Asking Argo CD to look again failed");
                }
                continue;
            }
            Next::Sleep(until) => Some(clock::instant(until, now)),
            Next::Idle => None,
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = world.recovered.notified() => pace.recovered(&world.failing()),
            () = world.failing_changed.notified() => {}
            () = sleep_until(until.unwrap_or_else(tokio::time::Instant::now)), if until.is_some() => {}
        }
    }
}
