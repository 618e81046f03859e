//! The program's arguments.

use clap::Parser;
use prometheus_client::registry::Registry;
use wharfinger_daemon::{self as daemon, AdminArgs, Clock, Readiness, Tasks};

use crate::fault::Faults;
use crate::run::{Controller, start};

/// Carries out Promotions and holds Applications to the Freight of their Stage
#[derive(Debug, Parser)]
#[command(name = "wharfinger-controller", version)]
pub struct Args {
    /// How many Stages, and how many Applications, are worked on at the same time
    #[arg(long, env = "WHARFINGER_WORKERS", value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Args {
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { workers, admin } = self;
        admin.init_log()?;
        let client =
            daemon::kube_client(concat!("wharfinger-controller/", env!("CARGO_PKG_VERSION")))
                .await?;
        let readiness = Readiness::default();
        let mut tasks = Tasks::until_signalled();
        #[cfg(not(feature = "fault-points"))]
        let faults = Faults::default();
        #[cfg(feature = "fault-points")]
        let faults = Faults::from_env()?;
        let clock = Clock::system();
        let controller = Controller { client, workers: workers.into(), clock, faults };
        let world = start(controller, &readiness, &mut tasks);
        let registry = Registry::default();
        #[cfg(not(feature = "fault-points"))]
        {
            drop(world);
            admin.serve(registry, readiness, &mut tasks).await?;
        }
        #[cfg(feature = "fault-points")]
        admin.serve_with(crate::fault::routes(world), registry, readiness, &mut tasks).await?;
        tasks.run().await
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Args::command().debug_assert();
    }
}
