//! Results for programs.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};
use wharfinger_core::terminal::acts;

use super::{Console, Format, clean};
use crate::exit::Failure;

/// A document that is not a plain Kubernetes object.
#[derive(Debug, Serialize)]
pub struct Schema<T> {
    schema: &'static str,
    #[serde(flatten)]
    pub document: T,
}

impl<T> Schema<T> {
    pub fn v1(document: T) -> Self {
        Self { schema: "wharf/v1", document }
    }
}

/// Prints documents of our own; a table is the verb's own matter.
pub fn documents<T: Serialize>(
    console: &Console,
    format: Format,
    documents: &[T],
) -> Result<(), Failure> {
    for document in documents {
        let document = Schema::v1(document);
        match format {
            Format::Yaml => console.raw(format!("---\n{}", yaml(&document)?).as_bytes())?,
            Format::Json => console.line(json(&document)?)?,
            _ => console.line(line(&document)?)?,
        }
    }
    Ok(())
}

/// Prints Kubernetes objects, which carry their `apiVersion` and `kind`: one alone as it is, else as a List, as kubectl
/// does.
pub fn objects<K: Serialize>(
    console: &Console,
    format: Format,
    objects: &[K],
    alone: bool,
) -> Result<(), Failure> {
    let objects = objects.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let whole = || match objects.as_slice() {
        [object] if alone => object.clone(),
        _ => json!({ "apiVersion": "v1", "kind": "List", "items": objects }),
    };
    match format {
        Format::Yaml => console.raw(yaml(&whole())?.as_bytes())?,
        Format::Jsonl => {
            for object in &objects {
                console.line(line(object)?)?;
            }
        }
        Format::Name => {
            for object in &objects {
                console.line(clean(&name(object)))?;
            }
        }
        _ => console.line(json(&whole())?)?,
    }
    Ok(())
}

/// An object without what nobody reads: who manages which of its fields.
fn value<K: Serialize>(object: &K) -> Result<Value, Failure> {
    let mut object = serde_json::to_value(object).map_err(|e| unwritable(&e))?;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    Ok(object)
}

/// `<kind>.<group>/<name>`, as kubectl's `-o name`.
fn name(object: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let kind = text(&object["kind"]).to_lowercase();
    let name = text(&object["metadata"]["name"]);
    match text(&object["apiVersion"]).split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// JSON for reading, with everything escaped that a terminal would act on.
pub fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| escaped(&text)).map_err(|e| unwritable(&e))
}

/// JSON on one line.
fn line<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| escaped(&text)).map_err(|e| unwritable(&e))
}

/// JSON is YAML too, so what YAML can't say plainly is said as JSON.
pub fn yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(value).map_err(|e| unwritable(&e))?;
    if text.chars().any(|c| acts(c) && c != '\n') {
        return Ok(format!("{}\n", json(value)?));
    }
    Ok(text)
}

/// Such characters stand in strings only, where an escape means the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) && c != '\n' {
            // To a string, this can't fail.
            write!(text, "\\u{:04x}", u32::from(c)).ok();
        } else {
            text.push(c);
        }
    }
    text
}

fn unwritable(error: &dyn std::error::Error) -> Failure {
    Failure::new("the result can't be written in this form").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_for_programs_hold_no_escape_sequences_and_mean_the_same() {
        for text in ["plain", "\u{1b}[31m", "\u{9b}2J\u{7f}", "a\u{202e}b", "two\nlines"] {
            let value = json!({ "text": text });
            for shown in [json(&value).unwrap(), line(&value).unwrap(), yaml(&value).unwrap()] {
                assert!(!shown.chars().any(|c| acts(c) && c != '\n'), "{shown:?}");
                let read: Value = serde_saphyr::from_str(&shown).unwrap();
                assert_eq!(read, value, "{shown}");
            }
        }
    }

    #[test]
    fn nobody_reads_who_manages_a_field() {
        let object =
            json!({ "metadata": { "name": "a", "managedFields": [{}], "uid": "u" }, "spec": 1 });
        assert_eq!(
            value(&object).unwrap(),
            json!({ "metadata": { "name": "a", "uid": "u" }, "spec": 1 })
        );
        assert_eq!(value(&json!("a")).unwrap(), json!("a"));
    }

    #[test]
    fn names_are_kubectls() {
        let stage = json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": { "name": "dev" } });
        assert_eq!(name(&stage), "stage.kargo.akuity.io/dev");
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" } });
        assert_eq!(name(&pod), "pod/a");
    }
}
