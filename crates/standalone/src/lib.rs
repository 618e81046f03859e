//! Every role in one process: for whoever wants to see Wharfinger work with nothing but Rust, and for the tests' journeys.
//!
//! The API server is `localapi`, Argo CD a plain stand-in; the controller, the webhook and the sidecar are the real ones, and
//! they meet as they do in a cluster: in the objects, and over the sidecar's socket. Never for production.

mod argocd;
mod args;
mod demo;
mod folder;
mod manifests;
mod repository;
mod serve;
mod world;

pub use args::Args;
pub use demo::Demo;
pub use folder::Folder;
pub use repository::Repository;
pub use world::{Options, World};
