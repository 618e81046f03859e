//! Bases, kept by what they were made from. The least recently used go first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Base, Read};

/// A SHA-256.
pub(crate) type Key = [u8; 32];

/// Other names for one base: cheap, and yet bounded, also in bytes, since each has its list of files.
const ALIASES: usize = 10_000;
const ALIAS_BYTES: usize = 32 << 20;

pub(crate) struct Cache {
    /// In bytes, about.
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bases: HashMap<Key, Entry>,
    /// From a key that is cheap to have to the key of the content, and to which files it is.
    aliases: HashMap<Key, (Key, Arc<Read>)>,
    alias_bytes: usize,
    /// Keys by when they were used last.
    used: BTreeMap<u64, Key>,
    now: u64,
    weight: usize,
}

struct Entry {
    base: Arc<Base>,
    weight: usize,
    used: u64,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Base>> {
        self.kept().get(key)
    }

    /// What an alias stands for.
    pub(crate) fn find(&self, alias: &Key) -> Option<(Arc<Base>, Arc<Read>)> {
        let kept = &mut *self.kept();
        let (key, read) = kept.aliases.get(alias)?.clone();
        Some((kept.get(&key)?, read))
    }

    /// Keeps `base`, unless it alone is more than the half of what may be kept.
    pub(crate) fn put(&self, key: Key, base: &Arc<Base>) {
        let weight = base.weight();
        if weight > self.limit / 2 {
            return;
        }
        let kept = &mut *self.kept();
        kept.remove(&key);
        kept.now += 1;
        kept.weight += weight;
        kept.used.insert(kept.now, key);
        kept.bases.insert(key, Entry { base: Arc::clone(base), weight, used: kept.now });
        while kept.weight > self.limit
            && let Some((_, oldest)) = kept.used.first_key_value().map(|(at, key)| (*at, *key))
        {
            kept.remove(&oldest);
        }
    }

    /// Lets `alias` stand for `key`.
    pub(crate) fn alias(&self, alias: Key, key: Key, read: Arc<Read>) {
        let kept = &mut *self.kept();
        let bytes = read.weight();
        if kept.aliases.len() >= ALIASES || kept.alias_bytes + bytes > ALIAS_BYTES {
            kept.aliases.clear();
            kept.alias_bytes = 0;
        }
        kept.alias_bytes += bytes;
        if let Some((_, before)) = kept.aliases.insert(alias, (key, read)) {
            kept.alias_bytes -= before.weight();
        }
    }

    /// How many bases there are, and their weight in bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let kept = self.kept();
        (kept.bases.len(), kept.weight)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Arc<Base>> {
        let entry = self.bases.get_mut(key)?;
        self.now += 1;
        self.used.remove(&entry.used);
        entry.used = self.now;
        self.used.insert(self.now, *key);
        Some(Arc::clone(&entry.base))
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.bases.remove(key) {
            self.used.remove(&entry.used);
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Kind, Options};

    fn base(length: usize) -> Arc<Base> {
        let objects = [json!({"kind": "x".repeat(length)})];
        Arc::new(Base::of(Kind::Plain, &objects, &Options::default()).unwrap())
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let each = base(1000).weight();
        let cache = Cache::new(each * 3);
        for key in 1..=3 {
            cache.put([key; 32], &base(1000));
        }
        assert!(cache.get(&[1; 32]).is_some());
        cache.put([4; 32], &base(1000));
        let there = |key: u8| cache.kept().bases.contains_key(&[key; 32]);
        assert_eq!([1, 2, 3, 4].map(there), [true, false, true, true]);
        assert_eq!(cache.size(), (3, each * 3));
        cache.put([3; 32], &base(10));
        assert_eq!(cache.size(), (3, each * 2 + base(10).weight()));
        assert_eq!(cache.kept().used.len(), 3);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_throws_nothing_out() {
        let cache = Cache::new(base(1000).weight() * 2);
        cache.put([1; 32], &base(900));
        cache.put([2; 32], &base(5000));
        assert!(cache.get(&[1; 32]).is_some() && cache.get(&[2; 32]).is_none());
    }

    #[test]
    fn the_lists_of_files_are_bounded_as_well() {
        let cache = Cache::new(1 << 20);
        let long = |length| Arc::new(Read { size: 7, paths: vec!["x".repeat(length)] });
        let known = || cache.kept().aliases.len();
        cache.alias([1; 32], [1; 32], long(ALIAS_BYTES / 2));
        // In place of another one, it does not count twice.
        cache.alias([1; 32], [1; 32], long(ALIAS_BYTES / 3));
        cache.alias([2; 32], [1; 32], long(ALIAS_BYTES / 3));
        assert_eq!(known(), 2);
        cache.alias([3; 32], [1; 32], long(ALIAS_BYTES / 2));
        assert_eq!(known(), 1);
        assert_eq!(cache.kept().alias_bytes, long(ALIAS_BYTES / 2).weight());
    }

    #[test]
    fn an_alias_leads_to_what_it_stands_for_and_no_further() {
        let cache = Cache::new(1 << 20);
        cache.put([1; 32], &base(1));
        let read = Arc::new(Read { size: 7, paths: vec!["app".into()] });
        cache.alias([9; 32], [1; 32], Arc::clone(&read));
        assert_eq!(cache.find(&[9; 32]).unwrap().1, read);
        cache.kept().remove(&[1; 32]);
        assert!(cache.find(&[9; 32]).is_none());
    }
}
