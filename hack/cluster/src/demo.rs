//! What `hack/up` leaves for a developer to play with: a Project with a Stage, Freight and an Application, the commands
//! that promote, and the tools bound to this cluster.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;
use wharfinger_core::freight;

use crate::{Cluster, Role};

const IMAGE: &str = "ghcr.io/acme/web";

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: ghcr.io/acme/web:in-git}]}
";

/// Puts it into Git and into the cluster's folder. Returns the commands to try.
pub(crate) fn prepare(cluster: &Cluster) -> Result<[String; 3]> {
    let repository = cluster.git().create("shop")?;
    cluster.git().commit("shop", &[("web/deployment.yaml", DEPLOYMENT)], "A Deployment")?;
    let freight = [name_of("v1")?, name_of("v2")?];
    fs::write(cluster.file("shop.yaml"), objects(&repository, &freight))?;
    script(
        &cluster.folder("tools")?.join("wharf"),
        &format!(
            "KUBECONFIG={} exec {}",
            cluster.kubeconfig_admin().display(),
            cluster.file("bin").join("wharf").display()
        ),
    )?;
    let folder = cluster.folder_of_run().display().to_string();
    let kubectl = format!("{folder}/tools/kubectl");
    Ok([
        format!("{kubectl} apply -f {folder}/shop.yaml"),
        format!(
            "{folder}/tools/wharf -p shop promote v1 --to dev --wait      # then v2; and: wharf -p shop rollback dev"
        ),
        format!("{folder}/tools/wharf -p shop status dev"),
    ])
}

/// kubectl and argocd for this cluster.
pub(crate) fn tools(cluster: &Cluster) -> Result<()> {
    let tools = cluster.folder("tools")?;
    let server = cluster.process(Role::ArgoCdServer)?.port("http")?;
    script(
        &tools.join("kubectl"),
        &format!(
            "KUBECONFIG={} exec {}",
            cluster.kubeconfig_admin().display(),
            cluster.part("kubectl").path.display()
        ),
    )?;
    script(
        &tools.join("argocd"),
        &format!(
            "ARGOCD_BINARY_NAME=argocd ARGOCD_CONFIG_DIR={} exec {} --plaintext --server 127.0.0.1:{server}",
            cluster.folder("argocd-client")?.display(),
            cluster.part("argocd").path.display()
        ),
    )
}

/// The name that the webhook gives Freight, so that it can be applied and not only created.
fn name_of(tag: &str) -> Result<String> {
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let freight = json!({ "origin": origin, "images": [{ "repoURL": IMAGE, "tag": tag }] });
    Ok(freight::name(&serde_json::from_value(freight)?))
}

fn objects(repository: &str, [v1, v2]: &[String; 2]) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{kargo.akuity.io/project: \"true\"}}}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {{name: shop}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {{name: main, namespace: shop}}
spec:
  freightCreationPolicy: Manual
  subscriptions: [{{image: {{repoURL: {IMAGE}}}}}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata: {{name: {v1}, namespace: shop}}
alias: v1
origin: {{kind: Warehouse, name: main}}
images: [{{repoURL: {IMAGE}, tag: v1}}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata: {{name: {v2}, namespace: shop}}
alias: v2
origin: {{kind: Warehouse, name: main}}
images: [{{repoURL: {IMAGE}, tag: v2}}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {{name: dev, namespace: shop}}
spec:
  requestedFreight:
  - origin: {{kind: Warehouse, name: main}}
    sources: {{direct: true}}
  promotionTemplate:
    spec:
      steps: [{{uses: assign}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
  annotations:
    kargo.akuity.io/authorized-stage: shop:dev
    argocd.argoproj.io/manifest-generate-paths: .
spec:
  project: default
  source: {{repoURL: {repository}, path: web, targetRevision: HEAD, plugin: {{name: wharfinger}}}}
  destination: {{server: https://kubernetes.default.svc, namespace: shop}}
"
    )
}

fn script(path: &Path, command: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{command} \"$@\"\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))
}
