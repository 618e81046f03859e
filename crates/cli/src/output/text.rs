//! Times as people say them.

use jiff::{SignedDuration, Timestamp};

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
