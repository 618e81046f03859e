//! How many uploads are held and rendered at once. Who waits for a slot is not read from, so it holds what fits into the
//! windows of its connection, and no more.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

use crate::deadline::Deadline;
use crate::refusal::Refusal;

/// Large uploads that are held at once. While one is received and unpacked, another is rendered, so two keep the machine
/// busy; a third would only take as much memory again. So 64 at once take less than three times of what one takes.
const LARGE: usize = 2;

#[derive(Debug)]
pub(crate) struct Slots {
    all: Semaphore,
    large: Semaphore,
}

/// Taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'s> {
    _one: SemaphorePermit<'s>,
    _large: Option<SemaphorePermit<'s>>,
}

impl Slots {
    pub(crate) fn new(concurrency: usize) -> Self {
        let all = Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS));
        Self { all, large: Semaphore::new(LARGE) }
    }

    pub(crate) async fn any(&self, deadline: Deadline) -> Result<Slot<'_>, Refusal> {
        Ok(Slot { _one: taken(&self.all, deadline).await?, _large: None })
    }

    /// A slot for a large upload instead of `slot`, which others may have in the meantime: small ones don't wait for large
    /// ones.
    pub(crate) async fn large<'s>(
        &'s self,
        slot: Slot<'s>,
        deadline: Deadline,
    ) -> Result<Slot<'s>, Refusal> {
        drop(slot);
        let large = taken(&self.large, deadline).await?;
        Ok(Slot { _one: taken(&self.all, deadline).await?, _large: Some(large) })
    }
}

async fn taken(slots: &Semaphore, deadline: Deadline) -> Result<SemaphorePermit<'_>, Refusal> {
    let taken = timeout_at(deadline.soft, slots.acquire()).await;
    taken.map_err(|_| Refusal::Busy)?.map_err(|_: AcquireError| Refusal::Busy)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::Instant;
    use tonic::metadata::MetadataMap;

    use super::*;

    #[tokio::test]
    async fn a_third_large_upload_waits_and_small_ones_do_not() {
        let slots = Slots::new(3);
        let deadline = Deadline::of(&MetadataMap::new(), Instant::now());
        let large = async || slots.large(slots.any(deadline).await.unwrap(), deadline).await;
        let first = large().now_or_never().unwrap().unwrap();
        let _second = large().now_or_never().unwrap().unwrap();
        let mut third = Box::pin(large());
        assert!((&mut third).now_or_never().is_none());
        // It has no slot of any kind while it waits.
        let small = slots.any(deadline).now_or_never().unwrap().unwrap();
        assert!(slots.any(deadline).now_or_never().is_none());
        drop(first);
        let _third = (&mut third).now_or_never().unwrap().unwrap();
        assert!(slots.any(deadline).now_or_never().is_none());
        drop(small);
        assert!(slots.any(deadline).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_told() {
        let slots = Slots::new(3);
        let deadline = Deadline { soft: Instant::now(), hard: Instant::now() };
        let large = async || slots.large(slots.any(deadline).await.unwrap(), deadline).await;
        let _held = (large().await.unwrap(), large().await.unwrap());
        assert_eq!(large().await.unwrap_err(), Refusal::Busy);
    }
}
