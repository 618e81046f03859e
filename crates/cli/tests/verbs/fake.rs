//! A Kubernetes API that answers what it is told to, and remembers what was asked.
//!
//! It knows no rule, and proves nothing about a real one: `tests/argocd/wharf.rs` runs against that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clap::Parser as _;
use futures::StreamExt as _;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use wharfinger_cli::Args;
use wharfinger_cli::exit::Exit;
use wharfinger_cli::output::Console;
use wharfinger_cli::session::Session;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// By `<METHOD> <path>`: the code and the body.
    answers: BTreeMap<String, (u16, Value)>,
    /// By path: what a watch tells.
    events: BTreeMap<String, Vec<Value>>,
    asked: Vec<Asked>,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) what: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// How a command line ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Of Kargo's kinds, in the Project of all these tests.
pub(crate) fn path(rest: &str) -> String {
    format!("/apis/kargo.akuity.io/v1alpha1/namespaces/shop/{rest}")
}

impl Api {
    pub(crate) fn answer(&self, what: &str, code: u16, body: Value) -> &Self {
        self.0.lock().unwrap().answers.insert(what.into(), (code, body));
        self
    }

    /// The objects of a kind: listed, and each by its name.
    pub(crate) fn objects(&self, plural: &str, objects: &[Value]) -> &Self {
        for object in objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            self.answer(&format!("GET {}", path(&format!("{plural}/{name}"))), 200, object.clone());
        }
        let list = json!({ "metadata": { "resourceVersion": "1" }, "items": objects });
        self.answer(&format!("GET {}", path(plural)), 200, list)
    }

    /// The states of an object that a watch tells, one after the other.
    pub(crate) fn events(&self, plural: &str, objects: &[Value]) -> &Self {
        let event = |object: &Value| json!({ "type": "MODIFIED", "object": object });
        self.0.lock().unwrap().events.insert(path(plural), objects.iter().map(event).collect());
        self
    }

    /// What was written, in order.
    pub(crate) fn written(&self) -> Vec<Asked> {
        let inner = self.0.lock().unwrap();
        inner.asked.iter().filter(|a| !a.what.starts_with("GET ")).cloned().collect()
    }

    /// Runs `wharf -p shop …`.
    pub(crate) async fn wharf(&self, args: &[&str]) -> Ran {
        run(&[&["-p", "shop"], args].concat(), Some(self.client())).await
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.reply(request).await) }
        });
        Client::new(service, "default")
    }

    async fn reply(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let what = format!("{} {path}", parts.method);
        let mut inner = self.0.lock().unwrap();
        inner.asked.push(Asked {
            what: what.clone(),
            query: query.into(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        if parts.method == Method::GET && query.contains("watch=true") {
            let events = inner.events.get(path).cloned().unwrap_or_default();
            let lines = futures::stream::iter(events)
                .map(|e| Ok(http_body::Frame::data(Bytes::from(format!("{e}\n")))))
                .chain(futures::stream::pending());
            return Response::new(UnsyncBoxBody::new(StreamBody::new(lines)));
        }
        match inner.answers.get(&what) {
            Some((code, body)) => answer(*code, body),
            None => answer(404, &status(404, &format!("{what} is not there"))),
        }
    }
}

/// What an API server says that does not do it.
pub(crate) fn status(code: u16, message: &str) -> Value {
    let reason = if code == 404 { "NotFound" } else { "" };
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason })
}

fn answer(code: u16, body: &Value) -> Answer {
    let mut answer = Response::new(UnsyncBoxBody::new(Full::new(Bytes::from(body.to_string()))));
    *answer.status_mut() = code.try_into().unwrap();
    answer
}

pub(crate) const NOW: &str = "2026-11-21T14:18:04Z";

/// Runs a command line, over a client or over what its flags say.
pub(crate) async fn run(args: &[&str], client: Option<Client>) -> Ran {
    let (stdout, stderr) = (Page::default(), Page::default());
    let exit = run_on(args, client, &stdout, &stderr).await;
    Ran { exit, stdout: stdout.text(), stderr: stderr.text() }
}

/// The same, on pages that can be read before it has ended.
pub(crate) async fn run_on(
    args: &[&str],
    client: Option<Client>,
    stdout: &Page,
    stderr: &Page,
) -> Exit {
    let args = Args::parse_from([&["wharf"], args].concat());
    let console = Console::new(Box::new(stdout.clone()), Box::new(stderr.clone()));
    let session =
        Session::new(args.global().clone(), console, || NOW.parse::<Timestamp>().unwrap());
    let session = match client {
        Some(client) => session.over(client),
        None => session,
    };
    args.run_in(&session).await
}

/// Something to write on that can be read afterwards.
#[derive(Clone, Default)]
pub(crate) struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
