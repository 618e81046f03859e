//! Work by key: what has changed is looked at, at once, by one task a key and many keys side by side.
//!
//! *Flow*: `wake` → a look at the key → what the look says: done, again at some time, or failed and again after a pause.
//! *Guarantees*: a key is never looked at twice at the same time; a wake during a look leads to another look after it; a look
//! that panics is a failed look, and nobody else's trouble.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use wharfinger_daemon::Shutdown;

/// After a first failure. Doubled with every further one.
const PAUSE: Duration = Duration::from_millis(50);
/// A queue that fails because the API is away has to be quick when it is back.
const LONGEST: Duration = Duration::from_secs(5);

/// What a look at a key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// All is done until something changes.
    Done,
    /// Look again then, or when something changes.
    At(Instant),
    /// Something went wrong. Changes do not shorten the pause.
    Failed,
}

/// Says that something has changed.
pub(crate) struct Waker<K>(mpsc::UnboundedSender<K>);

impl<K> Waker<K> {
    pub(crate) fn wake(&self, key: K) {
        // The queue is gone only when the process ends.
        self.0.send(key).ok();
    }
}

impl<K> Clone for Waker<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(crate) struct Queue<K>(mpsc::UnboundedReceiver<K>);

pub(crate) fn queue<K>() -> (Waker<K>, Queue<K>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Waker(sender), Queue(receiver))
}

impl<K: Clone + Ord + Hash + Send + std::fmt::Debug + 'static> Queue<K> {
    /// Looks at keys, at most `limit` at a time, until the shutdown; looks that have begun are waited for.
    pub(crate) async fn run<F, L>(
        mut self,
        limit: usize,
        shutdown: Shutdown,
        mut look: F,
    ) -> anyhow::Result<()>
    where
        F: FnMut(K) -> L,
        L: Future<Output = Again> + Send + 'static,
    {
        let mut work = Work::default();
        let mut looks = JoinSet::new();
        loop {
            let timer = work.timers.first().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = looks.join_next_with_id() => work.ended(ended),
                Some(key) = self.0.recv() => {
                    work.wake(key);
                    while let Ok(key) = self.0.try_recv() {
                        work.wake(key);
                    }
                }
                () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {}
            }
            work.timed(Instant::now());
            while work.running.len() < limit {
                let Some(key) = work.ready.pop_front() else { break };
                let id = looks.spawn(look(key.clone())).id();
                work.started(key, id);
            }
        }
        while looks.join_next().await.is_some() {}
        Ok(())
    }
}

/// Where every key is: ready, running, waiting for its time; or nowhere, and at rest.
struct Work<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    running: HashMap<Id, K>,
    at_work: HashSet<K>,
    /// Woken while they were looked at.
    dirty: HashSet<K>,
    timers: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K> Default for Work<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            running: HashMap::new(),
            at_work: HashSet::new(),
            dirty: HashSet::new(),
            timers: BTreeSet::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl<K: Clone + Ord + Hash + std::fmt::Debug> Work<K> {
    fn wake(&mut self, key: K) {
        if self.at_work.contains(&key) {
            self.dirty.insert(key);
        } else if !(self.failures.contains_key(&key) && self.due.contains_key(&key)) {
            self.make_ready(key);
        }
    }

    fn make_ready(&mut self, key: K) {
        if let Some(at) = self.due.remove(&key) {
            self.timers.remove(&(at, key.clone()));
        }
        if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn started(&mut self, key: K, id: Id) {
        self.queued.remove(&key);
        self.at_work.insert(key.clone());
        self.running.insert(id, key);
    }

    fn timed(&mut self, now: Instant) {
        while let Some((at, key)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.make_ready(key);
        }
    }

    fn ended(&mut self, ended: Result<(Id, Again), JoinError>) {
        let (id, again) = match ended {
            Ok(ended) => ended,
            Err(e) => {
                tracing::error!(error = %e, "A look ended badly");
                (e.id(), Again::Failed)
            }
        };
        let Some(key) = self.running.remove(&id) else { return };
        self.at_work.remove(&key);
        let dirty = self.dirty.remove(&key);
        let at = match again {
            Again::Failed => {
                let count = self.failures.entry(key.clone()).or_default();
                *count += 1;
                let pause = PAUSE.saturating_mul(1 << (*count - 1).min(16)).min(LONGEST);
                Some(Instant::now() + pause)
            }
            Again::Done | Again::At(_) => {
                self.failures.remove(&key);
                if dirty {
                    return self.make_ready(key);
                }
                match again {
                    Again::At(at) => Some(at),
                    _ => None,
                }
            }
        };
        if let Some(at) = at {
            self.timers.insert((at, key.clone()));
            self.due.insert(key, at);
        }
    }
}

#[cfg(test)]
mod tests;
