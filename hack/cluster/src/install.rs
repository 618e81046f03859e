//! Installing Wharfinger from the repository's own `manifests/`, and taking it out again.
//!
//! What a user applies is applied here, word for word. Only what plain processes need differs:
//!
//! * the webhooks are reached by URL instead of by Service, with a certificate that is there from the start or, if the
//!   cluster has cert-manager, with the one that it issues;
//! * the patch of repo-server's Deployment is read, and its environment given to the process;
//! * a second Argo CD gets the permissions of the first, and counts as Argo CD in match conditions.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    argocd::environment_of,
    cert_manager::Mounted,
    cluster::Cluster,
    documents::{Document, split},
    kubeconfig::Identity,
    parts::{self, Binaries},
    role::{Instance, Role},
    together::{Job, together},
};

const PROGRAMS: [&str; 4] =
    ["wharfinger-sidecar", "wharfinger-webhook", "wharfinger-controller", "wharf"];

/// What `uninstall_wharfinger` takes away again.
pub(crate) struct Installed {
    documents: Vec<Document>,
    repo_server_env: BTreeMap<String, String>,
    /// For every instance, what its `argocd-cm` held under the keys of our patch.
    config_before: BTreeMap<Instance, Value>,
    /// The webhook's certificate, if it is from cert-manager.
    _mounted: Option<Mounted>,
}

impl Cluster {
    /// Installs Wharfinger and waits until all of it is up.
    pub fn install_wharfinger(&self) -> Result<()> {
        self.install()
            .with_context(|| format!("installing Wharfinger; logs: {}", self.logs().display()))
    }

    fn install(&self) -> Result<()> {
        let mut installed = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
        if installed.is_some() {
            return Ok(());
        }
        let binaries = parts::build_ours(&self.run, &PROGRAMS, self.options.fault_points)?;
        self.keep(&binaries, "wharf")?;
        let documents = self.documents()?;
        let (webhooks, rest): (Vec<_>, Vec<_>) =
            documents.iter().cloned().partition(Document::is_webhook);

        self.apply(&rest)?;
        self.say("Wharfinger's CRDs and permissions applied");
        let repo_server_env = repo_server_env()?;
        let config_before = self.patch_argocd_config()?;
        let mounted =
            self.options.cert_manager.then(|| self.mount_certificate(&documents)).transpose()?;
        self.start_our_processes(&binaries, &repo_server_env, mounted.as_ref())?;
        // Last: from here on the API server asks our webhook, and takes silence for a no.
        let door = self.door()?;
        let webhooks = webhooks
            .into_iter()
            .map(|document| document.reached_at(&door)?.knowing(self.instances()))
            .collect::<Result<Vec<_>>>()?;
        self.apply(&webhooks)?;
        if mounted.is_some() {
            self.webhook_trusted()?;
        }
        self.say("Wharfinger installed");
        *installed =
            Some(Installed { documents, repo_server_env, config_before, _mounted: mounted });
        Ok(())
    }

