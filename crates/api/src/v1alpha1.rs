//! Kargo's kinds, one a file. `manifests/crds` is generated from here, and `tests/kargo.rs` compares it with Kargo's.

mod cluster_config;
mod config_status;
mod freight;
mod legacy;
mod metadata;
mod project;
mod project_config;
mod promotion;
mod promotion_request;
mod promotion_task;
mod receiver;
mod schema;
mod selector;
mod stage;
mod target;
mod warehouse;
mod window;

pub use cluster_config::*;
pub use config_status::*;
pub use freight::*;
pub use metadata::*;
pub use project::*;
pub use project_config::*;
pub use promotion::*;
pub use promotion_request::*;
pub use promotion_task::*;
pub use receiver::*;
pub use schema::crds;
pub use selector::*;
pub use stage::*;
pub use target::*;
pub use warehouse::*;
pub use window::*;

pub const GROUP: &str = "kargo.akuity.io";
pub const VERSION: &str = "v1alpha1";
