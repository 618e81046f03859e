//! Objects by key, one revision for all of them, and the last changes for whoever watches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::log::Log;

pub(crate) struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    revision: u64,
    changes: VecDeque<Change>,
    /// How many changes are kept.
    history: usize,
    /// What happened up to this revision is forgotten.
    forgotten: u64,
    announce: watch::Sender<u64>,
    log: Option<Log>,
}

/// Where an object lies. Versions of a kind share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) group: String,
    pub(crate) plural: String,
    /// Empty for cluster-wide objects.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The objects of a kind, everywhere or in one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) before: Option<Arc<Value>>,
    /// Nothing: it was removed.
    pub(crate) after: Option<Arc<Value>>,
}

/// Why something can't be read as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Older than what is kept.
    Forgotten { oldest: u64 },
    /// Not yet.
    Future { current: u64 },
}

impl Store {
    pub(crate) fn new(history: usize, revision: u64, objects: BTreeMap<Key, Arc<Value>>) -> Self {
        Self {
            objects,
            revision,
            changes: VecDeque::new(),
            history,
            forgotten: revision,
            announce: watch::Sender::new(revision),
            log: None,
        }
    }

    /// From here on every change is written there first.
    pub(crate) fn keep_in(&mut self, log: Log) {
        self.log = Some(log);
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Wakes with every change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.announce.subscribe()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// In the order of namespace and name.
    pub(crate) fn scan(&self, scope: &Scope) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let start = Key {
            group: scope.group.clone(),
            plural: scope.plural.clone(),
            namespace: scope.namespace.clone().unwrap_or_default(),
            name: String::new(),
        };
        self.objects.range(start..).take_while(|(key, _)| scope.holds(key))
    }

    /// The scope as it was at `revision`: what is there now, with the later changes undone.
    pub(crate) fn at(
        &self,
        revision: u64,
        scope: &Scope,
    ) -> Result<BTreeMap<Key, Arc<Value>>, Unknown> {
        let later = self.since(revision)?;
        let mut objects: BTreeMap<Key, Arc<Value>> =
            self.scan(scope).map(|(key, object)| (key.clone(), object.clone())).collect();
        let mut undone = BTreeSet::new();
        for change in later.filter(|change| scope.holds(&change.key)) {
            if !undone.insert(&change.key) {
                continue;
            }
            match &change.before {
                Some(object) => objects.insert(change.key.clone(), object.clone()),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects)
    }

    /// What happened after `revision`, oldest first.
    pub(crate) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Unknown> {
        if revision < self.forgotten {
            return Err(Unknown::Forgotten { oldest: self.forgotten });
        }
        if revision > self.revision {
            return Err(Unknown::Future { current: self.revision });
        }
        let first = self.changes.partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(first..))
    }

    /// Sets the object with the next revision as its resourceVersion.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> io::Result<Arc<Value>> {
        object["metadata"]["resourceVersion"] = (self.revision + 1).to_string().into();
        let object = Arc::new(object);
        self.write(&key, Some(&object))?;
        let before = self.objects.insert(key.clone(), object.clone());
        self.remember(key, before, Some(object.clone()));
        Ok(object)
    }

    pub(crate) fn remove(&mut self, key: &Key) -> io::Result<()> {
        if !self.objects.contains_key(key) {
            return Ok(());
        }
        self.write(key, None)?;
        let before = self.objects.remove(key);
        self.remember(key.clone(), before, None);
        Ok(())
    }

    /// Forgets what happened up to now: whoever watches has to list again.
    pub(crate) fn forget(&mut self) {
        self.changes.clear();
        self.revision += 1;
        self.forgotten = self.revision;
        self.announce.send_replace(self.revision);
    }

    fn write(&mut self, key: &Key, object: Option<&Value>) -> io::Result<()> {
        match &mut self.log {
            Some(log) => log.append(self.revision + 1, key, object),
            None => Ok(()),
        }
    }

    fn remember(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.revision += 1;
        self.changes.push_back(Change { revision: self.revision, key, before, after });
        while self.changes.len() > self.history {
            let oldest = self.changes.pop_front();
            self.forgotten = oldest.map_or(self.forgotten, |change| change.revision);
        }
        self.announce.send_replace(self.revision);
    }
}

impl Key {
    pub(crate) fn namespace(name: &str) -> Self {
        Self {
            group: String::new(),
            plural: "namespaces".into(),
            namespace: String::new(),
            name: name.into(),
        }
    }
}

impl Scope {
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.group == key.group
            && self.plural == key.plural
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key { group: "g".into(), plural: "things".into(), namespace: "n".into(), name: name.into() }
    }

    fn scope() -> Scope {
        Scope { group: "g".into(), plural: "things".into(), namespace: None }
    }

    fn names(store: &Store, revision: u64) -> Vec<String> {
        store.at(revision, &scope()).unwrap().into_keys().map(|key| key.name).collect()
    }

    #[test]
    fn the_past_is_read_as_it_was() {
        let mut store = Store::new(10, 0, BTreeMap::new());
        store.put(key("a"), json!({})).unwrap();
        store.put(key("b"), json!({})).unwrap();
        store.remove(&key("a")).unwrap();
        store.put(key("a"), json!({"again": true})).unwrap();
        store.remove(&key("b")).unwrap();
        assert_eq!(names(&store, 0), [""; 0]);
        assert_eq!(names(&store, 1), ["a"]);
        assert_eq!(names(&store, 2), ["a", "b"]);
        assert_eq!(names(&store, 3), ["b"]);
        assert_eq!(names(&store, 5), ["a"]);
        assert_eq!(store.at(2, &scope()).unwrap()[&key("a")]["again"], Value::Null);
    }

    #[test]
    fn what_is_too_old_or_not_yet_is_said() {
        let mut store = Store::new(2, 0, BTreeMap::new());
        for name in ["a", "b", "c"] {
            store.put(key(name), json!({})).unwrap();
        }
        assert_eq!(store.since(0).err(), Some(Unknown::Forgotten { oldest: 1 }));
        assert_eq!(store.since(1).unwrap().count(), 2);
        assert_eq!(store.since(4).err(), Some(Unknown::Future { current: 3 }));
        store.forget();
        assert_eq!(store.since(3).err(), Some(Unknown::Forgotten { oldest: 4 }));
    }

    #[test]
    fn a_scan_ends_at_the_next_kind_or_namespace() {
        let mut store = Store::new(2, 0, BTreeMap::new());
        store.put(key("a"), json!({})).unwrap();
        store.put(Key { plural: "thingses".into(), ..key("a") }, json!({})).unwrap();
        store.put(Key { namespace: "m".into(), ..key("a") }, json!({})).unwrap();
        assert_eq!(store.scan(&scope()).count(), 2);
        let inside = Scope { namespace: Some("n".into()), ..scope() };
        assert_eq!(store.scan(&inside).count(), 1);
    }
}
