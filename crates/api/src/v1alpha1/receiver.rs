//! Receivers of the webhooks that registries and Git hosts send, and links to other places.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{schema, selector};

/// Receives what one registry or Git host sends when something new is there. Exactly one of its types is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["name"]))]
pub struct WebhookReceiver {
    /// The name of the receiver, unique in its list. It is part of the receiver's path.
    #[serde(default)]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = schema::NAME)
    )]
    pub name: String,
    /// Artifactory. The Secret's key is `secret-token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifactory: Option<ArtifactoryReceiver>,
    /// Azure Container Registry and Azure DevOps. The Secret's key is `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Receiver>,
    /// Bitbucket. The Secret's key is `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitbucket: Option<Receiver>,
    /// Docker Hub. The Secret's key is `secret`.
    #[serde(default, rename = "dockerhub", skip_serializing_if = "Option::is_none")]
    pub docker_hub: Option<Receiver>,
    /// Any sender, by rules. The Secret's key is `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generic: Option<GenericReceiver>,
    /// Gitea. The Secret's key is `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitea: Option<Receiver>,
    /// GitHub. The Secret's key is `secret`.
    #[serde(default, rename = "github", skip_serializing_if = "Option::is_none")]
    pub git_hub: Option<Receiver>,
    /// GitLab. The Secret's key is `secret-token`.
    #[serde(default, rename = "gitlab", skip_serializing_if = "Option::is_none")]
    pub git_lab: Option<Receiver>,
    /// Harbor. The Secret's key is `auth-header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harbor: Option<Receiver>,
    /// Quay. The Secret's key is `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quay: Option<Receiver>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receiver {
    /// The Secret by which the sender is known.
    pub secret_ref: LocalReference,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactoryReceiver {
    /// The Secret by which the sender is known.
    pub secret_ref: LocalReference,
    /// The virtual repository by which the Warehouses know what the sender calls by its local repository.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub virtual_repo_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericReceiver {
    /// The Secret by which the sender is known.
    pub secret_ref: LocalReference,
    /// What to do about a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub actions: Vec<GenericAction>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["action"]))]
pub struct GenericAction {
    /// What to do with the targets. Only `Refresh` exists.
    #[serde(default)]
    #[schemars(extend("enum" = ["Refresh"]))]
    pub action: String,
    /// An expression over the request: the action is left out unless it is true. Empty means always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when_expression: String,
    /// Values for the action.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What to act on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub target_selection_criteria: Vec<TargetSelectionCriteria>,
}

/// Chooses objects of one kind. What matches every criterion that is set is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["kind"]))]
pub struct TargetSelectionCriteria {
    /// The kind of the objects. Only `Warehouse` exists.
    #[serde(default)]
    #[schemars(extend("enum" = ["Warehouse"]))]
    pub kind: String,
    /// The name of one object. May hold expressions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Labels of the objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "selector::labels")]
    pub label_selector: Option<LabelSelector>,
    /// What the objects subscribe to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_selector: Option<IndexSelector>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexSelector {
    /// Conditions; all have to hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub match_indices: Vec<IndexRequirement>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexRequirement {
    /// What to look at.
    #[schemars(extend("enum" = ["subscribedURLs", "receiverPaths"]))]
    pub key: String,
    /// How to compare: `Equals` or `NotEquals`.
    pub operator: String,
    /// What to compare with. May hold expressions.
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LocalReference {
    /// The name of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Where a receiver listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReceiverDetails {
    /// The receiver's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The path of its URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its URL, to be given to the sender.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A link that is shown beside an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeepLink {
    /// What the link is called.
    #[schemars(length(min = 1))]
    pub title: String,
    /// Where it leads. May hold expressions.
    #[schemars(length(min = 1))]
    pub url: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// An expression: the link is shown only where it is true. Empty means everywhere.
    #[serde(default, rename = "if", skip_serializing_if = "String::is_empty")]
    pub condition: String,
}
