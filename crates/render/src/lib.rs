//! Files + options + Freight → documents: what an Application deploys, as a pure function of these and of the pinned
//! versions of Helm and Kustomize.
//!
//! *Flow*: the files make a [`Base`] (by Kustomize, Helm or from plain files, chosen as Argo CD chooses), which no image
//! in the Freight changes; the base, with the images of the Freight put in, and its provenance where that is wanted, is the
//! result. Bases are kept by content, so that a promotion is a copy with other strings in it.
//!
//! *Guarantees*: no answer is empty; equal inputs give equal bytes; what a tool reads is what was handed in,
//! and what it starts dies with it; nothing is fetched but dependencies of charts, in versions that the inputs settle.
//!
//! Absent on purpose: the cluster, archives, the clock.

pub mod adopt;
mod base;
mod blocking;
mod cache;
mod chart;
mod discreet;
pub mod documents;
mod encoding;
mod error;
mod exec;
pub mod files;
mod helm;
mod kustomize;
mod native;
mod options;
mod plain;
mod renderer;
mod source;
pub mod tools;
mod variables;

pub use base::Base;
pub use error::RenderError;
pub use files::Files;
pub use native::{Native, explicit};
pub use options::{Absent, Form, Options, Parameter, Patch};
pub use renderer::{Inputs, Made, Read, Renderer, Target};
pub use source::Kind;
pub use tools::Tools;
pub use variables::Variables;
pub use wharfinger_core::substitute::{Charts, Images, Provenance};
