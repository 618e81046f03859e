//! A watch that one object which can't be read does not hold up.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

/// The objects that are there and can't be read, by namespace and name. About one of them nothing is known: it must be
/// asked for, and what is wrong with it is the answer.
#[derive(Clone, Debug, Default)]
pub struct Unreadable(Arc<RwLock<BTreeSet<(String, String)>>>);

impl Unreadable {
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !all.is_empty() && all.contains(&(namespace.to_owned(), name.to_owned()))
    }

    fn set(&self, metadata: &ObjectMeta, unreadable: bool) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match unreadable {
            true => all.insert(key(metadata)),
            false => all.remove(&key(metadata)),
        };
    }

    fn replace(&self, all: BTreeSet<(String, String)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }
}

/// Watches what can be read. What can't is told of as deleted, with nothing but its metadata (`bare` makes it), and kept in
/// `unreadable` until it can be read or is gone.
pub fn watch_readable<K>(
    api: Api<DeserializeGuard<K>>,
    bare: fn(ObjectMeta) -> K,
    unreadable: Unreadable,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut listed = BTreeSet::new();
    let events = watcher(api, watcher::Config::default());
    events.filter_map(move |event| {
        std::future::ready(match event {
            Ok(event) => seen(event, bare, &unreadable, &mut listed).map(Ok),
            Err(error) => Some(Err(error)),
        })
    })
}

fn seen<K: Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
    bare: fn(ObjectMeta) -> K,
    unreadable: &Unreadable,
    listed: &mut BTreeSet<(String, String)>,
) -> Option<Event<K>> {
    Some(match event {
        Event::Init => {
            listed.clear();
            Event::Init
        }
        Event::InitApply(DeserializeGuard(Ok(object))) => Event::InitApply(object),
        Event::InitApply(DeserializeGuard(Err(invalid))) => {
            listed.insert(told::<K>(&invalid.metadata, &invalid.error));
            return None;
        }
        // From here on the list counts, and so does what was not in it.
        Event::InitDone => {
            unreadable.replace(std::mem::take(listed));
            Event::InitDone
        }
        Event::Apply(DeserializeGuard(Ok(object))) => {
            unreadable.set(object.meta(), false);
            Event::Apply(object)
        }
        Event::Apply(DeserializeGuard(Err(invalid))) => {
            told::<K>(&invalid.metadata, &invalid.error);
            unreadable.set(&invalid.metadata, true);
            Event::Delete(bare(invalid.metadata))
        }
        Event::Delete(DeserializeGuard(gone)) => {
            let gone = gone.unwrap_or_else(|invalid| bare(invalid.metadata));
            unreadable.set(gone.meta(), false);
            Event::Delete(gone)
        }
    })
}

fn told<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta, error: &str) -> (String, String) {
    let (namespace, name) = key(metadata);
    warn!(kind = %K::kind(&()), namespace, name, error, "Not readable; left out");
    (namespace, name)
}

fn key(metadata: &ObjectMeta) -> (String, String) {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn bare(metadata: ObjectMeta) -> ConfigMap {
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn object(name: &str, readable: bool) -> DeserializeGuard<ConfigMap> {
        let data = if readable { json!({ "k": "v" }) } else { json!({ "k": 1 }) };
        let metadata = json!({ "name": name, "namespace": "a" });
        serde_json::from_value(json!({ "metadata": metadata, "data": data })).unwrap()
    }

    #[test]
    fn what_cant_be_read_is_known_to_be_unknown_until_it_can_or_is_gone() {
        let (unreadable, mut listed) = (Unreadable::default(), BTreeSet::new());
        let mut see = |event| {
            let told = seen(event, bare, &unreadable, &mut listed);
            told.map(|told| match told {
                Event::Init => "init",
                Event::InitApply(_) => "listed",
                Event::InitDone => "done",
                Event::Apply(_) => "applied",
                Event::Delete(_) => "deleted",
            })
        };
        let unknown = |name| unreadable.contains("a", name);
        assert_eq!(see(Event::Init), Some("init"));
        assert_eq!(see(Event::InitApply(object("good", true))), Some("listed"));
        assert_eq!(see(Event::InitApply(object("bad", false))), None);
        assert_eq!(see(Event::InitDone), Some("done"));
        assert!(unknown("bad") && !unknown("good") && !unreadable.contains("b", "bad"));
        // What was known of it is not true any more.
        assert_eq!(see(Event::Apply(object("good", false))), Some("deleted"));
        assert!(unknown("good"));
        assert_eq!(see(Event::Apply(object("good", true))), Some("applied"));
        assert!(!unknown("good"));
        assert_eq!(see(Event::Delete(object("bad", false))), Some("deleted"));
        assert!(!unknown("bad"));
        // A list begun anew forgets what went meanwhile, once it is complete.
        see(Event::Apply(object("bad", false)));
        see(Event::Init);
        assert!(unknown("bad"));
        see(Event::InitDone);
        assert!(!unknown("bad"));
    }
}
