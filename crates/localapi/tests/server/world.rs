//! A server with a kind of its own, and what tests ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject};
use kube::client::Body;
use kube::{Api, Client};
use serde_json::{Value, json};
use wharfinger_localapi::{LocalApi, Options, User};

pub(crate) const THINGS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.test.io}
spec:
  group: test.io
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              colour: {type: string, default: red}
          status:
            type: object
            properties:
              phase: {type: string}
---
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Namespace
metadata: {name: b}
"#;

/// 2030-01-01, a second later at every look.
pub(crate) fn options() -> Options {
    let ticks = Arc::new(AtomicI64::new(1_893_456_000));
    let clock =
        move || Timestamp::from_second(ticks.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
    Options { clock: Arc::new(clock), seed: Some("test".into()), ..Options::default() }
}

pub(crate) async fn server() -> LocalApi {
    server_with(options()).await
}

pub(crate) async fn server_with(options: Options) -> LocalApi {
    let server = LocalApi::new(options).unwrap();
    server.apply(THINGS).await.unwrap();
    server
}

pub(crate) fn things(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, "a", &thing_resource())
}

pub(crate) fn thing_resource() -> ApiResource {
    ApiResource {
        group: "test.io".into(),
        version: "v1".into(),
        api_version: "test.io/v1".into(),
        kind: "Thing".into(),
        plural: "things".into(),
    }
}

pub(crate) fn thing(name: &str, size: i64) -> DynamicObject {
    read(json!({
        "apiVersion": "test.io/v1", "kind": "Thing",
        "metadata": {"name": name}, "spec": {"size": size},
    }))
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The Status of a refusal: its code, reason and message.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String, String) {
    match result.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("{other:?}"),
    }
}

/// One request as it is, for what kube does not say.
pub(crate) struct Ask {
    pub(crate) client: Client,
}

impl Ask {
    pub(crate) fn of(server: &LocalApi, user: User) -> Self {
        Self { client: server.client(user) }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (StatusCode, BTreeMap<String, String>, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.as_bytes().to_vec())).unwrap();
        let response: Response<Body> = self.client.send(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect_bytes().await.unwrap();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &parts.headers {
            let all = headers.entry(name.to_string()).or_default();
            all.push_str(if all.is_empty() { "" } else { "; " });
            all.push_str(value.to_str().unwrap());
        }
        (parts.status, headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::GET, path, &[], "").await;
        (status, body)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::POST, path, &[], &body.to_string()).await;
        (status, body)
    }
}
