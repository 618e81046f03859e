//! Plain files.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Case, compare};

/// Patterns and whether folders below count.
fn plain(name: &'static str, directory: Value) -> Case {
    let parameter = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        json!({ "name": name, "string": text })
    };
    let parameters: Vec<_> = directory.as_object().into_iter().flatten().map(parameter).collect();
    Case::of(name, "directory/plain", "directory", directory, parameters.into())
}

#[test]
fn plain_files_are_rendered_as_argo_cd_renders_them() -> Result<()> {
    compare("directory", &[
        Case::new("d-none", "directory/plain", json!({}), json!([])),
        plain("d-recurse", json!({ "recurse": true })),
        plain("d-include", json!({ "include": "*.yaml" })),
        plain("d-include-several", json!({ "recurse": true, "include": "{*.json,a/*}" })),
        plain("d-include-nested", json!({ "recurse": true, "include": "{a{,-b}.yaml,a/{x,b/y}.{yaml,yml}}" })),
        plain("d-include-crossing", json!({ "recurse": true, "include": "a*" })),
        plain("d-include-doublestar", json!({ "recurse": true, "include": "**/*.yml" })),
        plain("d-include-below", json!({ "recurse": true, "include": "a/**" })),
        plain("d-include-class", json!({ "include": "[a-b]*" })),
        plain("d-include-not", json!({ "include": "[!sb]*.yaml" })),
        plain("d-include-one", json!({ "include": "?.???" })),
        plain("d-include-escaped", json!({ "include": "{\\a.yaml,\\*}" })),
        plain("d-exclude", json!({ "recurse": true, "exclude": "a/*" })),
        plain("d-exclude-wins", json!({ "include": "*", "exclude": "{scalars,a-b}.yaml" })),
        Case::new("d-jsonnet", "directory/jsonnet", json!({}), json!([])).refused("is Jsonnet"),
        Case::new("d-jsonnet-excluded", "directory/jsonnet", json!({ "directory": { "exclude": "*.jsonnet" } }), json!([{ "name": "exclude", "string": "*.jsonnet" }])),
        Case::new("d-jsonnet-options", "directory/jsonnet", json!({ "directory": { "jsonnet": { "extVars": [{ "name": "a", "value": "b" }] } } }), json!([{ "name": "jsonnet", "string": "{}" }])).refused("Jsonnet"),
        Case::new("d-in-a-chart", "directory/chart", json!({ "directory": { "include": "map.yaml" } }), json!([{ "name": "include", "string": "map.yaml" }])).refused("is for a folder of plain files"),
    ])
}
