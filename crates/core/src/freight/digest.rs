//! The hash in Freight names, collection ids and the ids of verifications.

use sha1::{Digest as _, Sha1};

/// SHA-1 in lower-case hexadecimal. It identifies, it does not protect.
pub(crate) fn sha1(text: &str) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
