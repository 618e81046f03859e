//! Kubernetes as plain processes: etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
//! and kwok in the place of kubelets.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    api::Api,
    cluster::Cluster,
    handle::{Process, Spec},
    ready::Ready,
    role::Role,
};

impl Cluster {
    pub(crate) fn start_etcd(&self) -> Result<()> {
        self.launch(Role::Etcd, || {
            let (client, peer) = (self.port()?, self.port()?);
            let client_url = format!("http://127.0.0.1:{client}");
            let peer_url = format!("http://127.0.0.1:{peer}");
            let program = self
                .part("etcd")
                .args(["--data-dir", &self.file("etcd").to_string_lossy(), "--unsafe-no-fsync"])
                .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
                .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
                .args(["--initial-cluster".to_owned(), format!("default={peer_url}")]);
            let ready = Ready::Http { port: client, path: "/readyz" };
            Ok(Spec { program, ready, ports: [("client", client)].into() })
        })?;
        Ok(())
    }

    pub(crate) fn start_apiserver(&self) -> Result<Api> {
        let etcd = self.process(Role::Etcd)?.port("client")?;
        let (certificate, key) = self.keys.serving("kube-apiserver")?;
        let process = self.launch(Role::KubeApiserver, || {
            let port = self.port()?;
            let file = |name| self.keys.file(name).display().to_string();
            let program = self.part("kube-apiserver").args([
                format!("--etcd-servers=http://127.0.0.1:{etcd}"),
                format!("--cert-dir={}", self.file("apiserver").display()),
                format!("--tls-cert-file={}", certificate.display()),
                format!("--tls-private-key-file={}", key.display()),
                format!("--secure-port={port}"),
                "--bind-address=127.0.0.1".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={}", file("accounts.pub")),
                format!("--service-account-signing-key-file={}", file("accounts.key")),
                "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
                "--authorization-mode=RBAC".to_owned(),
                format!("--token-auth-file={}", file("tokens.csv")),
                "--allow-privileged=true".to_owned(),
            ]);
            let ready = Ready::KubeApiserver(self.api_at(port));
            Ok(Spec { program, ready, ports: [("https", port)].into() })
        })?;
        Ok(self.api_at(process.port("https")?))
    }

    pub(crate) fn start_controller_manager(&self) -> Result<Process> {
        self.launch(Role::KubeControllerManager, || {
            let port = self.port()?;
            let program = self.part("kube-controller-manager").args([
                format!("--kubeconfig={}", self.kubeconfig_admin().display()),
                format!(
                    "--service-account-private-key-file={}",
                    self.keys.file("accounts.key").display()
                ),
                "--use-service-account-credentials=false".to_owned(),
                // nodelifecycle must run: it takes the not-ready taint off kwok's Node.
                "--controllers=*,-nodeipam,-cloud-node-lifecycle".to_owned(),
                "--leader-elect=false".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--cert-dir={}", self.file("controller-manager").display()),
                format!("--secure-port={port}"),
            ]);
            Ok(Spec { program, ready: Ready::Tcp(port), ports: [("https", port)].into() })
        })
    }

    pub(crate) fn start_scheduler(&self) -> Result<Process> {
        self.launch(Role::KubeScheduler, || {
            let port = self.port()?;
            let program = self.part("kube-scheduler").args([
                format!("--kubeconfig={}", self.kubeconfig_admin().display()),
                "--leader-elect=false".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--cert-dir={}", self.file("scheduler").display()),
                format!("--secure-port={port}"),
            ]);
            Ok(Spec { program, ready: Ready::Tcp(port), ports: [("https", port)].into() })
        })
    }

    /// Writes the rules by which kwok makes Pods ready. As a file: as objects of a CRD they would
    /// be called `stages`, and `kubectl get stages` would no longer mean ours.
    pub(crate) fn write_kwok_rules(&self) -> Result<()> {
        let rules = self.parts.files("kwok/kustomize/stage/fast");
        let rules =
            self.tool(&self.part("kubectl").args(["kustomize", &rules.to_string_lossy()]))?.ok()?;
        fs::write(self.file("kwok-rules.yaml"), rules).context("writing kwok's rules")
    }

    pub(crate) fn start_kwok(&self) -> Result<Process> {
        self.launch(Role::Kwok, || {
            let port = self.port()?;
            let program = self.part("kwok").args([
                format!("--kubeconfig={}", self.kubeconfig_admin().display()),
                format!("--config={}", self.file("kwok-rules.yaml").display()),
                "--manage-all-nodes=true".to_owned(),
                // The fast rules tell a Node's health by Leases only; without, the Node is NotReady
                // after 50 s, and every Pod on it for ever.
                "--node-lease-duration-seconds=40".to_owned(),
                format!("--server-address=127.0.0.1:{port}"),
            ]);
            Ok(Spec {
                program,
                ready: Ready::Http { port, path: "/healthz" },
                ports: [("http", port)].into(),
            })
        })
    }

    fn api_at(&self, port: u16) -> Api {
        Api { port, trust: self.keys.trust.clone(), token: self.keys.admin_token.clone() }
    }
}

/// The one Node, large enough for whatever a test runs.
pub(crate) fn node() -> Value {
    let size = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "berth",
            "labels": {
                "kubernetes.io/hostname": "berth",
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "status": {"allocatable": size, "capacity": size},
    })
}
