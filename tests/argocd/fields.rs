//! The list of an Application's fields is Argo CD's.

use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wharfinger_cluster::shared;
use wharfinger_tests::Kubernetes;

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/argocd/application-fields.txt");

/// Each of them is classified in `crates/core/src/admission/application/fields.rs`, which a test there sees to.
#[test]
fn the_fields_of_an_application_are_those_we_know() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let crd = Kubernetes::admin(&cluster)?.get("crd", "", "applications.argoproj.io")?;
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut list = String::new();
    for part in ["spec", "operation", "status"] {
        fields(part, &schema[part], &mut list);
    }
    if env::var_os("BLESS").is_some() {
        fs::write(LIST, &list)?;
    }
    let known = fs::read_to_string(LIST).context(LIST)?;
    let missing: Vec<_> = list.lines().filter(|l| !known.lines().any(|k| k == *l)).collect();
    let gone: Vec<_> = known.lines().filter(|k| !list.lines().any(|l| l == *k)).collect();
    ensure!(
        missing.is_empty() && gone.is_empty(),
        "new in Argo CD: {missing:#?}\ngone: {gone:#?}\nBLESS=1 writes the list; then say who may change them"
    );
    Ok(())
}

/// A line for each field that has none below it: its path and its type.
fn fields(path: &str, schema: &Value, list: &mut String) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            fields(&format!("{path}.{name}"), schema, list);
        }
    } else if schema["items"].is_object() {
        fields(&format!("{path}[]"), &schema["items"], list);
    } else if schema["additionalProperties"].is_object() {
        fields(&format!("{path}{{}}"), &schema["additionalProperties"], list);
    } else {
        list.push_str(&format!("{path} {}\n", schema["type"].as_str().unwrap_or("any")));
    }
}
