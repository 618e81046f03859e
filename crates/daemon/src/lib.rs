//! What makes a process a good pod: arguments, logs, health, metrics, shutdown, TLS, and a client for Kubernetes.
//!
//! A program is put together like this:
//!
//! ```no_run
//! # use std::net::SocketAddr;
//! # use daemon::{AdminArgs, Readiness, Tasks, tls};
//! # use wharfinger_daemon as daemon;
//! # use prometheus_client::registry::Registry;
//! # async fn run(admin: AdminArgs, address: SocketAddr, app: axum::Router) -> anyhow::Result<()> {
//! admin.init_log()?;
//! let client = daemon::kube_client("wharfinger-example/0.1.0").await?;
//!
//! let readiness = Readiness::default();
//! let caches = readiness.gate("caches"); // closed until `caches.open()`
//! let registry = Registry::default(); // every metric is registered before it is handed over
//!
//! let mut tasks = Tasks::until_signalled();
//! admin.serve(registry, readiness, &mut tasks).await?;
//!
//! let identity = tls::Identity::load("tls.crt", "tls.key").await?;
//! let listener = tls::listen(address).await?;
//! tasks.spawn("https", tls::serve(listener, identity, app, tls::LINGER, tasks.shutdown()));
//!
//! tasks.run().await // the first task that fails ends all; SIGTERM and SIGINT end all in good order
//! # }
//! ```
//!
//! It knows nothing about Freight, and depends on nothing else in the workspace.

mod admin;
mod args;
mod clock;
mod kube;
mod log;
mod readable;
mod tasks;
pub mod tls;

pub use admin::{Gate, Readiness};
pub use args::{AdminArgs, LogFormat};
pub use clock::Clock;
pub use kube::{Error as KubeError, client as kube_client, config as kube_config, crypto};
pub use readable::{Unreadable, watch_readable};
pub use tasks::Tasks;
/// Told to everything that has to end when the process ends.
pub use tokio_util::sync::CancellationToken as Shutdown;
