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
pub const COLLECTION: &str = "wharfinger.dev/collection";

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
