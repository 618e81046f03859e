//! Charts in Git whose dependencies are published elsewhere.
//!
//! Natively, Argo CD tells Helm no repository that begins with `http://`, so that Helm finds none that a lock asks for: with
//! a lock there is a registry, and without one there are both.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;
use wharfinger_tests::Project;

use super::{Case, SOURCES, World, archive, copy};
use crate::published::publish;

const OWN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n";

/// Renders charts that need others of a repository, and of this registry.
pub(super) fn are_the_same(world: &World, project: &Project<'_>, registry: &str) -> Result<()> {
    let cluster = &world.cluster;
    let lib = Path::new(SOURCES).join("helm/lib");
    let packed = cluster.folder_of_run().join("lib-1.0.0.tgz");
    fs::write(&packed, archive("lib", &lib)?)?;
    cluster.push_chart(&packed, registry)?;
    let registry = format!("oci://{registry}");
    let repository = publish(cluster, "libraries", "lib", &[("1.0.0", fs::read(&packed)?)])?;

    let folder = TempDir::new()?;
    let chart = |name: &str, dependencies: &str| -> Result<_> {
        let chart = folder.path().join(name);
        fs::create_dir_all(chart.join("templates"))?;
        fs::write(chart.join("templates/own.yaml"), OWN)?;
        let dependencies = dependencies.replace("HTTP", &repository).replace("OCI", &registry);
        let meta = format!(
            "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies: {dependencies}\n"
        );
        fs::write(chart.join("Chart.yaml"), meta)?;
        Ok(chart)
    };
    copy(&lib, &folder.path().join("lib"))?;
    chart("http", "[{name: lib, version: 1.0.0, repository: HTTP}]")?;
    chart(
        "conditions",
        "[{name: lib, version: 1.0.0, repository: HTTP, alias: front, condition: front.enabled}, {name: lib, version: v1.0.0, repository: HTTP/, alias: back, condition: back.enabled}]",
    )?;
    chart("oci", "[{name: lib, version: 1.0.0, repository: OCI}]")?;
    let locked = chart("locked", "[{name: lib, version: ^1, repository: OCI}]")?;
    cluster.lock_chart(&locked)?;
    chart(
        "mixed",
        "[{name: lib, version: 1.0.0, repository: OCI, alias: a, condition: a.enabled}, {name: lib, version: '>=1', repository: 'file://../lib', alias: b}]",
    )?;
    let commit = cluster.git().commit_folder(&project.name, folder.path(), "Umbrellas")?;

    let plain = |name, path| Case::new(name, path, json!({}), json!([]));
    let values = |name, path, values: &str| {
        let parameters = json!([{ "name": "values", "string": values }]);
        Case::of(name, path, "helm", json!({ "values": values }), parameters)
    };
    let cases = [
        plain("d-http", "http"),
        plain("d-oci", "oci"),
        plain("d-locked", "locked"),
        values(
            "d-conditions",
            "conditions",
            "front: {enabled: true, size: large}\nback: {enabled: false}\n",
        ),
        values("d-mixed", "mixed", "a: {enabled: false}\nb: {size: large}\n"),
    ];
    let url = cluster.git().url(&project.name);
    world.run(
        project,
        &cases,
        |path| json!({ "repoURL": url, "targetRevision": commit, "path": path }),
    )
}
