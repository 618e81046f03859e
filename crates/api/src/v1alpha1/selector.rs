//! Which objects something is about: by name, and by labels.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Chooses objects by name, by labels, or by both; both have to match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NameOrLabels {
    /// The name; or a pattern, with `glob:`, `regex:` or `regexp:` in front.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Labels that have to be there, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels; all have to hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "requirements")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

impl NameOrLabels {
    /// The part that is about labels.
    pub fn labels(&self) -> LabelSelector {
        LabelSelector {
            match_labels: Some(self.match_labels.clone()).filter(|labels| !labels.is_empty()),
            match_expressions: Some(self.match_expressions.clone()).filter(|e| !e.is_empty()),
        }
    }
}

/// `metav1.LabelSelector`. Who applies a part of one replaces the whole.
pub(super) fn labels(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels that have to be there, with these values.",
                "type": "object",
                "additionalProperties": { "type": "string" },
            },
            "matchExpressions": requirements(generator),
        },
        "x-kubernetes-map-type": "atomic",
    })
}

/// A list of them that is replaced as a whole too.
pub(super) fn atomic_list_of_labels(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": labels(generator),
        "x-kubernetes-list-type": "atomic",
    })
}

fn requirements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Conditions on labels; all have to hold.",
        "type": "array",
        "items": {
            "type": "object",
            "required": ["key", "operator"],
            "properties": {
                "key": { "description": "The label.", "type": "string" },
                "operator": { "description": "`In`, `NotIn`, `Exists` or `DoesNotExist`.", "type": "string" },
                "values": {
                    "description": "The values of `In` and `NotIn`.",
                    "type": "array",
                    "items": { "type": "string" },
                    "x-kubernetes-list-type": "atomic",
                },
            },
        },
        "x-kubernetes-list-type": "atomic",
    })
}
