//! Where the cases run.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use kube::Client;
use wharfinger_localapi::{LocalApi, Options, User};

/// A localapi of its own, in this process and without a socket.
pub(crate) async fn localapi() -> Result<Client> {
    let api = LocalApi::new(Options { history: 20, ..Options::default() })?;
    for crd in crds()? {
        api.apply(&crd).await?;
    }
    Ok(api.client(User::admin()))
}

/// The kube-apiserver of this process, started by whoever asks first.
#[cfg(feature = "kubernetes")]
pub(crate) async fn kubernetes() -> Result<Client> {
    use kube::config::{Config, KubeConfigOptions, Kubeconfig};

    let kubeconfig = Kubeconfig::read_from(cluster()?.kubeconfig_admin())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

#[cfg(feature = "kubernetes")]
pub(crate) fn cluster() -> Result<&'static wharfinger_cluster::Cluster> {
    use std::sync::OnceLock;

    use wharfinger_cluster::{Cluster, Options};

    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    let start = || {
        let cluster = Cluster::start(Options { argocd: false, ..Options::default() })?;
        for crd in crds()? {
            cluster.kubectl_with_input(&["apply", "-f", "-"], &crd)?.ok()?;
        }
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
        cluster.kubectl(&established)?.ok()?;
        anyhow::Ok(cluster)
    };
    let cluster = CLUSTER.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    cluster.as_ref().map_err(|error| anyhow::anyhow!("the cluster did not start: {error}"))
}

/// Our CustomResourceDefinitions, as YAML.
fn crds() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut texts = Vec::new();
    for file in files {
        let path = file?.path();
        if path.file_name().is_some_and(|name| name != "kustomization.yaml") {
            texts.push(fs::read_to_string(path)?);
        }
    }
    Ok(texts)
}
