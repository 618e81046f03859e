//! Shards: controllers find what is theirs by a label, which says what the spec says.

use serde_json::Value;
use wharfinger_api::v1alpha1::SHARD_LABEL;

pub(super) fn label(metadata: &mut Value, shard: &str) {
    if !shard.is_empty() {
        metadata["labels"][SHARD_LABEL] = shard.into();
    } else if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.shift_remove(SHARD_LABEL);
    }
}
