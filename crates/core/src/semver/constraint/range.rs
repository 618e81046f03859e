//! `1.2 - 2.3`: a range, written with blanks around the hyphen.

use super::super::notation::Notation;
use super::bound::is_digit;
use super::is_blank;

/// Every range of a constraint written as two bounds.
///
/// It happens to the text, before anything else: Masterminds does so, and a range takes the blanks around it along. So `3 1 - 2`
/// is malformed afterwards, and `1 - 2>3` is not.
pub(super) fn as_bounds(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((from, to, after)) = at_start(rest) {
            written.push_str(&format!(">= {from}, <= {to} "));
            rest = after;
        } else {
            written.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    written
}

/// The range that `text` begins with: from, to, and what follows.
fn at_start(text: &str) -> Option<(&str, &str, &str)> {
    let (from, rest) = Notation::at_start(text.trim_start_matches(is_blank), is_digit)?;
    let (to, rest) = Notation::at_start(blanks(blanks(rest)?.strip_prefix('-')?)?, is_digit)?;
    Some((from.text, to.text, rest.trim_start_matches(is_blank)))
}

/// What follows the blanks at the start of `text`, of which there is at least one.
fn blanks(text: &str) -> Option<&str> {
    text.strip_prefix(is_blank).map(|rest| rest.trim_start_matches(is_blank))
}
