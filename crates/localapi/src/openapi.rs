//! The OpenAPI v3 documents: for `kubectl explain`, and for kubectl's validation before it sends.

use serde_json::{Value, json};

use crate::resource::Resource;

/// `GET /openapi/v3`
pub fn index(_resources: &[&Resource]) -> Value {
    json!({})
}

/// `GET /openapi/v3/api/v1`, `GET /openapi/v3/apis/GROUP/VERSION`. Nothing for one that is not served.
pub fn group_version(_resources: &[&Resource], _group_version: &str) -> Option<Value> {
    None
}
