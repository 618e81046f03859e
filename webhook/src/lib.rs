//! The door that kube-apiserver calls: nothing is written that the rules don't allow.
//!
//! What is allowed is decided in `core::admission`; here is found out what it asks for. This process writes nothing but
//! Events, the namespaces of new Projects, its own certificate and who is to trust it; it reads no Secret but that one, and
//! makes no connection except to the API server.

mod act;
mod args;
mod cache;
mod certificate;
mod door;
mod event;
#[cfg(feature = "fault-points")]
mod fault;
mod find;
mod metrics;
mod page;
mod review;
mod run;

pub use args::Args;
pub use review::{NoReview, Request};
pub use run::{MakeUlid, Webhook};
