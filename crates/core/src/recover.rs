//! How fast Argo CD is asked to look again: at Applications that could not be rendered, and at patches it would not take.
//!
//! Argo CD alone comes back from a failed render only after minutes. While something is down, one Application is enough to
//! see when it is up again; then the rest follow, not all at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::converge::RenderFailure;

/// On an Application: Argo CD is asked to look again. It takes it off when it has.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";

/// Between two looks at one of those that fail.
const PROBE: SignedDuration = SignedDuration::from_secs(2);
/// Between two Applications, once one of them renders again: twenty a second.
const BURST: SignedDuration = SignedDuration::from_millis(50);

/// An Application that can't be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub failure: RenderFailure,
    /// Argo CD was asked to look again, and has not yet.
    pub asked: bool,
    /// What was refused: the claim, and the assignment it was measured by.
    pub about: String,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<K> {
    /// Ask Argo CD to look at this Application; `hard`, if it repeats an earlier failure without asking us.
    Refresh {
        key: K,
        hard: bool,
    },
    Sleep(Timestamp),
    /// Nothing, until something changes.
    Idle,
}

/// What is remembered from one decision to the next.
#[derive(Clone, Debug)]
pub struct Pace<K> {
    last: Option<Timestamp>,
    /// The last one that was looked at for the others' sake.
    probed: Option<K>,
    /// Those that are owed a look, because one of them came back.
    owed: BTreeSet<K>,
    /// What each refusal was about. The same question has the same answer.
    refused: BTreeMap<K, String>,
}

impl<K> Default for Pace<K> {
    fn default() -> Self {
        Self { last: None, probed: None, owed: BTreeSet::new(), refused: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Pace<K> {
    /// One that failed renders again: so will others.
    pub fn recovered(&mut self, failing: &BTreeMap<K, Failing>) {
        let waiting = failing.iter().filter(|(_, f)| f.failure != RenderFailure::Refused);
        self.owed.extend(waiting.map(|(key, _)| key.clone()));
    }

    pub fn next(&mut self, failing: &BTreeMap<K, Failing>, now: Timestamp) -> Next<K> {
        self.refused(failing);
        self.owed.retain(|key| failing.get(key).is_some_and(|f| !f.asked));
        let after = |pause| self.last.map_or(now, |last| last + pause);
        if let Some(key) = self.owed.first().cloned() {
            let due = after(BURST);
            if now < due {
                return Next::Sleep(due);
            }
            self.owed.remove(&key);
            return self.refresh(key, failing, now);
        }
        let eligible = || {
            failing
                .iter()
                .filter(|(_, f)| f.failure != RenderFailure::Refused && !f.asked)
                .map(|(key, _)| key)
        };
        let Some(first) = eligible().next() else { return Next::Idle };
        let due = after(PROBE);
        if now < due {
            return Next::Sleep(due);
        }
        // The next in order, so that one that is broken for good does not stand for all.
        let key = eligible()
            .find(|key| self.probed.as_ref().is_some_and(|p| *key > p))
            .unwrap_or(first)
            .clone();
        self.probed = Some(key.clone());
        self.refresh(key, failing, now)
    }

    fn refresh(&mut self, key: K, failing: &BTreeMap<K, Failing>, now: Timestamp) -> Next<K> {
        self.last = Some(now);
        let hard = failing.get(&key).is_some_and(|f| f.failure == RenderFailure::Cached);
        Next::Refresh { key, hard }
    }

    /// A refusal is looked at again only when what was refused has changed.
    fn refused(&mut self, failing: &BTreeMap<K, Failing>) {
        self.refused
            .retain(|key, _| failing.get(key).is_some_and(|f| f.failure == RenderFailure::Refused));
        for (key, f) in failing.iter().filter(|(_, f)| f.failure == RenderFailure::Refused) {
            let before = self.refused.insert(key.clone(), f.about.clone());
            if before.is_some_and(|about| about != f.about) {
                self.owed.insert(key.clone());
            }
        }
    }
}

/// How often the same patch was sent to the same Application, and did not last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    count: u32,
    last: Option<Timestamp>,
}

impl Attempts {
    const FIRST: SignedDuration = SignedDuration::from_millis(500);
    const LONGEST: SignedDuration = SignedDuration::from_secs(60);
    /// What was quiet for so long may be tried at once again.
    const FORGOTTEN: SignedDuration = SignedDuration::from_mins(5);

    /// When the patch may be sent again. The first time: now.
    pub fn due(&self, now: Timestamp) -> Timestamp {
        match self.last {
            Some(last) if !self.forgotten(now) => {
                let factor = 1_i32 << self.count.saturating_sub(1).min(10);
                last + Self::FIRST.saturating_mul(factor).min(Self::LONGEST)
            }
            _ => now,
        }
    }

    /// Whether it is so long ago that it does not count any more.
    pub fn forgotten(&self, now: Timestamp) -> bool {
        self.last.is_none_or(|last| now.duration_since(last) >= Self::FORGOTTEN)
    }

    pub fn sent(&mut self, now: Timestamp) {
        if self.forgotten(now) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests;
