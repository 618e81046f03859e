//! Everything Wharfinger adds to Kargo's API. A name that is not here keeps Kargo's meaning.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plugin that a source names to be rendered with the Freight of its Stage; also the name of the socket.
pub const PLUGIN: &str = "wharfinger";

/// Environment of a plugin source: the Stage, as `<project>:<stage>`.
pub const ENV_STAGE: &str = "WHARFINGER_STAGE";
/// Environment of a plugin source: the assignment, as `<generation>-<FreightCollection id>`.
pub const ENV_FREIGHT: &str = "WHARFINGER_FREIGHT";

/// On an Application: the reason for lifting the claim rules, written by somebody with verb `bypass` on the Stage.
pub const BREAK_GLASS: &str = "wharfinger.dev/break-glass";
/// On a Promotion: why it was made.
pub const REASON: &str = "wharfinger.dev/reason";
/// On a Promotion that rolls back: the FreightCollection of the Stage's history to return to.
///
/// On an object that was rendered with provenance: the FreightCollection in it.
pub const COLLECTION: &str = "wharfinger.dev/collection";
/// On an object that was rendered with provenance: the names of the Freight in it, separated by commas.
pub const FREIGHT: &str = "wharfinger.dev/freight";
/// On an object that was rendered with provenance: the Stage, as `<project>:<stage>`.
pub const STAGE: &str = "wharfinger.dev/stage";
/// On an object that was rendered with provenance: the generation of the Stage's assignment.
pub const GENERATION: &str = "wharfinger.dev/generation";

/// On a Stage: which fields of its spec admission made of those of an older Kargo, as `<field>:<hash of what it made>`.
pub const CONVERTED: &str = "wharfinger.dev/converted";

/// In the info list of an Argo CD operation: the claim the operation deploys.
pub const INFO_CLAIM: &str = "wharfinger.dev/claim";

/// The fact that a Stage holds a FreightCollection. It is written once per promotion, by the step `assign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Grows by one with every assignment, a rollback included.
    #[schemars(range(min = 1))]
    pub generation: u64,
    /// The id of the FreightCollection that the Stage holds: the first entry of `freightHistory`.
    pub collection: String,
    /// The Promotion that made this assignment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promotion: String,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Why, in the words of whoever asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When the assignment was committed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub assigned_at: Timestamp,
}

/// Which Applications may name a Project's Stages, and what may be changed in them without a promotion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRules {
    /// The Applications that may name a Stage of this Project. One entry that matches is enough. None means any Application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<ApplicationSelector>,
    /// Users who may take Applications away from their Stages: full names, as the API server knows them. Whoever has the
    /// verb `promote` on the Stage may as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released_by: Vec<String>,
    /// What may be changed in Applications of this Project's Stages by anybody who may write them. Empty means that each
    /// change of what is deployed, or of where, takes the verb `promote` on the Stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub freely: Vec<Freedom>,
}

/// Chooses Applications. A field that is absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationSelector {
    /// The Application's namespace, as a glob.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The Application's AppProject, as a glob.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The Application's name, as a glob.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Something about an Application that a Project lets its teams change without a promotion.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Freedom {
    /// Where it deploys to: `spec.destination`.
    Destination,
    /// What is left as it is in the cluster: `spec.ignoreDifferences`.
    IgnoreDifferences,
    /// How a source is rendered: parameters, values files, and what Helm, Kustomize and directories are told.
    Parameters,
    /// Where in the repository a source is: `path`.
    Path,
    /// The AppProject: `spec.project`.
    Project,
    /// The repository or chart of a source: `repoURL`, `chart`.
    Repository,
    /// The revision of a source whose Freight pins none: `targetRevision`.
    Revision,
    /// How many sources there are, and how they refer to each other.
    Sources,
}
