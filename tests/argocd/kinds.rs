//! Every kind, applied with kubectl: what is admitted, and what is refused and why.

#[path = "../kept.rs"]
mod kept;
#[path = "../kinds.rs"]
mod objects;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wharfinger_cluster::shared;
use wharfinger_tests::Kubernetes;

/// On trial nothing is stored, and nothing happens besides.
#[test]
fn a_project_on_trial_leaves_no_namespace() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let admin = Kubernetes::admin(&cluster)?;
    let project =
        "{apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: on-trial}}";
    cluster.kubectl_with_input(&["create", "--dry-run=server", "-f", "-"], project)?.ok()?;
    ensure!(admin.get("project", "", "on-trial").is_err(), "the Project was made");
    ensure!(admin.get("namespace", "", "on-trial").is_err(), "its namespace was made");
    // Not on trial it is made, with the same manifest.
    cluster.kubectl_with_input(&["create", "-f", "-"], project)?.ok()?;
    admin.get("namespace", "", "on-trial").map(drop)
}

#[test]
fn every_kind_is_admitted_or_refused_with_the_field() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let admin = Kubernetes::admin(&cluster)?;
    // One file, as Kargo's manifests come: the namespace is there when the Project is.
    cluster.kubectl_with_input(&["apply", "-f", "-"], objects::ADMITTED)?.ok()?;
    for (text, object) in objects::REFUSED {
        let object = objects::manifest(object);
        let applied = cluster.kubectl_with_input(&["apply", "-f", "-"], &object)?;
        let refused = format!("{:#}", applied.ok().err().unwrap_or_else(|| anyhow::anyhow!("")));
        // kubectl may show it as JSON does.
        ensure!(
            refused.replace("\\\"", "\"").contains(text),
            "it must be refused with {text:?}, not: {refused:?}"
        );
    }
    let namespace = admin.get("namespace", "", "tower")?;
    ensure!(namespace["metadata"]["labels"]["kargo.akuity.io/project"] == "true", "{namespace:#}");
    let warehouse = admin.get("warehouse", "tower", "main")?;
    ensure!(warehouse["metadata"]["labels"]["kargo.akuity.io/shard"] == "eu", "{warehouse:#}");
    let freight = admin.list("freight", "tower")?;
    ensure!(freight.len() == 1 && freight[0]["alias"].is_string(), "{freight:#?}");
    Ok(())
}

#[test]
fn what_was_applied_is_kept_but_for_defaults_and_stamps() -> Result<()> {
    let cluster = shared()?.use_it()?;
    for example in kept::examples()? {
        let sent = example.object.to_string();
        let applied = cluster.kubectl_with_input(&["apply", "-o", "json", "-f", "-"], &sent)?;
        if let Some(text) = example.refused_with() {
            let refused = format!("{:#}", applied.ok().err().context(text)?);
            ensure!(refused.contains(text), "it must be refused with {text:?}, not: {refused}");
            continue;
        }
        // Of a Promotion the name is not the one that was sent.
        let applied: Value = serde_json::from_str(&applied.ok()?)?;
        let metadata = &applied["metadata"];
        let kind = format!("{}.kargo.akuity.io", example.plural);
        let mut get =
            vec!["get", &kind, "-o", "json", metadata["name"].as_str().context("a name")?];
        if let Some(namespace) = metadata["namespace"].as_str() {
            get.extend(["-n", namespace]);
        }
        let stored = serde_json::from_str(&cluster.kubectl(&get)?.ok()?)?;
        example.is_kept(stored)?;
    }
    Ok(())
}
