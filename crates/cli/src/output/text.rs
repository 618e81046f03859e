//! Words: cleaned, and times as people say them.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

/// Text of somebody else's, on one line, without anything that a terminal would act on or that would show it in another
/// order than it is written.
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
pub(super) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How long ago, in the two largest units at most: `45s`, `4m`, `3h10m`, `2d`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since))
}

/// A duration as [`age`] shows it; nothing is less than none.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (d, h, m, s) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, 1..=9) if s > 0 => format!("{m}m{s}s"),
        (0, 0, _) => format!("{m}m"),
        (0, _, 0) => format!("{h}h"),
        (0, _, _) => format!("{h}h{m}m"),
        (1..=9, 1.., _) => format!("{d}d{h}h"),
        _ => format!("{d}d"),
    }
}

/// A point in time to the second, in UTC.
pub fn moment(at: Timestamp) -> String {
    format!("{}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
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

    #[test]
    fn ages_are_short() {
        for (seconds, shown) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m1s"),
            (601, "10m"),
            (3600, "1h"),
            (11_400, "3h10m"),
            (86_400, "1d"),
            (93_600, "1d2h"),
            (864_000 + 7200, "10d"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), shown, "{seconds}");
        }
    }
}
