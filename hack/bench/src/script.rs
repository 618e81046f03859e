//! The way that is replaced: clone, edit, commit, push, and ask Argo CD to sync.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use wharfinger_cluster::Cluster;
use wharfinger_tests::{IMAGE, Project, on_runtime};

use crate::promotion::Times;
use crate::watched::Watched;

/// Promotes that often by script, in the same repository with the same latency.
pub(crate) fn run(cluster: &Cluster, project: &Project<'_>, rounds: usize) -> Result<Times> {
    let repository = cluster.git().url(&project.name);
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: scripted}}\nspec:\n  selector: {{matchLabels: {{app: scripted}}}}\n  template:\n    metadata: {{labels: {{app: scripted}}}}\n    spec:\n      containers: [{{name: web, image: {IMAGE}}}]\n"
    );
    project.commit(&[
        ("scripted/web.yaml", &deployment),
        (
            "scripted/kustomization.yaml",
            &format!("resources: [web.yaml]\nimages:\n- name: {IMAGE}\n  newTag: v0\n"),
        ),
    ])?;
    let spec = json!({
        "project": "default",
        "source": { "repoURL": repository, "targetRevision": "HEAD", "path": "scripted" },
        "destination": { "server": "https://kubernetes.default.svc", "namespace": project.name },
    });
    project.admin.create(
        "application",
        "argocd",
        json!({ "metadata": { "name": "scripted" }, "spec": spec }),
    )?;

    let mut times = Times::default();
    for round in 0..rounds {
        let mut watched = on_runtime(Watched::application(&project.admin, "scripted"))?;
        let from = Instant::now();
        let revision = rewrite(&repository, &format!("v{}", round + 1))?;
        let operation = json!({ "initiatedBy": { "username": "script" }, "retry": {}, "sync": { "revision": revision } });
        project.admin.merge(
            "application",
            "argocd",
            "scripted",
            &json!({ "operation": operation, "status": { "operationState": null } }),
        )?;
        let begun = on_runtime(watched.until(|a| {
            a["status"]["operationState"]["operation"]["sync"]["revision"] == revision.as_str()
        }))?;
        let done = on_runtime(watched.until(|a| {
            let history = a["status"]["history"].as_array();
            history.is_some_and(|h| h.iter().any(|h| h["revision"] == revision.as_str()))
                && a["status"]["sync"]["revision"] == revision.as_str()
                && a["status"]["sync"]["status"] == "Synced"
        }))?;
        times.add(from, (begun, done));
    }
    Ok(times)
}

/// What such scripts do; they clone as shallow as can be.
const SCRIPT: &str = r#"
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
git clone --quiet --depth 1 "$1" "$dir/repo"
cd "$dir/repo/scripted"
sed -i "s/newTag: .*/newTag: $2/" kustomization.yaml
git -c user.name=script -c user.email=script@example.com commit --quiet --all --message "promote $2"
git push --quiet origin HEAD
git rev-parse HEAD
"#;

#[expect(clippy::disallowed_methods, reason = "runs the script that this benchmark compares with")]
fn rewrite(repository: &str, tag: &str) -> Result<String> {
    let out = std::process::Command::new("bash")
        .args(["-c", SCRIPT, "promote", repository, tag])
        .output()?;
    ensure!(out.status.success(), "the script failed: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}
