//! Labels and annotations of Kargo, with Kargo's meaning.

/// On an Argo CD Application: the Stage that may deploy to it, as `<project>:<stage>`.
pub const AUTHORIZED_STAGE: &str = "kargo.akuity.io/authorized-stage";

/// Label on a namespace that belongs to a Project; its value is `true`.
pub const PROJECT_LABEL: &str = "kargo.akuity.io/project";
/// Label on Promotions: the Stage.
pub const STAGE_LABEL: &str = "kargo.akuity.io/stage";
/// Label on Freight: its alias.
pub const ALIAS_LABEL: &str = "kargo.akuity.io/alias";
/// Label on Promotions, Stages and Warehouses: the shard.
pub const SHARD_LABEL: &str = "kargo.akuity.io/shard";

/// Who created the object, as admission saw it.
pub const CREATE_ACTOR: &str = "kargo.akuity.io/create-actor";
/// On a Promotion: ends it. On a Stage: ends its verification.
pub const ABORT: &str = "kargo.akuity.io/abort";
/// On a Stage: verifies again what it holds.
pub const REVERIFY: &str = "kargo.akuity.io/reverify";
/// A new value asks the controllers to look again.
pub const REFRESH: &str = "kargo.akuity.io/refresh";
/// On a Promotion: the origin whose automatic promotion it holds back, because it brings other Freight than that would.
pub const AUTO_PROMOTION_HOLD: &str = "kargo.akuity.io/auto-promotion-hold";
/// On a Promotion: the origin whose automatic promotion goes on, because it brings what that would.
pub const AUTO_PROMOTION_RESUME: &str = "kargo.akuity.io/auto-promotion-resume";
/// On a Promotion: it goes back to Freight the Stage held before.
pub const ROLLBACK: &str = "kargo.akuity.io/rollback";

/// In the info list of an Argo CD operation: the Promotion that asked for it.
pub const INFO_PROMOTION: &str = "kargo.akuity.io/promotion";

/// In front of the annotations of events.
pub const EVENT_PREFIX: &str = "event.kargo.akuity.io/";

pub const FINALIZER: &str = "kargo.akuity.io/finalizer";
