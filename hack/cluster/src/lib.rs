//! A real cluster on one machine: Kubernetes, Argo CD, a Git host and Wharfinger as plain processes.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use wharfinger_cluster::{Cluster, Options, Role};
//! let cluster = Cluster::start(Options::default())?;
//! cluster.install_wharfinger()?;
//! cluster.git().create("shop")?;
//! cluster.process(Role::Webhook)?.kill()?;
//! # Ok(()) }
//! ```
//!
//! Everything blocks and nothing needs a runtime; from async tests call it as it is. Guarantees:
//! nothing is left running when the owner ends in whatever way, clusters side by side do not see
//! each other, and no process of it is ever ended by name.
//!
//! Absent: images, kubelets, networks between Pods. A Pod is ready because kwok says so.

mod api;
mod argocd;
mod cert_manager;
mod cluster;
mod delay;
mod demo;
mod documents;
mod git_host;
mod groups;
mod handle;
mod install;
mod keys;
mod kubeconfig;
mod kubernetes;
mod mount;
mod named;
mod parts;
mod ports;
mod process;
mod progress;
mod ready;
mod registry;
mod role;
mod run;
mod run_folder;
mod serve;
mod shared;
mod stock_plugin;
mod together;
mod tool;
pub mod up;
mod wharfinger;

pub use cluster::{Cluster, Options};
pub use git_host::Git;
pub use handle::Process;
pub use kubeconfig::Identity;
pub use role::{Instance, Role};
pub use shared::{Alone, InUse, Shared, shared};
pub use tool::Output;
