//! Removing what belongs to something that is gone: the contents of a Namespace, the dependents of an owner, the objects
//! of a kind. Done before the request that caused it is answered, so that nobody has to wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::answer::Exchange;
use crate::delete;
use crate::event;
use crate::query::Query;
use crate::state::{State, World};
use crate::store::Key;
use crate::target::Asked;
use crate::user::User;

/// Goes on until there is nothing more that can be removed. Cut off, the next write goes on.
pub(crate) async fn sweep(state: &Arc<State>) {
    let mut tried = BTreeSet::new();
    loop {
        let doomed: Vec<(Key, Doom)> = {
            let mut world = state.world();
            if !std::mem::take(&mut world.sweep) {
                return;
            }
            let mut doomed = doomed(&world);
            doomed.retain(|found| !tried.contains(found) && !world.removing.contains(&found.0));
            world.removing.extend(doomed.iter().map(|(key, _)| key.clone()));
            doomed
        };
        if doomed.is_empty() {
            return;
        }
        let _claim = Claim { state, keys: doomed.iter().map(|(key, _)| key.clone()).collect() };
        for (key, doom) in doomed {
            remove(state, &key, doom).await;
            tried.insert((key, doom));
        }
    }
}

/// What is being removed, and by nobody else meanwhile: a webhook that is asked about it may ask us something in turn, and
/// that request must not begin with it again.
struct Claim<'s> {
    state: &'s State,
    keys: Vec<Key>,
}

impl Drop for Claim<'_> {
    /// Also when it is cut off: the next one goes on.
    fn drop(&mut self) {
        let mut world = self.state.world();
        for key in &self.keys {
            world.removing.remove(key);
        }
        world.sweep = true;
    }
}

/// Whether the object goes only when what lies in it is gone.
pub(crate) fn holds_others(key: &Key) -> bool {
    *key == Key::namespace(&key.name)
}

/// Takes the owner out of its dependents.
pub(crate) fn orphan(world: &mut World, owner: &str) -> io::Result<()> {
    let owned: Vec<(Key, Arc<Value>)> = world
        .store
        .all()
        .filter(|(_, object)| owners(object).any(|uid| uid == owner))
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    for (key, object) in owned {
        let mut object = (*object).clone();
        if let Some(metadata) = object["metadata"].as_object_mut()
            && let Some(Value::Array(mut owners)) = metadata.shift_remove("ownerReferences")
        {
            owners.retain(|reference| reference["uid"] != owner);
            if !owners.is_empty() {
                metadata.insert("ownerReferences".into(), owners.into());
            }
        }
        world.store.put(key, object)?;
    }
    Ok(())
}

/// Why something has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doom {
    /// Nobody serves its kind any more.
    Kind,
    Namespace,
    Owner,
    /// A Namespace with nothing in it any more.
    Empty,
}

fn doomed(world: &World) -> Vec<(Key, Doom)> {
    let alive: BTreeSet<&str> =
        world.store.all().filter_map(|(_, object)| object["metadata"]["uid"].as_str()).collect();
    let mut terminating: BTreeMap<&str, bool> = world
        .store
        .all()
        .filter(|(key, object)| holds_others(key) && is_terminating(object))
        .map(|(key, _)| (key.name.as_str(), true))
        .collect();
    let mut doomed = Vec::new();
    for (key, object) in world.store.all() {
        if world.catalog.of_group(&key.group, &key.plural).is_none() {
            doomed.push((key.clone(), Doom::Kind));
            continue;
        }
        if let Some(empty) = terminating.get_mut(key.namespace.as_str()) {
            *empty = false;
            if !is_terminating(object) {
                doomed.push((key.clone(), Doom::Namespace));
            }
            continue;
        }
        let orphaned =
            owners(object).next().is_some() && !owners(object).any(|uid| alive.contains(uid));
        if orphaned && !is_terminating(object) {
            doomed.push((key.clone(), Doom::Owner));
        }
    }
    let empty = terminating.into_iter().filter(|(_, empty)| *empty);
    doomed.extend(empty.map(|(name, _)| (Key::namespace(name), Doom::Empty)));
    doomed
}

async fn remove(state: &Arc<State>, key: &Key, doom: Doom) {
    let resource = state.world().catalog.of_group(&key.group, &key.plural).cloned();
    let account = match doom {
        Doom::Owner => "generic-garbage-collector",
        Doom::Namespace => "namespace-controller",
        Doom::Kind | Doom::Empty => {
            let mut world = state.world();
            let still = world.store.get(key).is_some_and(|o| doom == Doom::Kind || is_bare(o));
            if still && let Err(error) = world.store.remove(key) {
                tracing::warn!(%error, "An object could not be removed");
            }
            world.sweep = true;
            return;
        }
    };
    let Some(resource) = resource else { return };
    let asked = Asked {
        verb: "delete",
        group: resource.group.clone(),
        version: resource.version.clone(),
        plural: resource.plural.clone(),
        namespace: Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: Some(key.name.clone()),
        subresource: None,
    };
    debug_assert!(
        !event::is(&resource) || resource.group.is_empty(),
        "events lie in the core group"
    );
    let user = User::service_account("kube-system", account);
    let mut exchange = Exchange::new(state.clone(), user, Query::default(), asked, resource);
    if let Err(failure) = delete::delete(&mut exchange, &key.name, &json!({})).await {
        tracing::warn!(name = key.name, reason = failure.message, "What is orphaned stays");
    }
}

fn is_terminating(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// No finalizer of anybody else holds it.
fn is_bare(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let references = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    references.filter_map(|reference| reference["uid"].as_str())
}
