//! A Kubernetes API in memory, as far as the controller needs one: objects, versions, watches, conflicts; and faults.
//!
//! It knows no rule of ours. It proves nothing about a real API server, which `tests/` at the root runs against.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;

type Key = (String, String, String);

#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<(u64, String, Value)>,
    watchers: Vec<(String, u64, mpsc::UnboundedSender<Value>)>,
    /// What clients wrote: verb, what, and when.
    writes: Vec<Write>,
    refuse_patches: Option<String>,
    /// Counts connections: a client that has died is answered nothing any more.
    clients: u64,
    dead: u64,
    /// The living client dies at its write of this number.
    dies_at: Option<(usize, Death)>,
    delay: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) what: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// Whether the write at which a client dies still happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Before,
    After,
}

impl Api {
    /// A client, as a process that has just started has one.
    pub(crate) fn client(&self) -> Client {
        let number = {
            let mut inner = self.0.lock().unwrap();
            inner.clients += 1;
            inner.clients
        };
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(number, request).await) }
        });
        Client::new(service, "default")
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    pub(crate) fn die_at(&self, write: usize, death: Death) {
        let mut inner = self.0.lock().unwrap();
        inner.writes.clear();
        inner.dies_at = Some((write, death));
    }

    /// Whether the client that was to die has died.
    pub(crate) fn died(&self) -> bool {
        let inner = self.0.lock().unwrap();
        inner.dead == inner.clients
    }

    pub(crate) fn refuse_patches(&self, why: Option<&str>) {
        self.0.lock().unwrap().refuse_patches = why.map(Into::into);
    }

    /// Ends every watch; with `forget`, what has happened since can't be watched any more.
    pub(crate) fn break_watches(&self, forget: bool) {
        let mut inner = self.0.lock().unwrap();
        inner.watchers.clear();
        if forget {
            inner.history.clear();
        }
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.0.lock().unwrap().writes.clone()
    }

    pub(crate) fn count(&self, is: impl Fn(&Write) -> bool) -> usize {
        self.0.lock().unwrap().writes.iter().filter(|w| is(w)).count()
    }

    /// Grows with every change of anything.
    pub(crate) fn version(&self) -> u64 {
        self.0.lock().unwrap().version
    }

    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(&(plural.into(), namespace.into(), name.into())).cloned()
    }

    pub(crate) fn all(&self, plural: &str) -> Vec<Value> {
        self.0
            .lock()
            .unwrap()
            .objects
            .iter()
            .filter(|(key, _)| key.0 == plural)
            .map(|(_, o)| o.clone())
            .collect()
    }

    /// Creates or replaces an object, as somebody else.
    pub(crate) fn put(&self, plural: &str, object: Value) -> Value {
        self.0.lock().unwrap().store(plural, object)
    }

    /// Changes an object, as somebody else.
    pub(crate) fn change(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut inner = self.0.lock().unwrap();
        let mut object =
            inner.objects[&(plural.to_owned(), namespace.to_owned(), name.to_owned())].clone();
        change(&mut object);
        inner.store(plural, object);
    }

    pub(crate) fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let mut inner = self.0.lock().unwrap();
        let mut object = inner
            .objects
            .remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned()))
            .unwrap();
        inner.version += 1;
        object["metadata"]["resourceVersion"] = inner.version.to_string().into();
        inner.tell("DELETED", plural, object);
    }

    async fn answer(
        &self,
        client: u64,
        request: Request<Body>,
    ) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let delay = self.0.lock().unwrap().delay;
        if parts.method != Method::GET && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let path: Vec<String> =
            parts.uri.path().trim_matches('/').split('/').map(Into::into).collect();
        let path = if path[0] == "api" { &path[2..] } else { &path[3..] };
        let (namespace, path) = match path {
            [n, namespace, rest @ ..] if n == "namespaces" => (namespace.clone(), rest.to_vec()),
            rest => (String::new(), rest.to_vec()),
        };
        let query = parts.uri.query().unwrap_or_default();
        let mut inner = self.0.lock().unwrap();
        if client <= inner.dead {
            return failure(StatusCode::SERVICE_UNAVAILABLE, "nobody is there");
        }
        if parts.method == Method::GET {
            return inner.read(&namespace, &path, query);
        }
        let what = format!("{} {}", parts.method, path.join("/"));
        inner.writes.push(Write { what, body: body.clone(), at: Instant::now() });
        let dies = inner.dies_at.filter(|(at, _)| inner.writes.len() == *at);
        if let Some((_, death)) = dies {
            inner.dead = client;
            if death == Death::Before {
                return failure(StatusCode::SERVICE_UNAVAILABLE, "died");
            }
        }
        let answer = inner.write(&parts.method, &namespace, &path, body);
        if dies.is_some() { failure(StatusCode::SERVICE_UNAVAILABLE, "died") } else { answer }
    }
}

