//! A Project: the namespace of the same name and all that is in it.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::{ClusterResourceScope, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GROUP, VERSION, schema};

/// A tenant: the namespace of the same name holds its Warehouses, Freight, Stages and Promotions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    #[serde(default = "api_version")]
    pub api_version: String,
    #[serde(default = "kind")]
    pub kind: String,
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// What Wharfinger observed of the Project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ProjectStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Counts of what the Project holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<ProjectStats>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectStats {
    /// Warehouses of the Project.
    #[serde(default)]
    pub warehouses: Counted,
    /// Stages of the Project.
    #[serde(default)]
    pub stages: Counted,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// How many there are.
    #[serde(default)]
    pub count: i64,
    /// How they are.
    #[serde(default)]
    pub health: HealthStats,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthStats {
    /// How many of them are healthy.
    #[serde(default)]
    pub healthy: i64,
}

impl kube::Resource for Project {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Project".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "projects".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

pub(super) fn crd() -> CustomResourceDefinition {
    schema::definition::<Project>(
        &serde_json::json!({ "kind": "Project", "listKind": "ProjectList", "plural": "projects", "singular": "project" }),
        "Cluster",
        &serde_json::json!([
            { "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" },
            { "name": "Status", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message" },
            { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
    )
}

fn api_version() -> String {
    format!("{GROUP}/{VERSION}")
}

fn kind() -> String {
    "Project".into()
}
