use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::time::{sleep, timeout};
use wharfinger_daemon::Tasks;

use super::*;

/// Runs a queue for a while with a look, and gives the test the waker.
async fn with<L, F>(
    limit: usize,
    look: impl FnMut(u32) -> L + Send + 'static,
    test: impl FnOnce(Waker<u32>) -> F,
) where
    L: Future<Output = Again> + Send + 'static,
    F: Future<Output = ()>,
{
    let shutdown = Shutdown::new();
    let mut tasks = Tasks::until(shutdown.clone());
    let (waker, queue) = queue();
    let until = shutdown.clone();
    tasks.spawn("queue", async move { queue.run(limit, until, look).await });
    timeout(Duration::from_secs(5), test(waker)).await.unwrap();
    shutdown.cancel();
    tasks.run().await.unwrap();
}

#[tokio::test]
async fn a_key_is_never_looked_at_twice_at_once_and_no_wake_is_lost() {
    let (at_once, most, looks) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let counts = (at_once, most.clone(), looks.clone());
    let look = move |_| {
        let (at_once, most, looks) = counts.clone();
        async move {
            most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(Duration::from_millis(10)).await;
            at_once.fetch_sub(1, SeqCst);
            looks.fetch_add(1, SeqCst);
            Again::Done
        }
    };
    with(8, look, async |waker| {
        waker.wake(1);
        sleep(Duration::from_millis(5)).await;
        (0..9).for_each(|_| waker.wake(1));
        sleep(Duration::from_millis(60)).await;
    })
    .await;
    assert_eq!(most.load(SeqCst), 1);
    assert_eq!(looks.load(SeqCst), 2, "one for the first wake, one for the nine during it");
}

#[tokio::test]
async fn keys_are_looked_at_side_by_side_up_to_the_limit() {
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (at_once, most.clone());
    let look = move |_| {
        let (at_once, most) = counts.clone();
        async move {
            most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(Duration::from_millis(20)).await;
            at_once.fetch_sub(1, SeqCst);
            Again::Done
        }
    };
    with(5, look, async |waker| {
        (0..20).for_each(|key| waker.wake(key));
        sleep(Duration::from_millis(120)).await;
    })
    .await;
    assert_eq!(most.load(SeqCst), 5);
}

#[tokio::test]
async fn a_failure_and_a_panic_are_tried_again_after_a_pause_that_wakes_do_not_shorten() {
    let times = Arc::new(Mutex::new(vec![]));
    let seen = times.clone();
    let look = move |key: u32| {
        let times = seen.clone();
        async move {
            let count = {
                let mut times = times.lock().unwrap();
                times.push(Instant::now());
                times.len()
            };
            match count {
                1 => panic!("the first look at {key}"),
                2 => Again::Failed,
                _ => Again::Done,
            }
        }
    };
    with(5, look, async |waker| {
        for _ in 0..30 {
            waker.wake(7);
            sleep(Duration::from_millis(10)).await;
            if times.lock().unwrap().len() == 3 {
                break;
            }
        }
    })
    .await;
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 3);
    assert!(times[1] - times[0] >= PAUSE && times[2] - times[1] >= PAUSE * 2, "{times:?}");
}

#[tokio::test]
async fn a_look_may_ask_for_another() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let look = move |_| {
        let count = count.clone();
        async move {
            match count.fetch_add(1, SeqCst) {
                0 => Again::At(Instant::now() + Duration::from_millis(20)),
                _ => Again::Done,
            }
        }
    };
    with(5, look, async |waker| {
        waker.wake(1);
        sleep(Duration::from_millis(80)).await;
    })
    .await;
    assert_eq!(looks.load(SeqCst), 2);
}

#[tokio::test]
async fn a_change_is_looked_at_at_once() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let look = move |_| {
        let sender = sender.clone();
        async move {
            sender.send(Instant::now()).unwrap();
            Again::Done
        }
    };
    with(8, look, async |waker| {
        let mut times = vec![];
        for key in 0..200 {
            let woken = Instant::now();
            waker.wake(key);
            times.push(receiver.recv().await.unwrap() - woken);
        }
        times.sort();
        println!("from a wake to the look: median {:?}, worst of 200 {:?}", times[100], times[199]);
        // Kind to a busy machine; what it guards against is a timer or a debounce in between, which would show in the median.
        assert!(times[100] < Duration::from_millis(1), "{times:?}");
    })
    .await;
}
