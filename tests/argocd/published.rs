//! Where charts are published, and how Argo CD comes to know of it.

use std::fs;

use anyhow::Result;
use serde_json::json;
use wharfinger_cluster::Cluster;
use wharfinger_tests::Project;

/// A Helm repository with a chart in these versions. The Git host serves its files.
pub(crate) fn publish(
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

/// A registry's repository in Argo CD's settings. It speaks plain HTTP, which nobody takes for granted.
pub(crate) fn known_to_argocd(
    project: &Project<'_>,
    name: &str,
    kind: &str,
    url: &str,
) -> Result<()> {
    let secret = json!({
        "metadata": { "name": name, "labels": { "argocd.argoproj.io/secret-type": "repository" } },
        "stringData": {
            "type": kind, "name": name, "url": url, "enableOCI": "true", "insecureOCIForceHttp": "true",
        },
    });
    project.admin.create("secret", "argocd", secret)?;
    Ok(())
}
