//! What the process knows of the cluster: one store a kind, filled by its watch and by the answers to its own writes.
//!
//! *Guarantees*: what was written by this process is seen by it from then on, though the watch be behind; an object is only
//! ever replaced by a later version of it; what is told to be changed has changed.
//! *Assumptions*: resourceVersions are numbers that grow, as Kubernetes promises since 1.35 and etcd has always kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::Resource;

/// A namespaced object's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    pub(crate) fn of(object: &impl Resource) -> Self {
        let meta = object.meta();
        Self::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One object as it was and as it is.
#[derive(Debug)]
pub(crate) struct Change<K> {
    pub(crate) key: Key,
    pub(crate) old: Option<Arc<K>>,
    pub(crate) new: Option<Arc<K>>,
}

/// Objects by name, and by what they belong to: Stages for the most part.
pub(crate) struct Store<K> {
    inner: RwLock<Inner<K>>,
    /// What an object belongs to. One that belongs to nothing is not kept.
    groups: fn(&K) -> Vec<Key>,
}

struct Inner<K> {
    objects: BTreeMap<Key, Arc<K>>,
    by_group: BTreeMap<Key, BTreeSet<Key>>,
}

impl<K: Resource> Store<K> {
    pub(crate) fn new(groups: fn(&K) -> Vec<Key>) -> Self {
        Self {
            inner: RwLock::new(Inner { objects: BTreeMap::new(), by_group: BTreeMap::new() }),
            groups,
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).cloned()
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.read().objects.keys().cloned().collect()
    }

    /// The objects that belong to a Stage, or to what else they are grouped by, ordered by name.
    pub(crate) fn of_stage(&self, stage: &Key) -> Vec<Arc<K>> {
        let inner = self.read();
        let keys = inner.by_group.get(stage).into_iter().flatten();
        keys.filter_map(|key| inner.objects.get(key).cloned()).collect()
    }

    /// Takes in an object that the watch showed.
    pub(crate) fn seen(&self, object: K) -> Option<Change<K>> {
        self.put(object, true)
    }

    /// Takes in the answer to a read or write of our own. It never brings back what the watch has seen go.
    pub(crate) fn answered(&self, object: K) -> Option<Change<K>> {
        self.put(object, false)
    }

    /// Forgets an object that is gone.
    pub(crate) fn gone(&self, key: &Key) -> Option<Change<K>> {
        let mut inner = self.write();
        let old = inner.objects.remove(key)?;
        index(&mut inner, key, &(self.groups)(&old), &[]);
        Some(Change { key: key.clone(), old: Some(old), new: None })
    }

    fn put(&self, object: K, create: bool) -> Option<Change<K>> {
        let key = Key::of(&object);
        let groups = (self.groups)(&object);
        let mut inner = self.write();
        let old = inner.objects.get(&key).cloned();
        match &old {
            Some(old) if !is_later(&object, old) => return None,
            None if !create || groups.is_empty() => return None,
            _ => {}
        }
        let before = old.as_deref().map(self.groups).unwrap_or_default();
        let new = (!groups.is_empty()).then(|| Arc::new(object));
        match &new {
            Some(new) => inner.objects.insert(key.clone(), new.clone()),
            None => inner.objects.remove(&key),
        };
        index(&mut inner, &key, &before, &groups);
        Some(Change { key, old, new })
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index<K>(inner: &mut Inner<K>, key: &Key, before: &[Key], after: &[Key]) {
    for group in before.iter().filter(|g| !after.contains(g)) {
        if let Some(keys) = inner.by_group.get_mut(group) {
            keys.remove(key);
            if keys.is_empty() {
                inner.by_group.remove(group);
            }
        }
    }
    for group in after {
        inner.by_group.entry(group.clone()).or_default().insert(key.clone());
    }
}

/// Whether `new` is a later version of `old`, or another object of the same name.
fn is_later<K: Resource>(new: &K, old: &K) -> bool {
    let version = |k: &K| k.meta().resource_version.as_ref().and_then(|v| v.parse::<u64>().ok());
    match (version(new), version(old)) {
        (Some(new), Some(old)) => new > old,
        _ => new.meta().resource_version != old.meta().resource_version,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(version: u64, stage: &str) -> ConfigMap {
        let labels = if stage.is_empty() { json!({}) } else { json!({ "stage": stage }) };
        let meta = json!({ "namespace": "n", "name": "o", "resourceVersion": version.to_string(), "labels": labels });
        serde_json::from_value(json!({ "metadata": meta })).unwrap()
    }

    fn store() -> Store<ConfigMap> {
        Store::new(|o| {
            let stage = o.metadata.labels.as_ref().and_then(|l| l.get("stage"));
            stage.map(|s| vec![Key::new("n", s)]).unwrap_or_default()
        })
    }

    #[test]
    fn an_object_is_found_by_the_stage_it_belongs_to_now() {
        let store = store();
        let (dev, prod) = (Key::new("n", "dev"), Key::new("n", "prod"));
        store.seen(object(1, "dev")).unwrap();
        assert_eq!((store.of_stage(&dev).len(), store.of_stage(&prod).len()), (1, 0));
        store.seen(object(2, "prod")).unwrap();
        assert_eq!((store.of_stage(&dev).len(), store.of_stage(&prod).len()), (0, 1));
        let change = store.seen(object(3, "")).unwrap();
        assert!(change.old.is_some() && change.new.is_none());
        assert_eq!((store.of_stage(&prod).len(), store.keys().len()), (0, 0));
        assert!(store.read().by_group.is_empty());
    }

    #[test]
    fn a_watch_that_is_behind_undoes_nothing() {
        let store = store();
        store.seen(object(9, "dev")).unwrap();
        assert!(store.answered(object(11, "prod")).is_some());
        assert!(store.seen(object(10, "dev")).is_none());
        assert!(store.seen(object(11, "prod")).is_none());
        assert_eq!(store.of_stage(&Key::new("n", "prod")).len(), 1);
    }

    #[test]
    fn an_answer_that_comes_late_brings_nothing_back() {
        let store = store();
        store.seen(object(1, "dev")).unwrap();
        store.gone(&Key::new("n", "o")).unwrap();
        assert!(store.answered(object(2, "dev")).is_none());
        assert!(store.keys().is_empty());
    }
}
