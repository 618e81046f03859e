//! What the tests on a real cluster speak in: Projects, Stages, Freight, Applications, and what came of them.
//!
//! Everything blocks. Whatever is waited for is watched, with a deadline; what was seen last is part of the error.

mod application;
mod fault;
mod kubernetes;
mod person;
mod project;

pub use application::{App, Kind, claims};
pub use fault::fault;
pub use kubernetes::{Kubernetes, on_runtime};
pub use person::{Person, refused};
pub use project::{IMAGE, Project};
