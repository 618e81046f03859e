//! Labels, as Kubernetes has them.

use crate::claim::is_name;

/// Whether a text may be the value of a label.
pub(crate) fn is_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

/// Whether a text may be the key of a label: a name, perhaps with a domain and a slash in front.
pub(crate) fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_name(domain) && is_word(name),
        None => is_word(text),
    }
}

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.len() <= 63
        && bytes.iter().all(inner)
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_words() {
        let long = "a".repeat(64);
        for (text, value, key) in [
            ("prod", true, true),
            ("Wise-Otter_1.2", true, true),
            ("", true, false),
            ("-a", false, false),
            ("a-", false, false),
            ("a b", false, false),
            ("é", false, false),
            (&*long, false, false),
            (&long[1..], true, true),
            ("kargo.akuity.io/alias", false, true),
            ("Kargo/alias", false, false),
            ("kargo.akuity.io/", false, false),
            ("a/b/c", false, false),
        ] {
            assert_eq!((is_value(text), is_key(text)), (value, key), "{text}");
        }
    }
}
