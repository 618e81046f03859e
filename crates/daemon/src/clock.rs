//! What time it is.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

/// Given to whoever asks for the time, so that a test can say what it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// Begins at `start` and goes as tokio's timers go: where they are paused, it is too.
    pub fn with_timers(start: Timestamp) -> Self {
        let began = Instant::now();
        Self(Arc::new(move || start + began.elapsed()))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_with_timers_goes_as_they_go() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::with_timers(start);
        assert_eq!(clock.now(), start);
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(clock.now(), start + Duration::from_secs(1800));
    }
}