    /// Deletes what was installed, ends Wharfinger's processes, and gives repo-server and
    /// `argocd-cm` back what they had.
    pub fn uninstall_wharfinger(&self) -> Result<()> {
        let mut installed = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Installed { documents, repo_server_env, config_before, .. }) = installed.as_ref()
        else {
            return Ok(());
        };
        let (webhooks, rest): (Vec<_>, Vec<_>) =
            documents.iter().cloned().partition(Document::is_webhook);
        // First: a webhook nobody answers for would forbid the rest.
        self.delete(&webhooks)?;
        let ours: Vec<_> =
            self.processes().into_iter().filter(|(role, _)| role.is_ours()).collect();
        for (role, process) in ours {
            process.stop()?;
            self.forget(role);
        }
        for (instance, before) in config_before {
            self.patch_config(*instance, before)?;
        }
        for instance in self.instances() {
            let process = self.process(Role::RepoServer(*instance))?;
            for key in repo_server_env.keys() {
                process.unset_env(key);
            }
            process.stop()?;
            // A new pod has an empty folder for sockets.
            let socket = self.plugin_socket(*instance)?;
            if socket.exists() {
                fs::remove_file(&socket)
                    .with_context(|| format!("removing {}", socket.display()))?;
            }
            process.start()?;
        }
        self.delete(&rest)?;
        // The tokens went with their accounts.
        self.forget_kubeconfigs(Identity::CONTROLLER.namespace);
        *installed = None;
        self.say("Wharfinger uninstalled");
        Ok(())
    }

    fn start_our_processes(
        &self,
        binaries: &Binaries,
        repo_server_env: &BTreeMap<String, String>,
        mounted: Option<&Mounted>,
    ) -> Result<()> {
        let mut jobs: Vec<Job<'_>> = vec![
            Box::new(|| self.start_webhook(binaries, mounted).map(drop)),
            Box::new(|| self.start_controller(binaries).map(drop)),
        ];
        for instance in self.instances() {
            jobs.push(Box::new(|| self.start_sidecar(binaries, *instance).map(drop)));
            jobs.push(Box::new(|| {
                let process = self.process(Role::RepoServer(*instance))?;
                for (key, value) in repo_server_env {
                    process.set_env(key, value);
                }
                process.restart()
            }));
        }
        together(jobs)?;
        self.say("sidecar, webhook and controller up, repo-server restarted");
        Ok(())
    }

    fn patch_argocd_config(&self) -> Result<BTreeMap<Instance, Value>> {
        let Some(patch) = read_manifest("argocd/argocd-cm-patch.yaml")? else {
            return Ok(BTreeMap::new());
        };
        let data = patch["data"].as_object().context("argocd-cm-patch.yaml has no data")?;
        let mut all = BTreeMap::new();
        for instance in self.instances() {
            let args = ["get", "configmap", "argocd-cm", "-o", "json", "-n", instance.namespace()];
            let now: Value = serde_json::from_str(&self.kubectl(&args)?.ok()?)?;
            // A null takes a key away that was not there before.
            let before: Map<_, _> =
                data.keys().map(|key| (key.clone(), now["data"][key].clone())).collect();
            self.patch_config(*instance, &json!({ "data": data }))?;
            all.insert(*instance, json!({ "data": before }));
        }
        Ok(all)
    }

    fn patch_config(&self, instance: Instance, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        let namespace = instance.namespace();
        self.kubectl(&[
            "patch",
            "configmap",
            "argocd-cm",
            "-n",
            namespace,
            "--type=merge",
            "-p",
            &patch,
        ])?
        .ok()?;
        Ok(())
    }

    pub(crate) fn apply(&self, documents: &[Document]) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.kubectl_with_input(&args, &Document::join(documents))?.ok()?;
        Ok(())
    }

    fn delete(&self, documents: &[Document]) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let documents = Document::join(documents);
        let delete = || {
            let args = ["delete", "--ignore-not-found", "--timeout=45s", "-f", "-"];
            self.kubectl_with_input(&args, &documents)?.ok()
        };
        // Seen once in a dozen runs: kubectl waits in vain for a CRD's end.
        let Err(first) = delete() else { return Ok(()) };
        self.say(&format!("deleting again, because: {first:#}"));
        delete().map(drop).or_else(|error| {
            let args = ["get", "--ignore-not-found", "-o", "yaml", "-f", "-"];
            let left = self.kubectl_with_input(&args, &documents)?.stdout;
            Err(error).with_context(|| format!("still there:\n{left}"))
        })
    }

    fn documents(&self) -> Result<Vec<Document>> {
        let base = match self.options.cert_manager {
            true => self.kustomization_with_cert_manager()?,
            false => manifests().join("base"),
        };
        let text = if base.join("kustomization.yaml").exists() {
            self.tool(&self.part("kubectl").args(["kustomize", &base.to_string_lossy()]))?.ok()?
        } else {
            plain_files()?
        };
        let mut documents = split(&text);
        if documents.is_empty() {
            bail!("nothing to install in {}", manifests().display());
        }
        if self.options.second_argocd {
            documents = documents
                .into_iter()
                .map(|document| document.granting(Instance::Second))
                .collect::<Result<Vec<_>>>()?
                .concat();
        }
        Ok(documents)
    }
}

// For as long as there is no kustomization: every file but the patches.
fn plain_files() -> Result<String> {
    let mut text = String::new();
    for folder in ["crds", "rbac", "webhook", "argocd"] {
        let Ok(entries) = fs::read_dir(manifests().join(folder)) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| is_object(path)) {
            text.push_str(&fs::read_to_string(path)?);
            text.push_str("\n---\n");
        }
    }
    Ok(text)
}

fn is_object(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".yaml") && !name.ends_with("-patch.yaml") && name != "kustomization.yaml"
}

fn repo_server_env() -> Result<BTreeMap<String, String>> {
    match read_manifest("argocd/repo-server-patch.yaml")? {
        Some(patch) => environment_of(&patch, "argocd-repo-server"),
        None => Ok(BTreeMap::new()),
    }
}

pub(crate) fn read_manifest(name: &str) -> Result<Option<Value>> {
    let path = manifests().join(name);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_saphyr::from_str(&text).map(Some).with_context(|| format!("parsing {}", path.display()))
}

pub(crate) fn manifests() -> PathBuf {
    parts::repository().join("manifests")
}
