//! Charts that are the source themselves, in the version that the Freight holds: what is applied is of that version, and no
//! other is rendered.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, shared};
use wharfinger_sidecar::caller::Call;
use wharfinger_tests::{App, IMAGE, Kind, Project};

use crate::parity::Server;
use crate::published::{known_to_argocd, publish};

const CHART: &str = "web";
const PATHS: &str = "argocd.argoproj.io/manifest-generate-paths";
const VERSIONS: [&str; 2] = ["1.2.3", "1.10.0"];

/// A chart, as it is written in the three places that name it.
struct Published {
    source: Value,
    /// What the Warehouse subscribes.
    subscribed: Value,
    /// What the Freight holds, but for the version.
    held: Value,
}

#[test]
fn a_repository_over_http() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "chart-http")?;
    let versions = VERSIONS.map(|version| (version, archive(version)));
    let versions = versions.into_iter().map(|(version, chart)| Ok((version, chart?)));
    let versions: Vec<_> = versions.collect::<Result<_>>()?;
    let url = publish(&cluster, "chart-http", CHART, &versions)?;
    let place = json!({ "repoURL": url, "name": CHART });
    let source = json!({ "repoURL": url, "chart": CHART });
    check(&project, &Published { source, subscribed: place.clone(), held: place })
}

/// As Argo CD has written charts of registries from the start.
#[test]
fn a_registry_with_the_chart_beside_it() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "chart-registry")?;
    let repository = push(&cluster, "beside")?;
    known_to_argocd(&project, "chart-registry", "helm", &repository)?;
    let place = json!({ "repoURL": format!("oci://{repository}/{CHART}") });
    let source = json!({ "repoURL": repository, "chart": CHART });
    check(&project, &Published { source, subscribed: place.clone(), held: place })
}

/// As Argo CD writes them since 3.1.
#[test]
fn a_registry_with_the_chart_in_its_url() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "chart-oci")?;
    let url = format!("oci://{}/{CHART}", push(&cluster, "within")?);
    known_to_argocd(&project, "chart-oci", "oci", &url)?;
    let place = json!({ "repoURL": url });
    let source = json!({ "repoURL": url, "path": "." });
    check(&project, &Published { source, subscribed: place.clone(), held: place })?;

    // What is rendered of a chart need not be the chart.
    let [older, newer] = VERSIONS;
    let app = App::new(&project, "folder", "dev", Kind::Bare)?.with(|spec, _| {
        spec["source"] = json!({
            "repoURL": url, "path": "plain", "targetRevision": newer, "plugin": { "name": "wharfinger" },
        });
    });
    app.create()?;
    app.carries(&project.claim("dev")?)?;
    // By the annotation that all of these have, no more than the folder is handed over.
    let server = Server::of(&cluster)?;
    let narrow = server.manifests_at(&app, newer)?.err().context("it is rendered")?.to_string();
    ensure!(narrow.contains("its folder plain alone"), "{narrow}");
    app.merge(&json!({ "metadata": { "annotations": { (PATHS): null } } }))?;
    let objects = server.manifests_at(&app, newer)??;
    ensure!(objects.iter().all(|object| object["kind"] == "ConfigMap"), "{objects:#?}");
    refuses(&server, &app, &url, newer, older)
}

fn check(project: &Project<'_>, published: &Published) -> Result<()> {
    let Published { source, subscribed, held } = published;
    let subscriptions = json!([{ "image": { "repoURL": IMAGE } }, { "chart": subscribed }]);
    let patch = json!({ "spec": { "subscriptions": subscriptions } });
    project.admin.merge("warehouse", &project.name, "main", &patch)?;
    project.stage("dev")?;
    let app = App::new(project, "web", "dev", Kind::Bare)?.with(|spec, _| {
        spec["source"] = source.clone();
        spec["source"]["targetRevision"] = "1.x".into();
        // Names of objects come from the release, and that from the Application.
        spec["source"]["plugin"] = json!({ "name": "wharfinger" });
    });
    app.create()?;
    let server = Server::of(project.cluster)?;
    let [older, newer] = VERSIONS;
    for (version, other) in [(older, newer), (newer, older)] {
        let tag = format!("with-{version}");
        let mut chart = held.clone();
        chart["version"] = version.into();
        let freight = json!({
            "metadata": { "generateName": "freight-" }, "alias": version,
            "origin": { "kind": "Warehouse", "name": "main" },
            "images": [{ "repoURL": IMAGE, "tag": tag }], "charts": [chart],
        });
        let made = project.admin.create("freight", &project.name, freight)?;
        let name = made["metadata"]["name"].as_str().context("a name")?;
        project.promoted("dev", name)?;

        ensure!(app.get()?["spec"]["source"]["targetRevision"] == version);
        let live = project.admin.get("deployment", &project.name, &app.name)?;
        let label = &live["metadata"]["labels"]["chart"];
        ensure!(*label == *format!("{CHART}-{version}"), "{live:#}");
        ensure!(app.image()? == format!("{IMAGE}:{tag}"), "{live:#}");

        refuses(&server, &app, source["repoURL"].as_str().unwrap_or_default(), version, other)?;
        server.manifests_at(&app, version)??;
    }
    Ok(())
}

/// Argo CD brings the other version. It is not the one that the Stage holds.
fn refuses(
    server: &Server<'_>,
    app: &App<'_>,
    repository: &str,
    held: &str,
    other: &str,
) -> Result<()> {
    let refused = server.manifests_at(app, other)?.err().context("it is rendered")?;
    let said = format!(
        "the Stage's Freight holds version {held} of the chart {CHART} of {repository}, but the source is version {other}"
    );
    ensure!(refused.to_string().contains(&said), "{refused}");
    Ok(())
}

/// Publishes the versions in a registry, below a repository that no other test uses.
fn push(cluster: &Cluster, name: &str) -> Result<String> {
    let repository = format!("{}/{name}", cluster.start_registry()?);
    for version in VERSIONS {
        let packed = cluster.folder_of_run().join(format!("{name}-{CHART}-{version}.tgz"));
        fs::write(&packed, archive(version)?)?;
        cluster.push_chart(&packed, &repository)?;
    }
    Ok(repository)
}

fn archive(version: &str) -> Result<Vec<u8>> {
    let meta = format!("apiVersion: v2\nname: {CHART}\nversion: {version}\n");
    let file = |name: &str| format!("{CHART}/{name}");
    let files = [
        (file("Chart.yaml"), meta.as_str()),
        (file("templates/web.yaml"), DEPLOYMENT),
        (file("plain/map.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Ok(Call::new(&files)?.archive)
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {chart: \"{{ .Chart.Name }}-{{ .Chart.Version }}\"}
spec:
  replicas: 1
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: 'ghcr.io/acme/web:in-chart'}]}
";
