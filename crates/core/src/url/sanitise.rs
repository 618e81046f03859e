//! The cleaning that comes before anything else: people paste URLs with characters they cannot see.

use super::printable::is_printable;

/// Removes every invisible character, wherever it stands, and the spaces around the rest.
///
/// A space inside stays: it was typed, and someone should see that it is wrong.
pub fn sanitise(url: &str) -> String {
    let visible: String = url.chars().filter(|c| is_printable(*c)).collect();
    visible.trim_matches(' ').to_owned()
}

/// [`sanitise`], then lower case: the text that all three normalisations work on.
pub(super) fn lower_case(url: &str) -> String {
    // Character by character, as Go does. `str::to_lowercase` looks at the context of a Greek sigma
    // and makes two characters of `İ`; the first of them is what Go gives.
    sanitise(url).chars().flat_map(|c| c.to_lowercase().next()).collect()
}
