//! One API server under test, and one namespace in it that a case has to itself.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

use crate::{answer::Answer, places::Place, watch::Watch};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) client: kube::Client,
    pub(crate) ns: Arc<str>,
    /// Whom to be, when not the administrator.
    person: Option<Arc<str>>,
}

impl Server {
    /// The server and a new namespace of that name.
    pub(crate) async fn with_namespace(place: Place, case: &str) -> Result<Self> {
        let client = place.admin()?;
        let server = Self { place, client, ns: case.replace('_', "-").into(), person: None };
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": &*server.ns },
        });
        server.post("/api/v1/namespaces", namespace).await?.done()?;
        Ok(server)
    }

    /// The same as somebody else, by impersonation.
    pub(crate) fn person(&self, name: &str) -> Self {
        Self { person: Some(name.into()), ..self.clone() }
    }

    /// The same as whom the token says.
    pub(crate) fn bearer(&self, token: &str) -> Result<Self> {
        Ok(Self { client: self.place.bearer(token)?, ..self.clone() })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, "application/json", &Value::Null).await
    }

    pub(crate) async fn get_as(&self, accept: &str, path: &str) -> Result<Answer> {
        let request = self.request(Method::GET, path).header(header::ACCEPT, accept);
        self.answer(request.body(Body::empty())?).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(Method::POST, path, "application/json", &body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(Method::PUT, path, "application/json", &body).await
    }

    pub(crate) async fn merge(&self, path: &str, patch: Value) -> Result<Answer> {
        self.send(Method::PATCH, path, "application/merge-patch+json", &patch).await
    }

    pub(crate) async fn json_patch(&self, path: &str, patch: Value) -> Result<Answer> {
        self.send(Method::PATCH, path, "application/json-patch+json", &patch).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, "application/json", &Value::Null).await
    }

    pub(crate) async fn delete_with(&self, path: &str, options: Value) -> Result<Answer> {
        self.send(Method::DELETE, path, "application/json", &options).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: &Value,
    ) -> Result<Answer> {
        let request = self.request(method, path);
        let body = match body {
            Value::Null => request.body(Body::empty()),
            // A text is sent as it is: not every body that servers get is JSON.
            Value::String(text) => request
                .header(header::CONTENT_TYPE, content)
                .body(Body::from(text.clone().into_bytes())),
            body => request
                .header(header::CONTENT_TYPE, content)
                .body(Body::from(self.placed(&body.to_string()).into_bytes())),
        };
        self.answer(body?).await
    }

    /// A watch, with what is to be asked after `watch=true`.
    pub(crate) async fn watch(&self, path: &str) -> Result<Watch> {
        let ask = if path.contains('?') { "&" } else { "?" };
        let request = self.request(Method::GET, &format!("{path}{ask}watch=true"));
        let response = self.client.send(request.body(Body::empty())?).await?;
        Watch::new(response).await
    }

    /// Asks `question` until it is answered. For what a real API server learns a moment later: permissions, webhooks.
    pub(crate) async fn until<T, F>(&self, question: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        loop {
            pause.tick().await;
            match question().await {
                Ok(answer) => return Ok(answer),
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// `{ns}` stands for the namespace of the case.
    pub(crate) fn placed(&self, text: &str) -> String {
        text.replace("{ns}", &self.ns)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(self.placed(path));
        match &self.person {
            Some(person) => request.header("Impersonate-User", &**person),
            None => request,
        }
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Result<Answer> {
        let what = format!("{} {}", request.method(), request.uri());
        let whole = async {
            let (head, body) = self.client.send(request).await?.into_parts();
            anyhow::Ok((head, body.collect().await?.to_bytes()))
        };
        let (head, body) =
            tokio::time::timeout(PATIENCE, whole).await.with_context(|| what.clone())??;
        Ok(Answer::new(what, &head, &body, self.ns.clone()))
    }
}
