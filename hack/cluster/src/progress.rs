//! What a developer reads while waiting.

use std::io::Write as _;

/// Writes a line to stderr. A reader that has gone away (`hack/up` was killed) is no reason to fail.
pub(crate) fn line(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
