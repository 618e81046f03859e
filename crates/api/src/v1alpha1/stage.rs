//! A Stage: a place where Freight goes, and what it holds.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::additions::Assignment;

use super::{
    ExpressionVariable, FreightCollection, FreightOrigin, FreightReference, PromotionStatus,
    PromotionStep, schema, selector,
};

/// An environment, or one step on the way to it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "Stage",
    plural = "stages",
    namespaced,
    doc = "A place where Freight goes: an environment, or one step on the way to it.",
    status = "StageStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Shard","type":"string","jsonPath":".spec.shard"}"#,
    printcolumn = r#"{"name":"Current Freight","type":"string","jsonPath":".status.freightSummary"}"#,
    printcolumn = r#"{"name":"Health","type":"string","jsonPath":".status.health.status"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct StageSpec {
    /// The controller that looks after this Stage. Empty means the default one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shard: String,
    /// Values that the steps of a promotion and the arguments of a verification may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// Where this Stage may take Freight from. At least one.
    #[schemars(length(min = 1))]
    pub requested_freight: Vec<FreightRequest>,
    /// What a promotion to this Stage does. Without it the Stage only passes Freight on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_template: Option<PromotionTemplate>,
    /// How Freight is verified once it is in this Stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The Targets this Stage promotes to, instead of being one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetSelection>,
    /// Deprecated: write `requestedFreight`. Admission puts that in its place.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "super::legacy::subscriptions")]
    pub subscriptions: Value,
    /// Deprecated: write `promotionTemplate`. Admission puts that in its place.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "super::legacy::promotion_mechanisms")]
    pub promotion_mechanisms: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreightRequest {
    /// The Warehouse whose Freight is wanted.
    pub origin: FreightOrigin,
    /// The ways by which the Freight may come here.
    pub sources: FreightSources,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreightSources {
    /// Freight may come straight from the Warehouse.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
    /// Stages in which Freight has to be verified first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// How long Freight has to have been in an upstream Stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(s|m|h))+$"))]
    pub required_soak_time: Option<String>,
    /// Whether Freight has to be verified in all of `stages`, or in one of them. Empty means one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["All", "OneOf", ""]))]
    pub availability_strategy: String,
    /// Which Freight automatic promotion chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_promotion_options: Option<AutoPromotionOptions>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoPromotionOptions {
    /// The newest Freight that is available, or what the one upstream Stage holds. Absent means the newest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["NewestFreight", "MatchUpstream"]))]
    pub selection_policy: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionTemplate {
    /// What each Promotion to this Stage is made from.
    pub spec: PromotionTemplateSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionTemplateSpec {
    /// Values that the steps may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// What a promotion does, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), schema_with = "super::promotion::template_steps")]
    pub steps: Vec<PromotionStep>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The templates of the analysis that verifies Freight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analysis_templates: Vec<AnalysisTemplateReference>,
    /// Labels and annotations for the AnalysisRuns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
    /// Arguments for the AnalysisRuns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<AnalysisRunArgument>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnalysisTemplateReference {
    /// The template's name.
    pub name: String,
    /// The template's kind. Absent means AnalysisTemplate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["AnalysisTemplate", "ClusterAnalysisTemplate"]))]
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnalysisRunMetadata {
    /// Labels to add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnalysisRunArgument {
    /// The argument's name.
    pub name: String,
    /// The argument's value. May hold expressions.
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["selectors"]))]
pub struct TargetSelection {
    /// Targets that match any of these. May be empty.
    #[serde(default)]
    #[schemars(schema_with = "selector::atomic_list_of_labels")]
    pub selectors: Vec<LabelSelector>,
}

/// What the Stage holds, and how it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last value of the refresh annotation that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_handled_refresh: String,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the Stage holds and has held, newest first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freight_history: Vec<FreightCollection>,
    /// What the Stage holds, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub freight_summary: String,
    /// The health of what the Stage has deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The Promotion that is being carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_promotion: Option<PromotionReference>,
    /// The last Promotion that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_promotion: Option<PromotionReference>,
    /// The PromotionRequest that is being carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_promotion_request: Option<PromotionRequestReference>,
    /// The last PromotionRequest that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_promotion_request: Option<PromotionRequestReference>,
    /// Whether new Freight is promoted here without being asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_promotion_enabled: bool,
    /// Whether the Stage's promotion windows allow a promotion now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_window_status: Option<PromotionWindowStatus>,
    /// Values that promotions have attached to this Stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::any_map")]
    pub metadata: BTreeMap<String, Value>,
    /// Origins whose automatic promotion is held back, because somebody chose other Freight by hand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub auto_promotion_holds: BTreeMap<String, AutoPromotionHold>,
    /// The holds, with those of Promotions that have not ended yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effective_auto_promotion_holds: BTreeMap<String, AutoPromotionHold>,
    /// What the Stage holds, as a fact: every Application of the Stage deploys this and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `Healthy`, `Unhealthy`, `Progressing`, `Unknown` or `NotApplicable`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<String>,
    /// What the checks were given.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub config: Value,
    /// What the checks found.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub output: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionReference {
    /// The name of the Promotion.
    pub name: String,
    /// The Freight it promotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight: Option<FreightReference>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PromotionStatus>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finished_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionRequestReference {
    /// The name of the PromotionRequest.
    pub name: String,
    /// The Freight it promotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight: Option<RequestedFreight>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Errored`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finished_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedFreight {
    /// The name of the Freight.
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["closed"]))]
pub struct PromotionWindowStatus {
    /// Promotions are not allowed now.
    #[serde(default)]
    pub closed: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When promotions will be allowed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_open: Option<Time>,
    /// When promotions will be forbidden next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_close: Option<Time>,
    /// Why they will be forbidden.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_close_reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["freightName", "origin"]))]
pub struct AutoPromotionHold {
    /// The Freight that was chosen by hand.
    #[serde(default)]
    pub freight_name: String,
    /// The origin that is held.
    #[serde(default)]
    pub origin: FreightOrigin,
    /// The Promotion by which it was chosen.
    #[serde(default)]
    pub promotion_name: String,
    /// Who chose it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// When it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub created_at: Option<Time>,
}

/// One verification of what a Stage holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationInfo {
    /// Identifies this verification.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub start_time: Option<Time>,
    /// `Pending`, `Running`, `Successful`, `Failed`, `Error`, `Aborted` or `Inconclusive`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// More about the phase.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The AnalysisRun that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis_run: Option<AnalysisRunReference>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finish_time: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["namespace", "name", "phase"]))]
pub struct AnalysisRunReference {
    /// The AnalysisRun's namespace.
    pub namespace: String,
    /// The AnalysisRun's name.
    pub name: String,
    /// The AnalysisRun's phase.
    #[serde(default)]
    pub phase: String,
}
