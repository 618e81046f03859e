//! The names that identify Freight: of one, and of what a Stage holds.
//!
//! Both are Kargo's, byte for byte, so that objects keep their names when Wharfinger takes over.
//! `tests/vectors` holds what Kargo's own code answers.

mod collection;
mod digest;
mod name;
mod running;

pub(crate) use digest::sha1;
pub(crate) use name::chart_location;

pub use collection::{collection_id, holds, push, reference};
pub use name::{name, preimage};
pub use running::running;
