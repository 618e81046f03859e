//! Fills a store from a watch, for as long as the process lives.
//!
//! A watch that breaks is taken up again, one that has fallen behind begins anew with a list. What can't be understood is
//! named in the log and left out: one broken object is nobody else's trouble.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tracing::{info, warn};
use wharfinger_daemon::{Gate, Shutdown};

use crate::store::{Change, Key, Store};

/// What becomes of what a watch shows.
pub(crate) struct Into<'w, K> {
    pub(crate) store: &'w Store<K>,
    pub(crate) prune: fn(&mut K),
    pub(crate) changed: &'w (dyn Fn(&Change<K>) + Send + Sync),
}

/// Watches all objects of a kind. `ready` is told, and `gate` opened, when all that is there has been seen once.
pub(crate) async fn watch<K>(
    client: Client,
    into: Into<'_, K>,
    gate: Gate,
    ready: oneshot::Sender<()>,
    shutdown: Shutdown,
) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let api: Api<DeserializeGuard<K>> = Api::all(client);
    let kind = K::kind(&());
    let mut events = pin!(watcher(api, watcher::Config::default()).backoff(Pause::default()));
    let mut ready = Some(ready);
    let mut listed = HashSet::new();
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            event = events.next() => event,
        };
        match event {
            Some(Ok(Event::Init)) => listed.clear(),
            Some(Ok(Event::InitApply(object))) => {
                listed.insert(Key::of(&object));
                into.seen(object);
            }
            Some(Ok(Event::InitDone)) => {
                let gone = into.store.keys().into_iter().filter(|key| !listed.contains(key));
                gone.filter_map(|key| into.store.gone(&key))
                    .for_each(|change| (into.changed)(&change));
                info!(%kind, count = listed.len(), "Listed");
                listed = HashSet::new();
                gate.open();
                if let Some(ready) = ready.take() {
                    ready.send(()).ok();
                }
            }
            Some(Ok(Event::Apply(object))) => into.seen(object),
            Some(Ok(Event::Delete(object))) => {
                into.store.gone(&Key::of(&object)).iter().for_each(into.changed);
            }
            Some(Err(error)) => warn!(%kind, %error, "The watch broke; it is taken up again"),
            None => anyhow::bail!("the watch of {kind} ended"),
        }
    }
}

impl<K: Resource<DynamicType = ()>> Into<'_, K> {
    fn seen(&self, object: DeserializeGuard<K>) {
        let key = Key::of(&object);
        let change = match object.0 {
            Ok(mut object) => {
                (self.prune)(&mut object);
                self.store.seen(object)
            }
            Err(invalid) => {
                warn!(kind = %K::kind(&()), %key, error = invalid.error, "Not understood, and left out");
                self.store.gone(&key)
            }
        };
        change.iter().for_each(self.changed);
    }
}

/// Between two tries of a watch: short, since nothing happens without it.
#[derive(Default)]
struct Pause(u32);

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Duration::from_millis(100)
            .saturating_mul(1 << self.0.min(6))
            .min(Duration::from_secs(1));
        self.0 = self.0.saturating_add(1);
        Some(pause)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        self.0 = 0;
    }
}
