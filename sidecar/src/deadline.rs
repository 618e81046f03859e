//! How long Argo CD waits, as it says in each call.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;

/// For a caller that names no limit (`--repo-server-timeout-seconds 0`).
const UNLIMITED: Duration = Duration::from_secs(300);

/// When the work on a call has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// The caller is gone from here on.
    pub(crate) hard: Instant,
    /// A little before that, so that a reason still arrives.
    pub(crate) soft: Instant,
}

impl Deadline {
    pub(crate) fn of(metadata: &MetadataMap, now: Instant) -> Self {
        let text = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok());
        let limit = text.and_then(parse).unwrap_or(UNLIMITED).min(UNLIMITED * 12);
        let margin = (limit / 10).min(Duration::from_secs(1));
        Self { hard: now + limit, soft: now + limit.saturating_sub(margin) }
    }
}

/// `60S`, `59993410u`: at most eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_sent_before_the_caller_is_gone() {
        let now = Instant::now();
        let check = |text: Option<&str>, hard: u64, soft: u64| {
            let mut metadata = MetadataMap::new();
            if let Some(text) = text {
                metadata.insert("grpc-timeout", text.parse().unwrap());
            }
            let deadline = Deadline::of(&metadata, now);
            let millis = |at: Instant| u64::try_from((at - now).as_millis()).unwrap();
            assert_eq!((millis(deadline.hard), millis(deadline.soft)), (hard, soft), "{text:?}");
        };
        check(Some("60S"), 60_000, 59_000);
        check(Some("2000m"), 2_000, 1_800);
        check(Some("59993410u"), 59_993, 58_993);
        check(Some("1H"), 3_600_000, 3_599_000);
        check(Some("99999999H"), 3_600_000, 3_599_000);
        for none in
            [None, Some(""), Some("S"), Some("60"), Some("123456789S"), Some("-1S"), Some("1X")]
        {
            check(none, 300_000, 299_000);
        }
    }
}
