//! A Kubernetes API with three kinds, which can be down, silent or late.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

type Answer = Response<BoxBody<Bytes, Infallible>>;

#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    /// By plural, namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    watches: Vec<(String, UnboundedSender<Value>)>,
    mood: Mood,
    version: u64,
    /// Every call, as `GET plural/name`.
    calls: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Up,
    Down,
    /// Takes questions and never answers.
    Silent,
}

impl World {
    pub(super) fn client(&self) -> kube::Client {
        let world = self.clone();
        let service =
            tower::service_fn(move |request: Request<Body>| world.clone().answer(&request));
        kube::Client::new(service, "default")
    }

    pub(super) fn mood(&self, mood: Mood) {
        let mut inside = self.0.lock().unwrap();
        inside.mood = mood;
        if mood != Mood::Up {
            // Watches break off with everything else.
            inside.watches.clear();
        }
    }

    /// Puts an object there, and tells the watches.
    pub(super) fn put(&self, object: Value) {
        let told = self.put_quietly(object);
        let mut inside = self.0.lock().unwrap();
        let (plural, object) = told;
        inside.watches.retain(|(watched, send)| {
            *watched != plural || send.send(json!({"type": "MODIFIED", "object": object})).is_ok()
        });
    }

    /// Puts an object there that no watch has heard of yet.
    pub(super) fn put_quietly(&self, mut object: Value) -> (String, Value) {
        let mut inside = self.0.lock().unwrap();
        inside.version += 1;
        object["metadata"]["resourceVersion"] = json!(inside.version.to_string());
        let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        inside.objects.insert((plural.clone(), text("namespace"), text("name")), object.clone());
        (plural, object)
    }

    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    fn answer(
        self,
        request: &Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, std::io::Error>> + Send>> {
        let (path, query) =
            (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        assert_eq!(request.method(), "GET", "the sidecar only reads");
        let mut inside = self.0.lock().unwrap();
        match inside.mood {
            Mood::Up => {}
            Mood::Down => {
                return Box::pin(async { Err(std::io::ErrorKind::ConnectionRefused.into()) });
            }
            Mood::Silent => return Box::pin(std::future::pending()),
        }
        // /apis/<group>/<version>/[namespaces/<namespace>/]<plural>[/<name>]
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match parts[3..] {
            [plural] if query.contains("watch=true") => {
                let (send, receive) = unbounded_channel();
                inside.watches.push((plural.to_owned(), send));
                let lines =
                    futures::StreamExt::map(UnboundedReceiverStream::new(receive), |event| {
                        Ok::<_, Infallible>(hyper::body::Frame::data(Bytes::from(format!(
                            "{event}\n"
                        ))))
                    });
                Response::new(http_body_util::BodyExt::boxed(StreamBody::new(lines)))
            }
            [plural] => {
                let of = inside
                    .objects
                    .iter()
                    .filter(|((p, _, _), _)| p == plural)
                    .map(|(_, o)| o.clone());
                let items: Vec<_> = of.collect();
                full(
                    StatusCode::OK,
                    &json!({
                        "apiVersion": "v1", "kind": "List", "items": items,
                        "metadata": {"resourceVersion": inside.version.to_string()},
                    }),
                )
            }
            ["namespaces", namespace, plural, name] => {
                inside.calls.push(format!("{plural}/{name}"));
                match inside.objects.get(&(
                    plural.to_owned(),
                    namespace.to_owned(),
                    name.to_owned(),
                )) {
                    Some(object) => full(StatusCode::OK, object),
                    None => full(
                        StatusCode::NOT_FOUND,
                        &json!({
                            "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404,
                            "message": "not found",
                        }),
                    ),
                }
            }
            _ => panic!("{path}"),
        };
        Box::pin(async { Ok(answer) })
    }
}

fn full(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *answer.status_mut() = status;
    answer
}
