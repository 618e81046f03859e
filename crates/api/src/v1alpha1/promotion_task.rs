//! Steps that several Stages share.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExpressionVariable, PromotionStep};

/// Steps that the promotion templates of a Project's Stages may name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "PromotionTask",
    plural = "promotiontasks",
    shortname = "promotask",
    shortname = "promotasks",
    namespaced,
    doc = "Steps that the promotion templates of a Project's Stages may name.",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
pub struct PromotionTaskSpec {
    /// What the task takes. A variable without a value has to be given by whoever names the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// What the task does, in order. At least one.
    #[schemars(schema_with = "super::promotion::task_steps")]
    pub steps: Vec<PromotionStep>,
}

/// Steps that the promotion templates of every Project's Stages may name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "ClusterPromotionTask",
    plural = "clusterpromotiontasks",
    shortname = "clusterpromotask",
    shortname = "clusterpromotasks",
    doc = "Steps that the promotion templates of every Project's Stages may name.",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
pub struct ClusterPromotionTaskSpec {
    /// What the task takes. A variable without a value has to be given by whoever names the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<ExpressionVariable>,
    /// What the task does, in order. At least one.
    #[schemars(schema_with = "super::promotion::task_steps")]
    pub steps: Vec<PromotionStep>,
}
