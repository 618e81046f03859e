//! What manifests were written with before v1.0 of Kargo, in today's words.
//!
//! Admission puts today's fields in the place of the old ones, so that nothing else has to know both.

mod flow;
mod mechanisms;
mod subscriptions;
mod warehouse;

use serde_json::Value;

use flow::flow;

pub use mechanisms::{GIT, mechanisms};
pub use subscriptions::{Upstream, direct, from_upstream, subscriptions};
pub use warehouse::warehouse;

/// A field as it would stand in a manifest: YAML on one line, because a warning of the API server has no other.
pub fn line(field: &str, value: &Value) -> String {
    let text = format!("{field}: {}", flow(value));
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… (and more than is shown here)", &text[..end]),
        None => text,
    }
}

/// The API server shortens the warnings of an answer to 256 characters each where they have more than 4096 together.
const SHOWN: usize = 1500;