impl Inner {
    fn read(
        &mut self,
        namespace: &str,
        path: &[String],
        query: &str,
    ) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let plural = &path[0];
        if let Some(name) = path.get(1) {
            return match self.objects.get(&(plural.clone(), namespace.to_owned(), name.clone())) {
                Some(object) => answer(object),
                None => failure(StatusCode::NOT_FOUND, "not found"),
            };
        }
        let parameter =
            |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        if parameter("watch") != Some("true") {
            let items: Vec<_> =
                self.objects.iter().filter(|(key, _)| key.0 == *plural).map(|(_, o)| o).collect();
            return answer(
                &json!({ "metadata": { "resourceVersion": self.version.to_string() }, "items": items }),
            );
        }
        let from: u64 =
            parameter("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or_default();
        let oldest = self.history.first().map_or(self.version + 1, |(version, ..)| *version);
        let (sender, receiver) = mpsc::unbounded_channel();
        if from + 1 < oldest {
            let gone = json!({ "type": "ERROR", "object": { "code": 410, "status": "Failure", "message": "too old", "reason": "Expired" } });
            sender.send(gone).unwrap();
        }
        for (_, _, event) in
            self.history.iter().filter(|(version, of, _)| *version > from && of == plural)
        {
            sender.send(event.clone()).unwrap();
        }
        self.watchers.push((plural.clone(), from, sender));
        let lines = futures::stream::unfold(receiver, async |mut receiver| {
            let event: Value = receiver.recv().await?;
            Some((Ok(http_body::Frame::data(Bytes::from(format!("{event}\n")))), receiver))
        });
        Response::new(UnsyncBoxBody::new(StreamBody::new(lines.boxed())))
    }

    fn write(
        &mut self,
        method: &Method,
        namespace: &str,
        path: &[String],
        body: Value,
    ) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let plural = &path[0];
        if *method == Method::POST {
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if self.objects.contains_key(&(plural.clone(), namespace.to_owned(), name)) {
                return failure(StatusCode::CONFLICT, "exists");
            }
            return answer(&self.store(plural, body));
        }
        let Some(old) =
            self.objects.get(&(plural.clone(), namespace.to_owned(), path[1].clone())).cloned()
        else {
            return failure(StatusCode::NOT_FOUND, "not found");
        };
        let carried = &body["metadata"]["resourceVersion"];
        if !carried.is_null() && *carried != old["metadata"]["resourceVersion"] {
            return failure(StatusCode::CONFLICT, "the object has been modified");
        }
        let mut new = old;
        if *method == Method::PUT {
            new["status"] = body["status"].clone();
        } else {
            if let Some(why) = self.refuse_patches.as_ref().filter(|_| plural == "applications") {
                return failure(StatusCode::FORBIDDEN, why);
            }
            merge(&mut new, body);
        }
        answer(&self.store(plural, new))
    }

    fn store(&mut self, plural: &str, mut object: Value) -> Value {
        self.version += 1;
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let key = (
            plural.to_owned(),
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        );
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        let kind =
            if self.objects.insert(key, object.clone()).is_some() { "MODIFIED" } else { "ADDED" };
        self.tell(kind, plural, object.clone());
        object
    }

    fn tell(&mut self, kind: &str, plural: &str, object: Value) {
        let event = json!({ "type": kind, "object": object });
        self.watchers.retain(|(of, _, sender)| of != plural || sender.send(event.clone()).is_ok());
        self.history.push((self.version, plural.to_owned(), event));
    }
}

/// RFC 7386.
pub(crate) fn merge(into: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

fn answer(value: &Value) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    Response::new(UnsyncBoxBody::new(http_body_util::Full::new(Bytes::from(value.to_string()))))
}

fn failure(code: StatusCode, message: &str) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "message": message, "reason": "" });
    let mut answer = answer(&status);
    *answer.status_mut() = code;
    answer
}
