//! Wharfinger's own processes, each with the account its pod has.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    cert_manager::Mounted,
    cluster::Cluster,
    handle::{Process, Spec},
    kubeconfig::Identity,
    parts::Binaries,
    process::Program,
    ready::Ready,
    role::{Instance, Role},
};

/// Where the API server finds the webhook: its port, and whom it trusts there, unless others tell it.
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) authority_pem: Option<String>,
}

impl Cluster {
    /// Where the sidecar listens and repo-server looks for it.
    pub fn plugin_socket(&self, instance: Instance) -> Result<PathBuf> {
        Ok(self.plugin_folder(instance)?.join("wharfinger.sock"))
    }

    pub(crate) fn start_sidecar(&self, binaries: &Binaries, instance: Instance) -> Result<Process> {
        let namespace = instance.namespace();
        let socket = self.plugin_socket(instance)?;
        let identity = Identity::new(namespace, Identity::SIDECAR.account);
        self.start_ours(binaries, Role::Sidecar(instance), identity, |program, _| {
            Ok(program
                .args(["--socket", &socket.to_string_lossy()])
                .args(["--argocd-namespace", namespace]))
        })
    }

    /// With a certificate from files: one that is there at once, or the one that is mounted.
    pub(crate) fn start_webhook(
        &self,
        binaries: &Binaries,
        mounted: Option<&Mounted>,
    ) -> Result<Process> {
        self.keep(binaries, "wharfinger-webhook")?;
        let (mode, (certificate, key)) = match mounted {
            Some(Mounted { mode, mount }) => {
                (mode.as_str(), (mount.file("tls.crt"), mount.file("tls.key")))
            }
            None => ("files", self.keys.serving("wharfinger-webhook")?),
        };
        let tls = [
            format!("--tls-mode={mode}"),
            format!("--tls-cert={}", certificate.display()),
            format!("--tls-key={}", key.display()),
        ];
        self.start_a_webhook(Role::Webhook, &tls)
    }

    /// Replaces the webhook by two replicas that make their certificate themselves, valid for `life`. The API server goes
    /// on calling the port of the first.
    pub fn start_own_webhooks(&self, life: &str) -> Result<[Process; 2]> {
        let tls = [
            "--tls-mode=own".to_owned(),
            "--tls-names=127.0.0.1".to_owned(),
            format!("--tls-life={life}"),
        ];
        let first = self.process(Role::Webhook)?;
        first.stop()?;
        let others = first.args().into_iter().filter(|arg| !arg.starts_with("--tls-"));
        first.set_args(others.chain(tls.iter().cloned()).collect());
        first.start()?;
        Ok([first, self.start_a_webhook(Role::SecondWebhook, &tls)?])
    }

    fn start_a_webhook(&self, role: Role, tls: &[String]) -> Result<Process> {
        let namespaces: Vec<&str> =
            self.instances().iter().map(|instance| instance.namespace()).collect();
        self.start_copy(role, Identity::WEBHOOK, |program, ports| {
            let port = self.port()?;
            ports.insert("https", port);
            Ok(program
                .args(["--listen".to_owned(), format!("127.0.0.1:{port}")])
                .args(tls)
                .args(["--controller-identity", &Identity::CONTROLLER.to_string()])
                .args(["--argocd-identities", &namespaces.join(",")]))
        })
    }

    pub(crate) fn start_controller(&self, binaries: &Binaries) -> Result<Process> {
        self.start_ours(binaries, Role::Controller, Identity::CONTROLLER, |program, _| Ok(program))
    }

    pub(crate) fn door(&self) -> Result<Door> {
        let port = self.process(Role::Webhook)?.port("https")?;
        let authority_pem = (!self.options.cert_manager).then(|| self.keys.authority_pem());
        Ok(Door { port, authority_pem })
    }

    /// A copy of a program of ours: the next `cargo build` must not change what this cluster starts.
    pub(crate) fn keep(&self, binaries: &Binaries, name: &str) -> Result<PathBuf> {
        let path = binaries.get(name).with_context(|| format!("{name} was not built"))?;
        let copy = self.file("bin").join(name);
        if !copy.exists() {
            link_or_copy(path, &copy)?;
        }
        Ok(copy)
    }

    fn start_ours(
        &self,
        binaries: &Binaries,
        role: Role,
        identity: Identity,
        arguments: impl Fn(Program, &mut BTreeMap<&'static str, u16>) -> Result<Program>,
    ) -> Result<Process> {
        self.keep(binaries, package(role))?;
        self.start_copy(role, identity, arguments)
    }

    fn start_copy(
        &self,
        role: Role,
        identity: Identity,
        arguments: impl Fn(Program, &mut BTreeMap<&'static str, u16>) -> Result<Program>,
    ) -> Result<Process> {
        let copy = self.file("bin").join(package(role));
        let kubeconfig = self.kubeconfig(identity)?;
        self.launch(role, || {
            let admin = self.port()?;
            let mut ports = BTreeMap::from([("admin", admin)]);
            let program = self
                .with_environment(Program::new(&copy))
                .env("KUBECONFIG", kubeconfig.to_string_lossy())
                // As the sidecar's volume is.
                .env("TMPDIR", self.memory().to_string_lossy())
                .env("RUST_BACKTRACE", "1")
                .args(["--admin-address".to_owned(), format!("127.0.0.1:{admin}")]);
            let program = arguments(program, &mut ports)?;
            Ok(Spec { program, ready: Ready::Http { port: admin, path: "/readyz" }, ports })
        })
    }
}

fn package(role: Role) -> &'static str {
    match role {
        Role::Sidecar(_) => "wharfinger-sidecar",
        Role::Webhook | Role::SecondWebhook => "wharfinger-webhook",
        Role::Controller => "wharfinger-controller",
        _ => unreachable!("{role} is not ours"),
    }
}

// Cargo replaces a program by a new file, so a hard link keeps the old one; /tmp may be elsewhere. The new name appears with the
// whole program: whoever else starts it now must not find half of it, nor write over what already runs.
fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a program lies in a folder")?;
    let copy = tempfile::Builder::new().make_in(folder, |copy| {
        fs::hard_link(from, copy).or_else(|_| fs::copy(from, copy).map(drop))
    });
    let kept = copy.and_then(|copy| Ok(copy.into_temp_path().persist(to)?));
    kept.with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
