//! Artifacts as expressions see them: with the names that Kargo's structures have in Go.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use wharfinger_api::v1alpha1::{
    ArtifactReference, Chart, DiscoveredCommit, DiscoveredImageReference, FreightOrigin, GitCommit,
    Image,
};

use super::budget::Budget;
use super::types::{Shape, Type};
use super::value::{Fault, Field, Record, Value};

const TEXT: Type = Type::Text;

pub(super) static ORIGIN: Shape =
    Shape { name: "an origin", fields: &[("Kind", TEXT), ("Name", TEXT)] };
pub(super) static COMMIT: Shape = Shape {
    name: "a commit",
    fields: &[
        ("RepoURL", TEXT),
        ("ID", TEXT),
        ("Branch", TEXT),
        ("Tag", TEXT),
        ("Message", TEXT),
        ("Author", TEXT),
        ("Committer", TEXT),
        ("SubscriptionName", TEXT),
    ],
};
pub(super) static IMAGE: Shape = Shape {
    name: "an image",
    fields: &[
        ("RepoURL", TEXT),
        ("Tag", TEXT),
        ("Digest", TEXT),
        ("Annotations", Type::Map),
        ("SubscriptionName", TEXT),
    ],
};
pub(super) static CHART: Shape = Shape {
    name: "a chart",
    fields: &[("RepoURL", TEXT), ("Name", TEXT), ("Version", TEXT), ("SubscriptionName", TEXT)],
};
pub(super) static ARTIFACT: Shape = Shape {
    name: "an artifact",
    fields: &[
        ("ArtifactType", TEXT),
        ("SubscriptionName", TEXT),
        ("Version", TEXT),
        ("Metadata", Type::Map),
    ],
};
pub(super) static DISCOVERED_COMMIT: Shape = Shape {
    name: "a commit that was found",
    fields: &[
        ("ID", TEXT),
        ("Branch", TEXT),
        ("Tag", TEXT),
        ("Subject", TEXT),
        ("Author", TEXT),
        ("Committer", TEXT),
        ("CreatorDate", Type::Unknown),
    ],
};
pub(super) static DISCOVERED_IMAGE: Shape = Shape {
    name: "an image that was found",
    fields: &[
        ("Tag", TEXT),
        ("Digest", TEXT),
        ("Annotations", Type::Map),
        ("CreatedAt", Type::Unknown),
    ],
};

pub(super) fn origin(origin: &FreightOrigin) -> Value {
    record(&ORIGIN, vec![text("Kind", "kind", &origin.kind), text("Name", "name", &origin.name)])
}

pub(super) fn commit(commit: &GitCommit) -> Value {
    record(
        &COMMIT,
        vec![
            text("RepoURL", "repoURL", &commit.repo_url),
            text("ID", "id", &commit.id),
            text("Branch", "branch", &commit.branch),
            text("Tag", "tag", &commit.tag),
            text("Message", "message", &commit.message),
            text("Author", "author", &commit.author),
            text("Committer", "committer", &commit.committer),
            text("SubscriptionName", "subscriptionName", &commit.subscription_name),
        ],
    )
}

pub(super) fn image(image: &Image) -> Result<Value, Fault> {
    let fields = vec![
        text("RepoURL", "repoURL", &image.repo_url),
        text("Tag", "tag", &image.tag),
        text("Digest", "digest", &image.digest),
        annotations(&image.annotations)?,
        text("SubscriptionName", "subscriptionName", &image.subscription_name),
    ];
    Ok(record(&IMAGE, fields))
}

pub(super) fn chart(chart: &Chart) -> Value {
    record(
        &CHART,
        vec![
            text("RepoURL", "repoURL", &chart.repo_url),
            text("Name", "name", &chart.name),
            text("Version", "version", &chart.version),
            text("SubscriptionName", "subscriptionName", &chart.subscription_name),
        ],
    )
}

/// Its metadata is unpacked, and an empty map where there is none.
pub(super) fn artifact(artifact: &ArtifactReference, budget: &mut Budget) -> Result<Value, Fault> {
    let metadata = match &artifact.metadata {
        Json::Null => Value::map(BTreeMap::new())?,
        json @ Json::Object(_) => Value::of_json(json, budget)?,
        _ => return Err("finds an artifact whose metadata is no object".into()),
    };
    // Kargo's own structure for expressions has no other names in JSON.
    let same = |name, of: &str| Field { omitted: false, ..text(name, name, of) };
    let fields = vec![
        same("ArtifactType", &artifact.artifact_type),
        same("SubscriptionName", &artifact.subscription_name),
        same("Version", &artifact.version),
        Field { name: "Metadata", json: "Metadata", omitted: false, value: metadata },
    ];
    Ok(record(&ARTIFACT, fields))
}

pub(super) fn discovered_commit(commit: &DiscoveredCommit) -> Value {
    record(
        &DISCOVERED_COMMIT,
        vec![
            text("ID", "id", &commit.id),
            text("Branch", "branch", &commit.branch),
            text("Tag", "tag", &commit.tag),
            text("Subject", "subject", &commit.subject),
            text("Author", "author", &commit.author),
            text("Committer", "committer", &commit.committer),
            time("CreatorDate", "creatorDate", commit.creator_date.as_ref().map(|time| time.0)),
        ],
    )
}

pub(super) fn discovered_image(image: &DiscoveredImageReference) -> Result<Value, Fault> {
    let fields = vec![
        text("Tag", "tag", &image.tag),
        text("Digest", "digest", &image.digest),
        annotations(&image.annotations)?,
        time("CreatedAt", "createdAt", image.created_at.as_ref().map(|time| time.0)),
    ];
    Ok(record(&DISCOVERED_IMAGE, fields))
}

fn record(shape: &'static Shape, fields: Vec<Field>) -> Value {
    Value::Record(Record { kind: shape.name, fields }.into())
}

fn text(name: &'static str, json: &'static str, of: &str) -> Field {
    Field { name, json, omitted: true, value: Value::text(of) }
}

fn annotations(of: &BTreeMap<String, String>) -> Result<Field, Fault> {
    let entries = of.iter().map(|(key, value)| (key.clone(), Value::text(value.as_str())));
    let value = Value::map(entries.collect())?;
    Ok(Field { name: "Annotations", json: "annotations", omitted: true, value })
}

fn time(name: &'static str, json: &'static str, of: Option<jiff::Timestamp>) -> Field {
    let value = of.map_or(Value::Nil, |time| super::time::in_zone(time, jiff::tz::TimeZone::UTC));
    Field { name, json, omitted: true, value }
}
