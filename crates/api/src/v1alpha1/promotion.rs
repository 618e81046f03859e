//! A Promotion: the wish that a Stage hold other Freight, and how it went.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FreightCollection, FreightOrigin, FreightReference, schema};

/// The wish that a Stage hold other Freight.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "Promotion",
    plural = "promotions",
    shortname = "promo",
    shortname = "promos",
    namespaced,
    doc = "The wish that a Stage hold other Freight, and how it went.",
    status = "PromotionStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Shard","type":"string","jsonPath":".metadata.labels.kargo\\.akuity\\.io/shard"}"#,
    printcolumn = r#"{"name":"Stage","type":"string","jsonPath":".spec.stage"}"#,
    printcolumn = r#"{"name":"Freight","type":"string","jsonPath":".spec.freight"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "required" = ["stage", "steps"],
    "x-kubernetes-validations" = [{ "rule": "has(self.freight) != has(self.origin)", "message": "exactly one of freight and origin must be set" }]
))]
pub struct PromotionSpec {
    /// The Stage to promote to.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = schema::NAME)
    )]
    pub stage: String,
    /// The name of the Freight to promote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NAME))]
    pub freight: Option<String>,
    /// Promote whatever Freight of this origin automatic promotion would choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<FreightOrigin>,
    /// The Target to promote to, for Stages that have Targets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253), regex(pattern = schema::NAME))]
    pub target: String,
    /// Values that the steps may use. Taken from the Stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// What this Promotion does, in order. Taken from the Stage.
    #[serde(default)]
    #[schemars(schema_with = "steps")]
    pub steps: Vec<PromotionStep>,
}

/// A named value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpressionVariable {
    /// The name by which expressions refer to it.
    #[schemars(length(min = 1), regex(pattern = r"^[a-zA-Z_]\w*$"))]
    pub name: String,
    /// The value. May hold expressions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// One step of a promotion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionStep {
    /// What the step does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1))]
    pub uses: String,
    /// A task whose steps take the place of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<PromotionTaskReference>,
    /// The name by which later steps refer to this one.
    #[serde(default, rename = "as", skip_serializing_if = "String::is_empty")]
    pub alias: String,
    /// An expression: the step is skipped unless it is true.
    #[serde(default, rename = "if", skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// A failure of this step does not fail the Promotion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// How often and how long the step may be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<PromotionStepRetry>,
    /// Values that this step alone may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// What the step is to work with. Its form depends on `uses`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub config: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionTaskReference {
    /// The task's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NAME))]
    pub name: String,
    /// The task's kind. Absent means PromotionTask.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["PromotionTask", "ClusterPromotionTask"]))]
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionStepRetry {
    /// How long the step may take in all. `0s` means without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How many errors in all end the step. Absent means one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_threshold: Option<i32>,
}

/// How the Promotion goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionStatus {
    /// The last value of the refresh annotation that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_handled_refresh: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Errored` or `Aborted`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// More about the phase.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The Freight that is promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight: Option<FreightReference>,
    /// What the Stage is to hold afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight_collection: Option<FreightCollection>,
    /// The checks by which the Stage's health is found from then on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheckStep>,
    /// When the first step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finished_at: Option<Time>,
    /// The index of the step that is being carried out.
    #[serde(default)]
    pub current_step: i64,
    /// How each step went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_execution_metadata: Vec<StepExecutionMetadata>,
    /// What each step has put out, by alias.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub state: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheckStep {
    /// The check.
    #[schemars(length(min = 1))]
    pub uses: String,
    /// What the check is to work with.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "schema::any")]
    pub config: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepExecutionMetadata {
    /// The step's alias.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alias: String,
    /// When the step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub started_at: Option<Time>,
    /// When the step ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub finished_at: Option<Time>,
    /// How many errors the step has met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_count: Option<i32>,
    /// `Running`, `Succeeded`, `Failed`, `Errored`, `Aborted` or `Skipped`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// More about the status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// A failure of this step does not fail the Promotion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
}

/// The steps of a Promotion: each `uses` something, tasks have been put in already.
fn steps(generator: &mut SchemaGenerator) -> Schema {
    steps_with(
        generator,
        serde_json::json!([
            { "rule": "has(self.uses)", "message": "uses must be set" },
            { "rule": "!has(self.task)", "message": "task must not be set: a Promotion's steps are taken from its Stage, tasks resolved" },
        ]),
    )
}

/// The steps of a Stage's template: each `uses` something or names a task.
pub(super) fn template_steps(generator: &mut SchemaGenerator) -> Schema {
    steps_with(
        generator,
        serde_json::json!([
            { "rule": "has(self.uses) != has(self.task)", "message": "exactly one of uses and task must be set" },
            { "rule": "!has(self.task) || !has(self.continueOnError)", "message": "continueOnError can't be set on a step that names a task" },
            { "rule": "!has(self.task) || !has(self.retry)", "message": "retry can't be set on a step that names a task" },
        ]),
    )
}

/// The steps of a task: each `uses` something, and tasks don't name tasks.
pub(super) fn task_steps(generator: &mut SchemaGenerator) -> Schema {
    steps_with(
        generator,
        serde_json::json!([
            { "rule": "has(self.uses)", "message": "uses must be set" },
            { "rule": "!has(self.task)", "message": "task must not be set: a task can't name another" },
        ]),
    )
}

fn steps_with(generator: &mut SchemaGenerator, rules: Value) -> Schema {
    let mut step = generator.subschema_for::<PromotionStep>();
    step.insert("x-kubernetes-validations".into(), rules);
    schemars::json_schema!({
        "description": "What a promotion does, in order.",
        "type": "array",
        "minItems": 1,
        "items": step,
    })
}
