//! Semantic versions and the constraints on them, read as Kargo reads them.
//!
//! Kargo leaves both to Masterminds/semver 3.5, and a Warehouse must select the same tags here: so the reading is that
//! library's to the byte, including what looks accidental. The crate `semver` cannot even hold the comparison: it orders the
//! numbers of a prerelease without bound, and Masterminds those above 64 bits as text.

mod constraint;
mod notation;
mod version;

pub use constraint::{Constraint, Malformed as MalformedConstraint};
pub use version::{Malformed as MalformedVersion, Version};

#[cfg(test)]
mod tests;
