//! A wish that reaches several Targets of one Stage.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The wish that Targets of a Stage hold other Freight.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "PromotionRequest",
    plural = "promotionrequests",
    shortname = "promotionrequest",
    shortname = "promotionrequests",
    namespaced,
    doc = "The wish that Targets of a Stage hold other Freight.",
    status = "PromotionRequestStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Stage","type":"string","jsonPath":".spec.stage"}"#,
    printcolumn = r#"{"name":"Freight","type":"string","jsonPath":".spec.freight"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[schemars(extend("required" = ["stage", "freight", "targets"]))]
pub struct PromotionRequestSpec {
    /// The Stage to promote to. Can't be changed.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = schema::NAME),
        extend("x-kubernetes-validations" = [{ "rule": "self == oldSelf", "message": "stage can't be changed" }])
    )]
    pub stage: String,
    /// The name of the Freight to promote. Can't be changed.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = schema::NAME),
        extend("x-kubernetes-validations" = [{ "rule": "self == oldSelf", "message": "freight can't be changed" }])
    )]
    pub freight: String,
    /// The Targets to promote to. May be empty.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub targets: Vec<RequestedTarget>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedTarget {
    /// The Target's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NAME))]
    pub name: String,
}

/// How the request goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionRequestStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Errored`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// How it goes, one entry a Target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub targets: Vec<TargetProgress>,
    /// How many Targets are how far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<TargetSummary>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the first Promotion began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finished_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetProgress {
    /// The Target's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NAME))]
    pub name: String,
    /// The Promotion to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promotion: String,
    /// That Promotion's phase.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetSummary {
    /// Promotions that have not begun.
    #[serde(default)]
    pub pending: i32,
    /// Promotions that run.
    #[serde(default)]
    pub running: i32,
    /// Promotions that succeeded.
    #[serde(default)]
    pub succeeded: i32,
    /// Promotions that failed.
    #[serde(default)]
    pub failed: i32,
    /// Promotions that could not be carried out.
    #[serde(default)]
    pub errored: i32,
    /// Promotions that were aborted.
    #[serde(default)]
    pub aborted: i32,
}
