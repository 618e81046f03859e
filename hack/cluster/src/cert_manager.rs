//! cert-manager's controllers and its cainjector, for clusters that ask for them, and the installation of Wharfinger that takes
//! the webhook's certificate from them.
//!
//! Absent: cert-manager's own webhook, which judges and completes what is asked of it.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    argocd::environment_of,
    cluster::Cluster,
    documents::{Document, split},
    handle::{Process, Spec},
    install::manifests,
    kubeconfig::Identity,
    mount::Mount,
    ready::Ready,
    role::Role,
    together::together,
};

/// As its chart calls both.
const NAMESPACE: &str = "cert-manager";
const CONTROLLER: Identity = Identity::new(NAMESPACE, "cert-manager");
const CAINJECTOR: Identity = Identity::new(NAMESPACE, "cert-manager-cainjector");

/// What somebody would write who installs Wharfinger with cert-manager. Only the patch is the cluster's own: the API
/// server calls a port of loopback, not the Service.
const KUSTOMIZATION: &str = "\
resources: [manifests/base]
components: [manifests/webhook/cert-manager]
patches:
- target: {kind: Certificate, name: wharfinger-webhook}
  patch: |
    - {op: add, path: /spec/ipAddresses, value: [127.0.0.1]}
";

/// The mutating half warns of its words, and the validating half denies it for its namespace, so the answer tells of both.
const ASKED: &str = "\
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: asked, namespace: wharfinger}
spec: {subscriptions: {warehouse: main}}
";

/// The certificate of the webhook's Pod.
pub(crate) struct Mounted {
    /// Where the Pod takes it from: `WHARFINGER_TLS_MODE`.
    pub(crate) mode: String,
    pub(crate) mount: Mount,
}

impl Cluster {
    pub(crate) fn start_cert_manager(&self) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        self.kubectl_with_input(&["apply", "-f", "-"], &namespace.to_string())?.ok()?;
        self.apply(&self.chart()?)?;
        for kind in ["issuers", "clusterissuers", "certificates", "certificaterequests"] {
            self.until(&format!("the CRD {kind}.cert-manager.io to be served"), || {
                self.api()?.get(&format!("/apis/cert-manager.io/v1/{kind}"))
            })?;
        }
        together(vec![
            Box::new(|| self.start_of(Role::CertManager, CONTROLLER).map(drop)),
            Box::new(|| self.start_of(Role::CaInjector, CAINJECTOR).map(drop)),
        ])?;
        self.say("cert-manager up");
        Ok(())
    }

    /// The kinds it brings, and what its two accounts may do.
    fn chart(&self) -> Result<Vec<Document>> {
        let chart = self.parts.files("certmanager/chart");
        let template = self
            .part("helm")
            .args(["template", "cert-manager", &chart.to_string_lossy()])
            .args(["--namespace", NAMESPACE, "--set", "crds.enabled=true"])
            // Helm does not ask the API server here, and takes it for an old one.
            .args(["--kube-version", "1.36"]);
        let mut documents = split(&self.tool(&template)?.ok()?);
        documents.retain(|document| match document.kind() {
            "CustomResourceDefinition" | "ServiceAccount" => true,
            kind => kind.ends_with("Role") || kind.ends_with("RoleBinding"),
        });
        Ok(documents)
    }

    fn start_of(&self, role: Role, identity: Identity) -> Result<Process> {
        let kubeconfig = self.kubeconfig(identity)?;
        self.launch(role, || {
            let port = self.port()?;
            let program = self.part(&role.to_string()).args([
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--metrics-listen-address=127.0.0.1:{port}"),
            ]);
            let ready = Ready::Http { port, path: "/metrics" };
            Ok(Spec { program, ready, ports: [("metrics", port)].into() })
        })
    }

    /// Writes it, and gives its folder.
    pub(crate) fn kustomization_with_cert_manager(&self) -> Result<PathBuf> {
        let folder = self.folder("kustomization")?;
        let link = folder.join("manifests");
        if !link.exists() {
            symlink(manifests(), link)?;
        }
        fs::write(folder.join("kustomization.yaml"), KUSTOMIZATION)?;
        Ok(folder)
    }

    /// Waits for the Secret that the webhook's Pod mounts, and mounts it.
    pub(crate) fn mount_certificate(&self, documents: &[Document]) -> Result<Mounted> {
        let deployment =
            documents.iter().find(|document| document.is("Deployment", "wharfinger-webhook"));
        let deployment =
            deployment.context("there is no Deployment wharfinger-webhook")?.object()?;
        let secret = secret_at(&deployment, "/etc/wharfinger/tls")?;
        let mode = environment_of(&deployment, "webhook")?.remove("WHARFINGER_TLS_MODE");
        let mode = mode.context("the webhook is not told where its certificate comes from")?;
        let folder = self.folder("tls")?;
        let namespace = Identity::WEBHOOK.namespace;
        let mount = self.until(&format!("cert-manager to fill the Secret {secret}"), || {
            Mount::new(self.api()?, namespace, secret, &folder)
        })?;
        Ok(Mounted { mode, mount })
    }

    /// Waits until the cainjector has said whom to trust, and the API server has heard it.
    pub(crate) fn webhook_trusted(&self) -> Result<()> {
        self.until("the API server to trust the webhook", || {
            let asked =
                self.kubectl_with_input(&["create", "--dry-run=server", "-f", "-"], ASKED)?;
            let answer = asked.stderr;
            let (warned, denied) =
                (answer.contains("Warning: "), answer.contains("denied the request: wharfinger: "));
            ensure!(warned && denied, "{answer}");
            Ok(())
        })
    }
}

/// The Secret that the webhook's container mounts at that path.
fn secret_at<'d>(deployment: &'d Value, path: &str) -> Result<&'d str> {
    let pod = &deployment["spec"]["template"]["spec"];
    let all = |of: &'d Value| of.as_array().into_iter().flatten();
    let mut mounts = all(&pod["containers"])
        .filter(|container| container["name"] == "webhook")
        .flat_map(|container| all(&container["volumeMounts"]));
    let Some(mount) = mounts.find(|mount| mount["mountPath"] == path) else {
        bail!("the webhook mounts nothing at {path}, where it looks for its certificate");
    };
    let volume = all(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]);
    let secret = volume.and_then(|volume| volume["secret"]["secretName"].as_str());
    secret.with_context(|| format!("what the webhook mounts at {path} is no Secret"))
}
