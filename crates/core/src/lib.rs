//! Every decision Wharfinger makes, as arithmetic: from what was seen, and `now`, to what is to be done.
//!
//! Nothing here can wait, fail or differ tomorrow: no I/O, no clock, no async, no environment, no hash order. The webhook,
//! the sidecar and the controller ask the same functions, so there is one judgement and never two.

pub mod admission;
pub mod assignment;
pub mod availability;
pub mod certificate;
pub mod check;
pub mod claim;
pub mod converge;
pub mod criteria;
pub mod duration;
pub mod expression;
pub mod freight;
pub(crate) mod label;
pub mod legacy;
pub mod paths;
pub mod pattern;
pub mod policy;
pub mod promotion;
pub mod recover;
pub mod revision;
pub mod semver;
pub mod stage;
pub mod subscription;
pub mod substitute;
pub mod terminal;
pub mod url;
pub mod usage;
