//! Durations as Go writes them (`5m`, `1h30m`, `0s`): Kargo's fields hold them.

use jiff::SignedDuration;

/// The duration that a text says, if it says one. Not negative.
pub fn parse(text: &str) -> Option<SignedDuration> {
    if text == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, tail) = rest.split_at(number);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += value.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    (!text.is_empty()).then(|| SignedDuration::try_from_secs_f64(total).ok()).flatten()
}

/// As Go's `Duration.String` does, in whole seconds.
pub fn write(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) => format!("{s}s"),
        (0, _) => format!("{m}m{s}s"),
        _ => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, seconds) in [
            ("0", 0),
            ("0s", 0),
            ("5m", 300),
            ("1h30m", 5400),
            ("1.5h", 5400),
            ("1h0m1s", 3601),
            ("1500ms", 1),
        ] {
            assert_eq!(parse(text).map(|d| d.as_secs()), Some(seconds), "{text}");
        }
        for bad in ["", "5", "m", "-5m", "5 m", "5d", "1..5s", "5m3", "99999999999999999999h"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_written_as_go_reads_them() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (5400, "1h30m0s")] {
            assert_eq!(write(SignedDuration::from_secs(seconds)), text);
        }
    }
}
