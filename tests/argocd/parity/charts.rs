//! Charts that are the source themselves.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Case, SOURCES, World, archive, copy, dependencies};
use crate::published::{known_to_argocd, publish};

#[test]
fn a_chart_of_a_repository_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("charts")?;
    let (project, _) = world.project()?;
    let repository = publish(&world.cluster, "charts", "shop", &[("1.2.3", shop("1.2.3")?)])?;
    let mut cases = cases(["c-none", "c-options"]);
    cases.push(chart("c-range", "1.x", json!({}), json!([])));
    world.run(&project, &cases, |_| json!({ "repoURL": repository }))
}

#[test]
fn a_chart_of_a_registry_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("registry")?;
    let (project, _) = world.project()?;
    let repository = format!("{}/charts", world.cluster.start_registry()?);
    let packed = world.cluster.folder_of_run().join("shop-1.2.3.tgz");
    fs::write(&packed, shop("1.2.3")?)?;
    world.cluster.push_chart(&packed, &repository)?;
    known_to_argocd(&project, "charts", "helm", &repository)?;
    world.run(&project, &cases(["o-none", "o-options"]), |_| json!({ "repoURL": repository }))?;
    dependencies::are_the_same(&world, &project, &repository)
}

/// As Argo CD has it since 3.1.
#[test]
fn a_chart_in_the_url_of_a_registry_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("oci")?;
    let (project, _) = world.project()?;
    let repository = format!("{}/charts", world.cluster.start_registry()?);
    let packed = world.cluster.folder_of_run().join("oci-shop-1.2.3.tgz");
    fs::write(&packed, shop("1.2.3")?)?;
    world.cluster.push_chart(&packed, &repository)?;
    let url = format!("oci://{repository}/shop");
    known_to_argocd(&project, "parity-oci", "oci", &url)?;
    let mut cases = cases(["u-none", "u-options"]);
    for case in &mut cases {
        case.native["chart"] = Value::Null;
    }
    world.run(&project, &cases, |_| json!({ "repoURL": url, "path": "." }))
}

fn cases([none, options]: [&'static str; 2]) -> Vec<Case> {
    let native = json!({
        "releaseName": "r", "valueFiles": ["envs/*.yaml"], "parameters": [{ "name": "replicas", "value": "3" }],
        "fileParameters": [{ "name": "ini", "path": "config/app.ini" }],
    });
    let parameters = json!([
        { "name": "releaseName", "string": "r" }, { "name": "valueFiles", "array": ["envs/*.yaml"] },
        { "name": "parameters", "map": { "replicas": "3" } }, { "name": "fileParameters", "map": { "ini": "config/app.ini" } },
    ]);
    vec![chart(none, "1.2.3", json!({}), json!([])), chart(options, "1.2.3", native, parameters)]
}

fn chart(name: &'static str, revision: &str, helm: Value, parameters: Value) -> Case {
    let mut case = Case::of(name, "", "helm", helm, parameters);
    case.native["chart"] = "shop".into();
    case.native["targetRevision"] = revision.into();
    case
}

/// The chart as it is published.
fn shop(version: &str) -> Result<Vec<u8>> {
    let folder = TempDir::new()?;
    copy(&Path::new(SOURCES).join("helm/chart"), folder.path())?;
    let file = folder.path().join("Chart.yaml");
    let text = fs::read_to_string(&file)?.replace("version: 1.2.3", &format!("version: {version}"));
    fs::write(file, text)?;
    archive("shop", folder.path())
}
