//! The events that Kargo sends at the end of a Promotion.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use kube::{Client, Resource as _};
use wharfinger_api::v1alpha1::Promotion;
use wharfinger_core::promotion::details;

use crate::apply::{self, Error};

const COMPONENT: &str = "wharfinger-controller";

/// Records how a Promotion ended. Once: the name of the event says what it is about.
pub(crate) async fn record(
    client: &Client,
    promotion: &Promotion,
    now: Timestamp,
) -> Result<(), Error> {
    apply::event(client, &of(promotion, now)).await
}

fn of(promotion: &Promotion, now: Timestamp) -> Event {
    let meta = &promotion.metadata;
    let status = promotion.status.clone().unwrap_or_default();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let name = meta.name.clone().unwrap_or_default();
    let uid = meta.uid.clone().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("promotion-{uid}.{}", status.phase.to_lowercase())),
            namespace: Some(namespace.clone()),
            annotations: Some(details(promotion)),
            ..Default::default()
        },
        involved_object: ObjectReference {
            api_version: Some(Promotion::api_version(&()).into()),
            kind: Some(Promotion::kind(&()).into()),
            namespace: Some(namespace),
            name: Some(name),
            uid: Some(uid),
            resource_version: meta.resource_version.clone(),
            ..Default::default()
        },
        type_: Some(if status.phase == "Succeeded" { "Normal" } else { "Warning" }.into()),
        reason: Some(format!("Promotion{}", status.phase)),
        // The API takes no more than 1024 bytes.
        message: Some(status.message.chars().take(250).collect()),
        source: Some(EventSource { component: Some(COMPONENT.into()), host: None }),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Default::default()
    }
}
