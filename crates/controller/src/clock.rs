//! From the decisions' times, which are points in time, to the timers', which are not.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// When the timers reach `at`.
pub(crate) fn instant(at: Timestamp, now: Timestamp) -> Instant {
    // A moment later, never a moment before: else the decision is asked too early, and asks for the same moment again.
    let wait =
        Duration::try_from(at.duration_since(now)).unwrap_or_default() + Duration::from_millis(1);
    // A day is as good as for ever: something will happen before.
    Instant::now() + wait.min(Duration::from_secs(86_400))
}
