//! Work that keeps a processor busy, away from the threads that answer.

use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::oneshot;

use crate::RenderError;

/// The YAML parser takes some 20 KiB a level in a debug build; an overflow would end the process.
const STACK: usize = 16 << 20;

/// Runs `work` on a thread of its own. A panic in it is an error here.
///
/// When the caller goes away the work goes on to its end, which bounds on files and documents keep near.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RenderError> {
    let (send, receive) = oneshot::channel();
    let thread = thread::Builder::new().name("render".into()).stack_size(STACK);
    thread
        .spawn(move || send.send(work()).is_ok())
        .map_err(|e| RenderError::internal("can't start a thread", &e))?;
    receive.await.map_err(|_| {
        RenderError::Internal("rendering ended in a panic, which is a bug in Wharfinger".into())
    })
}

/// How many there are for us. To find out takes files to be read, and they hardly ever change.
pub(crate) fn processors() -> usize {
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *COUNT
}

/// So many items are not worth a thread, and are taken at a time.
const FEW: usize = 32;

/// Does the same with each item, on all processors where there are many. What comes of it is in the order of the items.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    // Whoever is done with some takes the next: some items take much longer than others.
    let share = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(FEW, Ordering::Relaxed);
            let Some(some) = items.get(at..).filter(|some| !some.is_empty()) else { return done };
            done.push((at, some.iter().take(FEW).map(&work).collect::<Vec<R>>()));
        }
    };
    let others = processors().min(items.len().div_ceil(FEW)).saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let other = || {
            let thread = thread::Builder::new().name("render".into()).stack_size(STACK);
            // Where there are too many threads already, the others do its share.
            thread.spawn_scoped(scope, share).ok()
        };
        let others: Vec<_> = (0..others).filter_map(|_| other()).collect();
        let mut done = share();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().flat_map(|(_, some)| some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let error = blocking(|| assert_eq!(1, 2)).await.unwrap_err().to_string();
        assert!(error.contains("panic"), "{error}");
        assert_eq!(blocking(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn many_are_done_in_their_order_and_a_panic_among_them_is_an_error() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                each(&items, |item| item * 2),
                (0..count).map(|n| n * 2).collect::<Vec<_>>()
            );
        }
        for bad in [0, 999] {
            let items: Vec<usize> = (0..1000).collect();
            let error = blocking(move || each(&items, |item| assert_ne!(*item, bad))).await;
            assert!(error.unwrap_err().to_string().contains("panic"), "{bad}");
        }
    }
}
