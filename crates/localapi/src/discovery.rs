//! What is served, for clients that ask: `/api`, `/apis` and below.

use serde_json::{Value, json};

use crate::resource::Resource;

/// `GET /api`
pub fn core_versions() -> Value {
    json!({})
}

/// `GET /apis`
pub fn api_groups(_resources: &[&Resource]) -> Value {
    json!({})
}

/// `GET /apis/GROUP`. Nothing for a group that is not served.
pub fn api_group(_resources: &[&Resource], _group: &str) -> Option<Value> {
    None
}

/// `GET /api/v1`, `GET /apis/GROUP/VERSION`. Nothing for one that is not served.
pub fn resource_list(_resources: &[&Resource], _group_version: &str) -> Option<Value> {
    None
}

/// `GET /api` for clients that accept `apidiscovery.k8s.io/v2`.
pub fn aggregated_core(_resources: &[&Resource]) -> Value {
    json!({})
}

/// `GET /apis` for clients that accept `apidiscovery.k8s.io/v2`.
pub fn aggregated_groups(_resources: &[&Resource]) -> Value {
    json!({})
}
