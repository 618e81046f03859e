//! Charts that are the source themselves.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::{Case, SOURCES, World, archive};

#[test]
fn a_chart_of_a_repository_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let world = World::new("charts")?;
    let project = world.project()?;
    // The Git host serves files as well.
    let folder = world.cluster.folder_of_run().join("git/charts");
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join("shop-1.2.3.tgz"),
        archive("shop", &Path::new(SOURCES).join("helm/chart"))?,
    )?;
    let index = json!({
        "apiVersion": "v1",
        "entries": { "shop": [{ "apiVersion": "v2", "name": "shop", "version": "1.2.3", "urls": ["shop-1.2.3.tgz"] }] },
    });
    fs::write(folder.join("index.yaml"), index.to_string())?;
    let repository = world.cluster.git().base_url().replace("/git", "/charts");
    let chart = |name, revision: &str, helm, parameters| {
        let native = json!({ "chart": "shop", "targetRevision": revision, "helm": helm });
        Case::new(name, "", native, parameters)
    };
    let cases = vec![
        chart("c-none", "1.2.3", json!({}), json!([])),
        chart("c-range", "1.x", json!({}), json!([])),
        chart(
            "c-options",
            "1.2.3",
            json!({ "releaseName": "r", "valueFiles": ["envs/*.yaml"], "parameters": [{ "name": "replicas", "value": "3" }] }),
            json!([
                { "name": "releaseName", "string": "r" }, { "name": "valueFiles", "array": ["envs/*.yaml"] },
                { "name": "parameters", "map": { "replicas": "3" } },
            ]),
        ),
    ];
    world.run(&project, cases, |_| json!({ "repoURL": repository }))
}
