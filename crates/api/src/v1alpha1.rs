//! Kargo's kinds, one a file. `manifests/crds` is generated from here.

mod freight;
mod metadata;
mod project;
mod promotion;
mod schema;
mod stage;
mod warehouse;

pub use freight::*;
pub use metadata::*;
pub use project::*;
pub use promotion::*;
pub use schema::crds;
pub use stage::*;
pub use warehouse::*;

pub const GROUP: &str = "kargo.akuity.io";
pub const VERSION: &str = "v1alpha1";
