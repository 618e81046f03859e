//! An admission webhook for one case: a real one, over TLS.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};

use crate::{
    objects::{CONFIGMAPS, configmap},
    server::Server,
    tls::Served,
};

/// What the webhook answers to a request, without the uid.
pub(crate) type Answering = fn(&Value) -> Value;

pub(crate) struct Webhook {
    pub(crate) client_config: Value,
    seen: Seen,
    _served: Served,
}

type Seen = Arc<Mutex<Vec<Value>>>;

impl Webhook {
    pub(crate) async fn start(answering: Answering) -> Result<Self> {
        let seen = Seen::default();
        let app = Router::new().route("/", post(review)).with_state((answering, seen.clone()));
        let served = Served::start(app).await?;
        let client_config = json!({ "url": served.url, "caBundle": served.authority });
        Ok(Self { client_config, seen, _served: served })
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
