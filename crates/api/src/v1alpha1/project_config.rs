//! How a Project works: policies, windows, receivers, links, and which Applications it accepts.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigStatus, DeepLink, NameOrLabels, PromotionWindow, WebhookReceiver, schema};
use crate::additions::ApplicationRules;

/// How a Project works. There is one in each Project, and it has the Project's name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "ProjectConfig",
    plural = "projectconfigs",
    namespaced,
    doc = "How a Project works. There is one in each Project, and it has the Project's name.",
    status = "ConfigStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ProjectConfigSpec {
    /// Which Stages new Freight is promoted to without being asked. The first policy that matches a Stage decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::promotion_policies")]
    pub promotion_policies: Vec<PromotionPolicy>,
    /// Receivers of the webhooks that registries and Git hosts send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_receivers: Vec<WebhookReceiver>,
    /// Links shown beside Freight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freight_links: Vec<DeepLink>,
    /// Links shown beside Stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stage_links: Vec<DeepLink>,
    /// When promotions are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub promotion_windows: Vec<PromotionWindow>,
    /// Which Applications may name the Project's Stages, and what may be changed in them without a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wharfinger: Option<ApplicationRules>,
}

/// Whether new Freight is promoted to some Stages without being asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionPolicy {
    /// The name of the one Stage. Deprecated: use `stageSelector.name`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = schema::NAME))]
    pub stage: String,
    /// The Stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_selector: Option<NameOrLabels>,
    /// New Freight is promoted to them without being asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_promotion_enabled: bool,
    /// When they go back by themselves to what they held before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_rollback: Option<AutoRollback>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRollback {
    /// Ends of a Promotion after which to go back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::failed_or_errored")]
    pub on_promotion: Vec<String>,
    /// Ends of a verification after which to go back. Absent means `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::failed_or_error")]
    pub on_verification: Option<Vec<String>>,
}
