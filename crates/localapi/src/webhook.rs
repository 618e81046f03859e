//! Calling a webhook: by its URL, or by what answers for its Service here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tower::ServiceExt as _;

/// As Kubernetes bounds it.
const ANSWER_LIMIT: usize = 3 * 1024 * 1024;

/// What answers when a webhook names a Service.
#[derive(Clone, Debug)]
pub enum Service {
    /// Where it listens, without the path: `https://127.0.0.1:9443`.
    Url(String),
    /// In this process: no socket, no TLS.
    Router(Router),
}

#[derive(Default)]
pub(crate) struct Webhooks {
    /// By namespace and name.
    services: Mutex<BTreeMap<(String, String), Service>>,
    /// By URL and certificate authority.
    clients: Mutex<BTreeMap<(String, String), kube::Client>>,
}

impl Webhooks {
    pub(crate) fn serve(&self, namespace: &str, name: &str, service: Service) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.insert((namespace.into(), name.into()), service);
    }

    /// What the webhook answers, or why it does not.
    pub(crate) async fn call(
        &self,
        client_config: &Value,
        review: &Value,
        limit: Duration,
    ) -> Result<Value, String> {
        let asked = self.ask(client_config, review);
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer,
            Err(_) => Err("context deadline exceeded".into()),
        }
    }

    async fn ask(&self, client_config: &Value, review: &Value) -> Result<Value, String> {
        let authority = client_config["caBundle"].as_str().unwrap_or_default();
        if let Some(url) = client_config["url"].as_str() {
            return self.ask_url(url, authority, review).await;
        }
        let service = &client_config["service"];
        let text = |field: &str| service[field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let path = match service["path"].as_str() {
            Some(path) if path.starts_with('/') => path,
            _ => "/",
        };
        let found = {
            let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.get(&(namespace.clone(), name.clone())).cloned()
        };
        match found {
            None => Err(format!("service {name:?} in namespace {namespace:?} not found")),
            Some(Service::Url(base)) => {
                let url = format!("{}{path}", base.trim_end_matches('/'));
                self.ask_url(&url, authority, review).await
            }
            Some(Service::Router(router)) => {
                let request = post(path, review).map_err(|error| error.to_string())?;
                let answer = router.oneshot(request.map(axum::body::Body::from)).await;
                let (parts, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
                read(parts.status, body).await
            }
        }
    }

    async fn ask_url(&self, url: &str, authority: &str, review: &Value) -> Result<Value, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let client = self.client(&uri, authority)?;
        let request = post(&path, review).map_err(|error| error.to_string())?;
        let answer = client.send(request.map(kube::client::Body::from)).await;
        let (parts, body) = answer.map_err(|error| format!("Post {url:?}: {error}"))?.into_parts();
        read(parts.status, body).await
    }

    /// kube's client serves as the HTTP client: it trusts the one authority, and keeps connections.
    fn client(&self, uri: &Uri, authority: &str) -> Result<kube::Client, String> {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("{uri}: must have a scheme and a host"));
        };
        let base = format!("{scheme}://{host}/");
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (base.clone(), authority.to_owned());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let mut config =
            kube::Config::new(base.parse().map_err(|error| format!("{base}: {error}"))?);
        if !authority.is_empty() {
            config.root_cert = Some(certificates(authority).ok_or("caBundle can't be read")?);
        }
        let client = kube::Client::try_from(config).map_err(|error| error.to_string())?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn post(path: &str, review: &Value) -> http::Result<Request<Vec<u8>>> {
    Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, "application/json")
        .body(review.to_string().into_bytes())
}

async fn read<B>(status: http::StatusCode, body: B) -> Result<Value, String>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, ANSWER_LIMIT).collect().await;
    let bytes = body.map_err(|error| error.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!(
            "an error on the server ({status}) has prevented the request from succeeding"
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("the answer can't be read: {error}"))
}

/// The certificates of a `caBundle`, in DER.
fn certificates(bundle: &str) -> Option<Vec<Vec<u8>>> {
    let pem = String::from_utf8(BASE64.decode(bundle).ok()?).ok()?;
    let certificates: Vec<Vec<u8>> = pem
        .split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|rest| {
            let text = rest.split("-----END CERTIFICATE-----").next()?;
            BASE64.decode(text.split_whitespace().collect::<String>()).ok()
        })
        .collect::<Option<_>>()?;
    (!certificates.is_empty()).then_some(certificates)
}
