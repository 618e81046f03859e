//! Argo CD's own plugin server, which runs our program anew for every render, for whoever asks for one.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    cluster::Cluster,
    handle::Spec,
    install::read_manifest,
    kubeconfig::Identity,
    ready::Ready,
    role::{Instance, Role},
};

impl Cluster {
    /// Starts it with our `plugin.yaml`, and gives its socket. repo-server does not look there. Wharfinger must be installed.
    pub fn start_stock_plugin(&self) -> Result<PathBuf> {
        let (instance, role) = (Instance::First, Role::StockPlugin);
        let mut plugin = read_manifest("argocd/plugin.yaml")?.context("no plugin.yaml")?;
        let program = self.file("bin/wharfinger-sidecar");
        plugin["spec"]["generate"]["command"] = json!([program]);
        let folder = self.folder("stock-plugin")?;
        fs::write(folder.join("plugin.yaml"), plugin.to_string())?;
        let kubeconfig = self.kubeconfig(Identity::SIDECAR)?;
        let socket = folder.join("wharfinger.sock");
        self.launch(role, || {
            let program = self
                .argocd_part(&role.to_string(), instance)?
                .env("ARGOCD_PLUGINSOCKFILEPATH", folder.to_string_lossy())
                .env("KUBECONFIG", kubeconfig.to_string_lossy())
                .env("WHARFINGER_ARGOCD_NAMESPACE", instance.namespace())
                .args(["--config-dir-path", &folder.to_string_lossy()]);
            Ok(Spec { program, ready: Ready::Unix(socket.clone()), ports: [].into() })
        })?;
        Ok(socket)
    }
}
