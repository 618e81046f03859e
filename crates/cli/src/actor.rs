//! Who did it, as people know them.

/// An actor without the door they came through: `ana@acme.io` for `kubernetes:ana@acme.io`. Controllers stay what they are.
pub fn person(actor: &str) -> &str {
    actor.strip_prefix("kubernetes:").unwrap_or(actor)
}
