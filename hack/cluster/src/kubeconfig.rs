//! The text of a kubeconfig, and who it speaks for.

use std::{fmt, fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;

/// A ServiceAccount: what a process of the cluster is to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub namespace: &'static str,
    pub account: &'static str,
}

impl Identity {
    pub const CONTROLLER: Self = Self::new("wharfinger", "wharfinger-controller");
    pub const WEBHOOK: Self = Self::new("wharfinger", "wharfinger-webhook");
    /// The sidecar is a container of repo-server's pod and has its account.
    pub const SIDECAR: Self = Self::new("argocd", "argocd-repo-server");
    pub const APPLICATION_CONTROLLER: Self = Self::new("argocd", "argocd-application-controller");
    pub const APPLICATIONSET_CONTROLLER: Self =
        Self::new("argocd", "argocd-applicationset-controller");
    pub const ARGOCD_SERVER: Self = Self::new("argocd", "argocd-server");

    pub const fn new(namespace: &'static str, account: &'static str) -> Self {
        Self { namespace, account }
    }
}

impl fmt::Display for Identity {
    /// As the API server names it: fits `kubectl --as`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.account)
    }
}

/// Writes a kubeconfig. JSON is YAML too, and quotes what must be quoted.
pub(crate) fn write(
    path: &Path,
    server: &str,
    authority: &Path,
    user: &str,
    token: &str,
    namespace: &str,
) -> Result<()> {
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "wharf", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "wharf", "context": {"cluster": "wharf", "user": user, "namespace": namespace}}],
        "current-context": "wharf",
    });
    fs::write(path, format!("{text:#}\n"))
        .with_context(|| format!("writing {}", path.display()))?;
    // Helm warns about a kubeconfig that others can read.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_says_where_who_and_in_which_namespace() {
        let path = std::env::temp_dir().join(format!("kubeconfig-{}", std::process::id()));
        let user = Identity::SIDECAR.to_string();
        write(&path, "https://127.0.0.1:6443", Path::new("/run/ca.crt"), &user, "secret", "argocd")
            .unwrap();
        let config: serde_json::Value =
            serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
        assert_eq!(config["users"][0]["name"], "system:serviceaccount:argocd:argocd-repo-server");
        assert_eq!(config["users"][0]["user"]["token"], "secret");
        assert_eq!(config["contexts"][0]["context"]["namespace"], "argocd");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(path).unwrap();
    }
}
