//! Changes as they happen, one line of JSON each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::answer::Exchange;
use crate::failure::{Failure, Outcome};
use crate::query::VersionMatch;
use crate::store::{Change, Scope, Unknown};
use crate::write::scope;

/// How long a watch is silent, at most, where bookmarks are wanted.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How many changes are looked at in one go.
const BATCH: usize = 500;

/// A body that goes on until the time the client gave is over.
pub(crate) fn watch(exchange: Exchange) -> Outcome<Body> {
    let query = &exchange.query;
    query.fields.check(&exchange.resource.group, &exchange.resource.plural)?;
    if query.initial_events.is_some() && query.version_match != VersionMatch::NotOlderThan {
        return Err(invalid(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if query.initial_events.is_none() && query.version_match != VersionMatch::Unset {
        return Err(invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    if query.initial_events == Some(true) && !query.bookmarks {
        return Err(invalid(
            "sendInitialEvents: Forbidden: sendInitialEvents requires allowWatchBookmarks",
        ));
    }
    let scope = scope(&exchange.resource, exchange.asked.namespace.as_deref());
    let asked = query.version.unwrap_or_default();
    let from_nothing = query.initial_events.unwrap_or(asked == 0);
    let ends = query.timeout.map(|timeout| Instant::now() + timeout);

    let world = exchange.state.world();
    let current = world.store.revision();
    if asked > current {
        return Err(Failure::future_version(asked, current));
    }
    let mut first = Vec::new();
    if from_nothing {
        for (_, object) in world.store.scan(&scope) {
            if exchange.matches(object) {
                first.extend(exchange.line("ADDED", object));
            }
        }
        if query.initial_events == Some(true) {
            first.extend(exchange.bookmark(current, true));
        }
    }
    let changes = world.store.subscribe();
    drop(world);
    let from = if from_nothing || asked == 0 { current } else { asked };
    let watcher = Watcher {
        exchange,
        scope,
        from,
        told: from,
        changes,
        ends,
        bookmark_at: Instant::now() + BOOKMARK_EVERY,
        first: (!first.is_empty()).then(|| first.into()),
        over: false,
    };
    let lines = stream::unfold(watcher, async |mut watcher| {
        let bytes = watcher.next().await?;
        Some((Ok::<_, Infallible>(bytes), watcher))
    });
    Ok(Body::from_stream(lines))
}

struct Watcher {
    exchange: Exchange,
    scope: Scope,
    /// What has been looked at.
    from: u64,
    /// What the client has been told of.
    told: u64,
    changes: Receiver<u64>,
    ends: Option<Instant>,
    bookmark_at: Instant,
    first: Option<Bytes>,
    over: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while !self.over {
            self.changes.mark_unchanged();
            let (lines, more) = self.read();
            if !lines.is_empty() {
                self.told = self.from;
                self.bookmark_at = Instant::now() + BOOKMARK_EVERY;
                return Some(lines.into());
            }
            if self.over {
                return None;
            }
            if more {
                continue;
            }
            let bookmarks = self.exchange.query.bookmarks;
            let wakes = self.ends.into_iter().chain(bookmarks.then_some(self.bookmark_at)).min();
            let sleep = async {
                match wakes {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.changes.changed() => self.over = changed.is_err(),
                () = sleep => {
                    self.over = self.ends.is_some_and(|ends| ends <= Instant::now());
                    if bookmarks {
                        return Some(self.bookmark());
                    }
                }
            }
        }
        None
    }

    /// The next lines, and whether there is more to read.
    fn read(&mut self) -> (Vec<u8>, bool) {
        let Self { exchange, scope, from, .. } = self;
        let world = exchange.state.world();
        let mut lines = Vec::new();
        let mut looked = 0;
        match world.store.since(*from) {
            Err(unknown) => {
                let oldest = match unknown {
                    Unknown::Forgotten { oldest } => oldest,
                    Unknown::Future { current } => current,
                };
                let failure =
                    Failure::expired(format!("too old resource version: {from} ({oldest})"));
                let event = json!({"type": "ERROR", "object": failure.status()});
                self.over = true;
                return (format!("{event}\n").into_bytes(), false);
            }
            Ok(changes) => {
                for change in changes.take(BATCH) {
                    looked += 1;
                    *from = change.revision;
                    if scope.holds(&change.key) {
                        lines.extend(exchange.event(change));
                    }
                }
            }
        }
        let served = world.catalog.of_group(&exchange.resource.group, &exchange.resource.plural);
        let served = served.is_some();
        let more = looked == BATCH;
        drop(world);
        // Its CustomResourceDefinition is gone, and all its objects are.
        if !served && !more && lines.is_empty() {
            self.over = true;
        }
        // A client that hears nothing for too long would have to list again.
        let silent = self.from - self.told;
        if lines.is_empty() && self.exchange.query.bookmarks && silent as usize > BATCH {
            lines = self.bookmark().into();
        }
        (lines, more)
    }

    fn bookmark(&mut self) -> Bytes {
        self.told = self.from;
        self.bookmark_at = Instant::now() + BOOKMARK_EVERY;
        self.exchange.bookmark(self.from, false).into()
    }
}

impl Exchange {
    fn matches(&self, object: &Value) -> bool {
        self.query.labels.matches(object) && self.query.fields.matches(object)
    }

    /// What a change looks like to a client that sees only what it selected.
    fn event(&self, change: &Change) -> Vec<u8> {
        let seen = |object: &Option<Arc<Value>>| {
            object.as_ref().filter(|object| self.matches(object)).cloned()
        };
        match (seen(&change.before), seen(&change.after)) {
            (None, None) => Vec::new(),
            (None, Some(after)) => self.line("ADDED", &after),
            (Some(_), Some(after)) => self.line("MODIFIED", &after),
            (Some(before), None) => {
                let mut last = (*before).clone();
                last["metadata"]["resourceVersion"] = change.revision.to_string().into();
                self.line("DELETED", &Arc::new(last))
            }
        }
    }

    fn line(&self, kind: &str, object: &Arc<Value>) -> Vec<u8> {
        let object = self.form.object(&self.resource, object, (self.state.clock)());
        format!("{}\n", json!({"type": kind, "object": object})).into_bytes()
    }

    fn bookmark(&self, version: u64, initial_events_end: bool) -> Vec<u8> {
        let mut object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": {"resourceVersion": version.to_string()},
        });
        if initial_events_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
    }
}

fn invalid(why: &str) -> Failure {
    Failure::new(422, "Invalid", format!("ListOptions.meta.k8s.io \"\" is invalid: {why}"))
}
