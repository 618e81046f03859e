//! How the whole installation works.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigStatus, DeepLink, LocalReference, PromotionWindow, WebhookReceiver};

/// How the whole installation works. There is one, and its name is `cluster`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "ClusterConfig",
    plural = "clusterconfigs",
    shortname = "clusterconfig",
    shortname = "clusterconfigs",
    doc = "How the whole installation works. There is one, and its name is `cluster`.",
    status = "ConfigStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfigSpec {
    /// Receivers of the webhooks that registries and Git hosts send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_receivers: Vec<WebhookReceiver>,
    /// Who commits, where a step commits to Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_client: Option<GitClient>,
    /// Links shown beside Freight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freight_links: Vec<DeepLink>,
    /// Links shown beside Stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stage_links: Vec<DeepLink>,
    /// When promotions are allowed, in every Project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub promotion_windows: Vec<PromotionWindow>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitClient {
    /// The name of the committer.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The e-mail address of the committer.
    #[schemars(extend("format" = "email"), length(min = 1))]
    pub email: String,
    /// The Secret with the key that signs commits, under `signingKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key_secret: Option<LocalReference>,
}
