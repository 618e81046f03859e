//! A Kubernetes API server in memory, optionally kept on a file: for the demo and the tests, never for production.
//!
//! It serves real clients (kube, kubectl, a browser's `fetch`), knows authentication, RBAC, custom resources and
//! admission webhooks, and nothing of Wharfinger's rules.
//!
//! What it lacks:
//! - server-side apply, `managedFields` and the old `/openapi/v2`;
//! - answers in protobuf (requests are read, for the kinds that kubectl creates), CBOR, compression;
//! - `exec`, `logs` and everything else about Pods: nothing runs here;
//! - CEL: of `matchConditions` and of validation rules in schemas only the listed texts are known, others are refused;
//! - a word about fields that stand twice in a body: the last one counts;
//! - of custom resources: `scale`, `selectableFields` and some formats (`hostname`, `uri`, `email`, …); a definition with
//!   one of them is refused;
//! - conversion between versions of a kind, other than writing another `apiVersion`;
//! - validation of built-in kinds beyond metadata and what is needed to act on them;
//! - the check that nobody grants more than they have (`escalate`, `bind`), quotas, priorities and fairness, audit logs;
//! - controllers other than the removal of what belongs to something that is gone; foreground deletion does not wait
//!   for dependents with finalizers.

pub mod discovery;
pub mod openapi;
pub mod resource;
pub mod schema;
pub mod table;

mod admission;
mod age;
mod answer;
mod authenticate;
mod authorize;
mod built_in;
mod catalog;
mod complete;
mod conditions;
mod delete;
mod event;
mod failure;
mod form;
mod install;
mod jsonpath;
mod log;
mod meta;
mod patch;
mod protobuf;
mod query;
mod read;
mod review;
mod selector;
mod state;
mod store;
mod sweep;
mod target;
mod user;
mod watch;
mod webhook;
mod write;

pub use install::Refused;
pub use log::Error;
pub use state::{Clock, LocalApi, Options};
pub use user::User;
pub use webhook::Service;
