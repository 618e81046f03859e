//! When promotions are allowed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NameOrLabels, schema};

/// Times at which promotions are allowed, or forbidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["name", "kind"]))]
pub struct PromotionWindow {
    /// The name of the window, unique in its list.
    #[serde(default)]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = schema::NAME)
    )]
    pub name: String,
    /// The Stages it is about. Absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_selector: Option<NameOrLabels>,
    /// The Projects it is about. Only in a ClusterConfig; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_selector: Option<NameOrLabels>,
    /// Whether promotions are allowed only while the window is open (`Allow`), or forbidden while it is (`Deny`).
    #[serde(default)]
    #[schemars(extend("enum" = ["Allow", "Deny"]))]
    pub kind: String,
    /// How the window recurs: a recurrence rule of RFC 5545, such as `FREQ=WEEKLY;BYDAY=MO,TU`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rrule: String,
    /// When the window opens first, as `20060102T150405`; `TZID=Area/City:` in front names a time zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dtstart: String,
    /// When the window that opened first closes, written like `dtstart`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dtend: String,
}
