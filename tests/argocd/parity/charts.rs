//! Charts that are the source themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use wharfinger_cluster::Cluster;
use wharfinger_tests::{App, Kind, Project};

use super::{Case, SOURCES, Server, World, archive, copy, dependencies};

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
    let secret = json!({
        "metadata": { "name": "charts", "labels": { "argocd.argoproj.io/secret-type": "repository" } },
        "stringData": {
            "type": "helm", "name": "charts", "url": repository, "enableOCI": "true", "insecureOCIForceHttp": "true",
        },
    });
    project.admin.create("secret", "argocd", secret)?;
    world.run(&project, &cases(["o-none", "o-options"]), |_| json!({ "repoURL": repository }))?;
    // Here, since a cluster has one registry.
    dependencies::are_the_same(&world, &project, &repository)
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

#[test]
fn a_charts_version_comes_with_the_freight() -> Result<()> {
    let world = World::new("pinned")?;
    let cluster = &world.cluster;
    let project = Project::new(cluster, "parity-pinned")?;
    let repository = publish(
        cluster,
        "pinned",
        "shop",
        &[("1.2.3", shop("1.2.3")?), ("1.3.0", shop("1.3.0")?)],
    )?;
    let chart = json!({ "chart": { "repoURL": repository, "name": "shop" } });
    project.admin.merge(
        "warehouse",
        &project.name,
        "main",
        &json!({ "spec": { "subscriptions": [chart] } }),
    )?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?.with(|spec, _| {
        let parameters = json!([{ "name": "skipCrds", "string": "true" }]);
        spec["source"] = json!({
            "repoURL": repository, "chart": "shop", "targetRevision": "1.x",
            "plugin": { "name": "wharfinger", "parameters": parameters },
        });
    });
    app.create()?;
    for version in ["1.2.3", "1.3.0"] {
        let charts = [json!({ "repoURL": repository, "name": "shop", "version": version })];
        let freight = json!({
            "metadata": { "generateName": "freight-" }, "alias": version,
            "origin": { "kind": "Warehouse", "name": "main" }, "charts": charts,
        });
        let made = project.admin.create("freight", &project.name, freight)?;
        project.promoted("dev", made["metadata"]["name"].as_str().context("a name")?)?;
        ensure!(app.get()?["spec"]["source"]["targetRevision"] == version);
        let objects = Server::of(cluster)?.manifests(&app)??;
        let web = objects.iter().find(|o| o["kind"] == "Deployment").context("a Deployment")?;
        let label = format!("shop-{version}");
        ensure!(web["metadata"]["labels"]["helm.sh/chart"] == label, "{web:#}");
    }
    Ok(())
}

/// A Helm repository with a chart in these versions. The Git host serves its files.
pub(super) fn publish(
    cluster: &Cluster,
    name: &str,
    chart: &str,
    versions: &[(&str, Vec<u8>)],
) -> Result<String> {
    let folder = cluster.folder_of_run().join("git").join(name);
    fs::create_dir_all(&folder)?;
    let mut entries = Vec::new();
    for (version, archive) in versions {
        let file = format!("{chart}-{version}.tgz");
        fs::write(folder.join(&file), archive)?;
        entries
            .push(json!({ "apiVersion": "v2", "name": chart, "version": version, "urls": [file] }));
    }
    let index = json!({ "apiVersion": "v1", "entries": { chart: entries } });
    fs::write(folder.join("index.yaml"), index.to_string())?;
    Ok(cluster.git().base_url().replace("/git", &format!("/{name}")))
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
