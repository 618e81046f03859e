//! What Stages were written with before v1.0 of Kargo.
//!
//! The schemas know the fields so that the API server does not drop them before admission has put the new ones in their
//! place. They are loose: what can't be understood is for admission to explain.

use schemars::{Schema, SchemaGenerator, json_schema};

pub(super) fn subscriptions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "warehouse": {
                "description": "Deprecated: write `requestedFreight` with this origin and `sources: {direct: true}`. The Warehouse whose Freight is wanted.",
                "type": "string",
            },
            "upstreamStages": {
                "description": "Deprecated: write `requestedFreight` with `sources: {stages: […]}`. Stages in which Freight has to be verified first.",
                "type": "array",
                "items": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {
                        "name": { "description": "The name of the Stage.", "type": "string" },
                    },
                },
            },
            "stages": {
                "description": "Deprecated: write `requestedFreight` with `sources: {stages: […]}`. The same as `upstreamStages`, by names alone or as objects with a `name`.",
                "type": "array",
                "items": { "x-kubernetes-preserve-unknown-fields": true },
            },
        },
    })
}

pub(super) fn promotion_mechanisms(_: &mut SchemaGenerator) -> Schema {
    let list = |description: &str| {
        serde_json::json!({
            "description": description,
            "type": "array",
            "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        })
    };
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "gitRepoUpdates": list("Deprecated: write steps such as `git-clone`, `git-commit` and `git-push`. Changes a promotion made to Git repositories."),
            "argoCDAppUpdates": list("Deprecated: write a step `argocd-update`. Changes a promotion made to Argo CD Applications."),
        },
    })
}
