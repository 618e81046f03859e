//! Patches, as Argo CD's Kustomize sources have them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{RenderError, documents};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub patch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, bool>,
}

/// The objects that are patched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Selector {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation_selector: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label_selector: String,
}

/// Each text holds one patch as YAML, or as JSON, which is YAML as well.
pub(crate) fn parse(texts: &[String]) -> Result<Vec<Patch>, RenderError> {
    let numbered = texts.iter().zip(1..);
    let patch = |(text, number): (&String, usize)| {
        let failed = |what: String| {
            RenderError::Input(format!(
                "the plugin's parameter \"patches\", entry {number}: {what}"
            ))
        };
        match documents::parse(text).map_err(|e| failed(format!("not YAML: {e}")))? {
            Some(value @ Value::Object(_)) => {
                serde_json::from_value(value).map_err(|e| failed(e.to_string()))
            }
            _ => Err(failed(
                "it must be an object with the fields target, patch, path and options".into(),
            )),
        }
    };
    numbered.map(patch).collect()
}
