//! What the targets share: a world that answers as the input says.

pub mod application;
mod world;

pub use world::{COLLECTIONS, World};

/// A text in two: its first line, and the rest.
pub fn split(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
