//! Text of somebody else's, on its way to a terminal.

use std::borrow::Cow;

/// The text on one line, without anything that a terminal would act on or that would show it in another order than it is
/// written.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\n' | '\r' | '\t' => ' ',
                c if acts(c) => '\u{fffd}',
                c => c,
            })
            .collect(),
    )
}

/// Control characters of both sets, marks of direction, and line ends that are no `\n`.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_somebody_elses_reaches_the_terminal() {
        for (text, shown) in [
            ("v1.9.1", "v1.9.1"),
            ("grüße 東京 ✓", "grüße 東京 ✓"),
            ("a\nb\tc\r\n", "a b c  "),
            ("\u{1b}[31mred\u{1b}[0m", "\u{fffd}[31mred\u{fffd}[0m"),
            ("\u{9b}2J\u{7f}\u{7}", "\u{fffd}2J\u{fffd}\u{fffd}"),
            ("admin\u{202e}txt", "admin\u{fffd}txt"),
            ("a\u{2028}b", "a\u{fffd}b"),
        ] {
            assert_eq!(clean(text), shown);
        }
    }
}
