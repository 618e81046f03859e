//! An admission webhook for one case: a real one, over TLS.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use axum::{Json, Router, extract::State, routing::post};
use base64::Engine as _;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use wharfinger_daemon::{Shutdown, tls};

use crate::{
    objects::{CONFIGMAPS, configmap},
    server::Server,
};

/// What the webhook answers to a request, without the uid.
pub(crate) type Answering = fn(&Value) -> Value;

pub(crate) struct Webhook {
    pub(crate) client_config: Value,
    seen: Seen,
    // Dropped, it ends.
    _serving: JoinSet<Result<()>>,
    _keys: TempDir,
}

type Seen = Arc<Mutex<Vec<Value>>>;

impl Webhook {
    pub(crate) async fn start(answering: Answering) -> Result<Self> {
        let keys = TempDir::new()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".into()])?.self_signed(&key)?;
        let file = |name: &str| keys.path().join(name);
        std::fs::write(file("tls.crt"), certificate.pem())?;
        std::fs::write(file("tls.key"), key.serialize_pem())?;
        let identity = tls::Identity::load(file("tls.crt"), file("tls.key")).await?;
        let listener = tls::listen(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("https://127.0.0.1:{}/", listener.local_addr()?.port());
        let seen = Seen::default();
        let app = Router::new().route("/", post(review)).with_state((answering, seen.clone()));
        let mut serving = JoinSet::new();
        serving.spawn(tls::serve(listener, identity, app, Shutdown::new()));
        let bundle = base64::engine::general_purpose::STANDARD.encode(certificate.pem());
        let client_config = json!({ "url": url, "caBundle": bundle });
        Ok(Self { client_config, seen, _serving: serving, _keys: keys })
    }

    /// Registers it for the namespace of the case, as `hook.conformance.example.com`, and waits until it is asked.
    /// `more` goes over what the configuration says by itself: to be asked about ConfigMaps and Stages.
    pub(crate) async fn register(&self, s: &Server, kind: &str, more: Value) -> Result<()> {
        configure(s, kind, &self.client_config, more).await?;
        s.until(|| async {
            self.clear();
            s.post(&format!("{CONFIGMAPS}?dryRun=All"), configmap("probe")).await?;
            ensure!(!self.seen().is_empty(), "the webhook is not asked");
            Ok(())
        })
        .await?;
        self.clear();
        Ok(())
    }

    /// The requests since the last look.
    pub(crate) fn seen(&self) -> Vec<Value> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn clear(&self) {
        drop(self.seen());
    }
}

pub(crate) async fn configure(
    s: &Server,
    kind: &str,
    client_config: &Value,
    more: Value,
) -> Result<()> {
    let rule = |group: &str, version: &str, resources: &str, operations: Value| {
        json!({
            "apiGroups": [group], "apiVersions": [version], "resources": [resources],
            "operations": operations, "scope": "Namespaced",
        })
    };
    let mut webhook = json!({
        "name": "hook.conformance.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": client_config,
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "{ns}" } },
        "rules": [
            rule("", "v1", "configmaps", json!(["CREATE"])),
            rule("kargo.akuity.io", "v1alpha1", "stages", json!(["CREATE", "UPDATE", "DELETE"])),
        ],
    });
    if let (Value::Object(webhook), Value::Object(more)) = (&mut webhook, more) {
        webhook.extend(more);
    }
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": format!("{kind}WebhookConfiguration"),
        "metadata": { "name": "{ns}" },
        "webhooks": [webhook],
    });
    let plural = format!("{}webhookconfigurations", kind.to_lowercase());
    s.post(&format!("/apis/admissionregistration.k8s.io/v1/{plural}"), configuration)
        .await?
        .done()?;
    Ok(())
}

async fn review(
    State((answering, seen)): State<(Answering, Seen)>,
    Json(review): Json<Value>,
) -> Json<Value> {
    let request = review["request"].clone();
    let mut response = answering(&request);
    response["uid"] = request["uid"].clone();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    Json(json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
    }))
}
