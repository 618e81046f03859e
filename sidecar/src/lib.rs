//! The door that Argo CD's repo-server calls: renders Applications with the Freight their Stage has been given.
//!
//! *Flow*: a call brings files and an environment ([`upload`], [`asked`]). The environment claims an assignment of a Stage;
//! [`claim`] asks the cluster ([`facts`]) whether the Application may have it, and gets the Freight. `wharfinger-render`
//! makes documents of files and Freight. [`service`] answers, [`refusal`] says no, [`renders`] remembers what was sent for it.
//!
//! *Guarantees*: a doubt is an error, never an empty or an older result; an answer is given only after the upload has been
//! read to its end, else grpc-go loses it; nothing here outlives its call.
//!
//! Absent on purpose: any verb but get and watch, Secrets, credentials for charts and repositories.

pub mod args;
pub mod asked;
pub mod authority;
#[cfg(any(test, feature = "caller"))]
pub mod caller;
pub mod claim;
pub mod cluster;
mod deadline;
pub mod facts;
mod generate;
pub mod metrics;
pub mod refusal;
pub mod renders;
mod revision;
pub mod service;
mod slots;
pub mod socket;
pub mod upload;

/// Argo CD's protocol, generated.
pub mod proto {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    tonic::include_proto!("plugin");
}
