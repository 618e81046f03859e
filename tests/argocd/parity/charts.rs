//! Charts that are the source themselves.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Case, SOURCES, World, archive};

#[test]
fn a_chart_of_a_repository_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("charts")?;
    let project = world.project()?;
    // The Git host serves files as well.
    let folder = world.cluster.folder_of_run().join("git/charts");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("shop-1.2.3.tgz"), shop()?)?;
    let index = json!({
        "apiVersion": "v1",
        "entries": { "shop": [{ "apiVersion": "v2", "name": "shop", "version": "1.2.3", "urls": ["shop-1.2.3.tgz"] }] },
    });
    fs::write(folder.join("index.yaml"), index.to_string())?;
    let repository = world.cluster.git().base_url().replace("/git", "/charts");
    let mut cases = cases(["c-none", "c-options"]);
    cases.push(chart("c-range", "1.x", json!({}), json!([])));
    world.run(&project, cases, |_| json!({ "repoURL": repository }))
}

#[test]
fn a_chart_of_a_registry_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("registry")?;
    let project = world.project()?;
    let repository = format!("{}/charts", world.cluster.start_registry()?);
    let packed = world.cluster.folder_of_run().join("shop-1.2.3.tgz");
    fs::write(&packed, shop()?)?;
    world.cluster.push_chart(&packed, &repository)?;
    let secret = json!({
        "metadata": { "name": "charts", "labels": { "argocd.argoproj.io/secret-type": "repository" } },
        "stringData": {
            "type": "helm", "name": "charts", "url": repository, "enableOCI": "true", "insecureOCIForceHttp": "true",
        },
    });
    project.admin.create("secret", "argocd", secret)?;
    world.run(&project, cases(["o-none", "o-options"]), |_| json!({ "repoURL": repository }))
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
    let native = json!({ "chart": "shop", "targetRevision": revision, "helm": helm });
    Case::new(name, "", native, parameters)
}

/// The chart as it is published.
fn shop() -> Result<Vec<u8>> {
    archive("shop", &Path::new(SOURCES).join("helm/chart"))
}
