//! A Warehouse: what to watch for new artifacts, and what was found.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;

/// Watches repositories and makes Freight of what it finds there.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "Warehouse",
    plural = "warehouses",
    namespaced,
    doc = "Watches repositories and makes Freight of what it finds there.",
    status = "WarehouseStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Shard","type":"string","jsonPath":".spec.shard"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["interval", "subscriptions"]))]
pub struct WarehouseSpec {
    /// The controller that looks after this Warehouse. Empty means the default one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shard: String,
    /// How often the repositories are looked at.
    #[serde(default = "five_minutes")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(s|m|h))+$"))]
    pub interval: String,
    /// Whether Freight is made of new artifacts at once, or only by hand.
    #[serde(default = "automatic")]
    #[schemars(extend("enum" = ["Automatic", "Manual"]))]
    pub freight_creation_policy: String,
    /// The repositories to watch. Each item has one of `git`, `image` and `chart`, and perhaps a `name`.
    #[schemars(schema_with = "schema::some_of_anything")]
    pub subscriptions: Vec<Value>,
    /// What has to hold for Freight to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight_creation_criteria: Option<FreightCreationCriteria>,
}

fn five_minutes() -> String {
    "5m0s".into()
}

fn automatic() -> String {
    "Automatic".into()
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreightCreationCriteria {
    /// An expression over the newest artifacts that were found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
}

/// What the Warehouse has found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WarehouseStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last value of the refresh annotation that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_handled_refresh: String,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The name of the Freight that was made last.
    #[serde(default, rename = "lastFreightID", skip_serializing_if = "String::is_empty")]
    pub last_freight_id: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered_artifacts: Option<DiscoveredArtifacts>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredArtifacts {
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub discovered_at: Option<Time>,
    /// Commits, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub git: Vec<GitDiscoveryResult>,
    /// Images, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageDiscoveryResult>,
    /// Charts, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<ChartDiscoveryResult>,
    /// Artifacts of other types, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<DiscoveryResult>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitDiscoveryResult {
    /// The URL of the Git repository.
    #[serde(rename = "repoURL")]
    #[schemars(
        length(min = 1),
        regex(
            pattern = r"(?:^(ssh|https?)://(?:([\w-]+)(:(.+))?@)?([\w-]+(?:\.[\w-]+)*)(?::(\d{1,5}))?(/.*)$)|(?:^([\w-]+)@([\w+]+(?:\.[\w-]+)*):(/?.*))"
        )
    )]
    pub repo_url: String,
    /// The subscription's name, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
    /// The commits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<DiscoveredCommit>,
    /// The refs that were seen, so that an unchanged repository need not be cloned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_refs: Option<ObservedRefs>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredCommit {
    /// The commit's full SHA.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1))]
    pub id: String,
    /// The branch on which it was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The tag that led to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The first line of its message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Its author.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Who committed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub committer: String,
    /// When it was committed, or its tag made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub creator_date: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedRefs {
    /// The head of the branch.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch_head: String,
    /// The tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<ObservedTag>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedTag {
    /// The tag.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The commit it names.
    #[schemars(length(min = 1))]
    pub id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageDiscoveryResult {
    /// The image's repository.
    #[serde(rename = "repoURL")]
    #[schemars(length(min = 1))]
    pub repo_url: String,
    /// The subscription's name, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
    /// The platform that was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// The images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<DiscoveredImageReference>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredImageReference {
    /// The image's tag.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[\w.\-\_]+$"))]
    pub tag: String,
    /// The image's digest.
    #[schemars(length(min = 1), regex(pattern = r"^[a-z0-9]+:[a-f0-9]+$"))]
    pub digest: String,
    /// Annotations of the image's manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub created_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartDiscoveryResult {
    /// The chart repository.
    #[serde(rename = "repoURL")]
    #[schemars(length(min = 1))]
    pub repo_url: String,
    /// The chart's name; empty for an OCI repository.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The versions that were asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub semver_constraint: String,
    /// The subscription's name, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
    /// The versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["name"]))]
pub struct DiscoveryResult {
    /// The subscription's name.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub name: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifact_references: Vec<super::ArtifactReference>,
}
