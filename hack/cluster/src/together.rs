//! Several things at once, when each mostly waits.

use std::thread;

use anyhow::{Result, anyhow};

pub(crate) type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Runs every job on a thread of its own, waits for all, and gives the first error.
pub(crate) fn together(jobs: Vec<Job<'_>>) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
        let ends: Vec<Result<()>> = running
            .into_iter()
            .map(|job| {
                job.join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread of the cluster's start panicked")))
            })
            .collect();
        ends.into_iter().collect()
    })
}
