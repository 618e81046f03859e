//! Freight: artifacts that travel together, and the collections of them that Stages hold.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GROUP, VERSION, VerificationInfo, schema};

/// A set of artifacts (commits, images, charts) of one Warehouse that are promoted together. Its name is a hash of its content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["origin"]))]
pub struct Freight {
    #[serde(default = "api_version")]
    pub api_version: String,
    #[serde(default = "kind")]
    pub kind: String,
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// A name for people, unique in the Project. May be changed at any time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alias: String,
    /// When the newest of its artifacts was discovered. Newer Freight is preferred by automatic promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub discovered_at: Option<Time>,
    /// The Warehouse the Freight comes from.
    #[serde(default)]
    pub origin: FreightOrigin,
    /// Commits of Git repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<GitCommit>,
    /// Container images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Helm charts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// Artifacts of other types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactReference>,
    /// Where the Freight is, and where it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<FreightStatus>,
}

/// Where Freight comes from.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(extend("required" = ["kind", "name"]))]
pub struct FreightOrigin {
    /// The kind of the origin. Only `Warehouse` exists.
    #[serde(default)]
    #[schemars(extend("enum" = ["Warehouse"]))]
    pub kind: String,
    /// The name of the origin, in the same namespace.
    #[serde(default)]
    pub name: String,
}

impl std::fmt::Display for FreightOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitCommit {
    /// The URL of the Git repository.
    #[serde(default, rename = "repoURL", skip_serializing_if = "String::is_empty")]
    pub repo_url: String,
    /// The commit's full SHA.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The branch on which the commit was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The tag that led to the commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The first line of the commit message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The author of the commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The person who committed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub committer: String,
    /// The subscription that found the commit, if it has a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The image's repository, without scheme, tag or digest.
    #[serde(default, rename = "repoURL", skip_serializing_if = "String::is_empty")]
    pub repo_url: String,
    /// The image's tag.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The image's digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Annotations of the image's manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The subscription that found the image, if it has a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// The chart repository: `oci://…` with the chart's name in it, or `https://…`.
    #[serde(default, rename = "repoURL", skip_serializing_if = "String::is_empty")]
    pub repo_url: String,
    /// The chart's name; empty for an OCI repository.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The chart's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The subscription that found the chart, if it has a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
}

/// An artifact of a type that this API knows nothing about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["subscriptionName", "version"]))]
pub struct ArtifactReference {
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1))]
    pub artifact_type: String,
    /// The subscription that found it.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub subscription_name: String,
    /// Its version.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub version: String,
    /// Whatever else the subscription says about it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub metadata: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreightStatus {
    /// The Stages that hold this Freight now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub currently_in: BTreeMap<String, CurrentStage>,
    /// The Stages in which this Freight was verified.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verified_in: BTreeMap<String, VerifiedStage>,
    /// The Stages this Freight may go to without having been verified upstream.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approved_for: BTreeMap<String, ApprovedStage>,
    /// Values that promotions have attached to this Freight.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::any_map")]
    pub metadata: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurrentStage {
    /// Since when the Stage holds the Freight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedStage {
    /// When the Freight was verified in the Stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub verified_at: Option<Time>,
    /// The longest the Freight has stayed in the Stage.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub longest_soak: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedStage {
    /// When the Freight was approved for the Stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub approved_at: Option<Time>,
}

/// A piece of Freight with what it holds, copied to where it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FreightReference {
    /// The name of the Freight.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where the Freight comes from.
    #[serde(default)]
    pub origin: FreightOrigin,
    /// Commits of Git repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<GitCommit>,
    /// Container images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Helm charts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// Artifacts of other types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactReference>,
}

/// What a Stage holds: one piece of Freight for each origin it requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["id"]))]
pub struct FreightCollection {
    /// A hash of the names of the Freight in it.
    #[serde(default)]
    pub id: String,
    /// The Freight, by origin (`Warehouse/<name>`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, FreightReference>,
    /// How its verification went, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_history: Vec<VerificationInfo>,
}

impl kube::Resource for Freight {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Freight".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "freights".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

pub(super) fn crd() -> CustomResourceDefinition {
    schema::definition::<Freight>(
        &serde_json::json!({ "kind": "Freight", "listKind": "FreightList", "plural": "freights", "singular": "freight" }),
        "Namespaced",
        &serde_json::json!([
            { "name": "Alias", "type": "string", "jsonPath": ".metadata.labels.kargo\\.akuity\\.io/alias" },
            { "name": "Origin (Kind)", "type": "string", "jsonPath": ".origin.kind" },
            { "name": "Origin (Name)", "type": "string", "jsonPath": ".origin.name" },
            { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
    )
}

fn api_version() -> String {
    format!("{GROUP}/{VERSION}")
}

fn kind() -> String {
    "Freight".into()
}
