//! Events about what was allowed: what others may want to know, and what was allowed although the rules say otherwise.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tracing::{error, info, warn};
use wharfinger_core::admission;
use wharfinger_daemon::{Shutdown, Tasks};

use crate::review::Request;

/// How many may wait to be written. The API server gets no answer later for them.
const WAITING: usize = 256;
const LIMIT: Duration = Duration::from_secs(10);

/// Where events go to be written, one after the other.
#[derive(Clone)]
pub(crate) struct Events(Sender<Event>);

impl Events {
    pub(crate) fn write(client: Client, tasks: &mut Tasks) -> Self {
        let (events, told) = Self::channel();
        tasks.support("events", |last| write(client, told, last));
        events
    }

    pub(crate) fn channel() -> (Self, Receiver<Event>) {
        let (sender, receiver) = channel(WAITING);
        (Self(sender), receiver)
    }

    /// Says it in the log at once, and in an event soon.
    pub(crate) fn tell(&self, request: &Request, event: &admission::Event) {
        let Request { namespace, name, user_info, .. } = request;
        let (reason, text, user) = (event.reason, &event.text, &user_info.username);
        if event.warning {
            warn!(reason, namespace, name, user, text, "Rules lifted");
        } else {
            info!(reason, namespace, name, user, text, "Allowed");
        }
        if self.0.try_send(about(request, event)).is_err() {
            error!(namespace, name, "Event lost: too many are waiting");
        }
    }
}

async fn write(client: Client, mut events: Receiver<Event>, last: Shutdown) -> anyhow::Result<()> {
    loop {
        let event = tokio::select! {
            // What was allowed before the end is told before the end.
            biased;
            Some(event) = events.recv() => event,
            () = last.cancelled() => return Ok(()),
        };
        let api: Api<Event> = Api::namespaced(
            client.clone(),
            event.metadata.namespace.as_deref().unwrap_or("default"),
        );
        match timeout(LIMIT, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => error!(%error, note = event.note, "Event not written"),
            Err(_) => error!(note = event.note, "Event not written in time"),
        }
    }
}

/// Each is an event of its own: in a series only the first would say who.
fn about(request: &Request, event: &admission::Event) -> Event {
    let object = request.object.as_ref().or(request.old_object.as_ref());
    let object = object.and_then(|object| object.value().ok());
    let text = |path: &str| {
        object.and_then(|o| o.pointer(path)).and_then(Value::as_str).map(str::to_owned)
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let short: String = name.as_deref().unwrap_or("wharfinger").chars().take(200).collect();
    Event {
        metadata: ObjectMeta {
            // It ends in a dash: in a dot it may not.
            generate_name: Some(format!("{}-", short.trim_end_matches(['.', '-']))),
            namespace: Some(namespace.clone().unwrap_or_else(|| "default".into())),
            annotations: Some(event.annotations.clone()).filter(|a| !a.is_empty()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        type_: Some(if event.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(event.reason.into()),
        action: Some("Admit".into()),
        note: Some(event.text.clone()),
        regarding: Some(ObjectReference {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            name,
            namespace,
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
            ..ObjectReference::default()
        }),
        reporting_controller: Some("wharfinger-webhook".into()),
        reporting_instance: Some(
            std::env::var("HOSTNAME").unwrap_or_else(|_| "wharfinger-webhook".into()),
        ),
        ..Event::default()
    }
}
