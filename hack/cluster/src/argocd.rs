//! Argo CD as plain processes, configured by the manifests of its own module.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    handle::{Process, Spec},
    kubeconfig::Identity,
    process::Program,
    ready::Ready,
    role::{Instance, Role},
};

const CRDS: [&str; 3] = ["application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"];

const CONFIG: [&str; 7] = [
    "argocd-cm.yaml",
    "argocd-cmd-params-cm.yaml",
    "argocd-secret.yaml",
    "argocd-rbac-cm.yaml",
    "argocd-ssh-known-hosts-cm.yaml",
    "argocd-tls-certs-cm.yaml",
    "argocd-gpg-keys-cm.yaml",
];

// What the pods' Deployments would mount; those themselves are our processes.
const ACCOUNTS: [&str; 13] = [
    "base/repo-server/argocd-repo-server-sa.yaml",
    "base/application-controller-roles/argocd-application-controller-sa.yaml",
    "base/application-controller-roles/argocd-application-controller-role.yaml",
    "base/application-controller-roles/argocd-application-controller-rolebinding.yaml",
    "base/applicationset-controller/argocd-applicationset-controller-sa.yaml",
    "base/applicationset-controller/argocd-applicationset-controller-role.yaml",
    "base/applicationset-controller/argocd-applicationset-controller-rolebinding.yaml",
    "base/server/argocd-server-sa.yaml",
    "base/server/argocd-server-role.yaml",
    "base/server/argocd-server-rolebinding.yaml",
    "cluster-rbac/application-controller/argocd-application-controller-clusterrole.yaml",
    "cluster-rbac/applicationset-controller/argocd-applicationset-controller-clusterrole.yaml",
    "cluster-rbac/server/argocd-server-clusterrole.yaml",
];

/// Where Applications may lie beside an instance's own namespace, if their AppProject lets them. Of two instances both would look
/// there; tests put none there while there are two.
const OTHER_NAMESPACES: &str = "teams-*";

const CLUSTER_BINDINGS: [&str; 3] = [
    "cluster-rbac/application-controller/argocd-application-controller-clusterrolebinding.yaml",
    "cluster-rbac/applicationset-controller/argocd-applicationset-controller-clusterrolebinding.yaml",
    "cluster-rbac/server/argocd-server-clusterrolebinding.yaml",
];

impl Cluster {
    pub(crate) fn argocd_crds(&self) -> Vec<PathBuf> {
        CRDS.map(|name| self.argocd_manifests().join("crds").join(name)).into()
    }

    /// Namespace, configuration and permissions of an instance.
    pub(crate) fn argocd_objects(&self, instance: Instance) -> Result<Vec<Value>> {
        let manifests = self.argocd_manifests();
        let config = CONFIG.map(|name| format!("base/config/{name}"));
        let files = config.iter().map(String::as_str).chain(ACCOUNTS).chain(CLUSTER_BINDINGS);
        let namespace = instance.namespace();
        let mut objects = vec![json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        })];
        for file in files {
            objects.push(in_namespace(read(&manifests.join(file))?, namespace));
        }
        Ok(objects)
    }

    /// Applications may go anywhere, from anywhere; argocd-server makes the same one at its start.
    pub(crate) fn create_default_project(&self, instance: Instance) -> Result<()> {
        let namespace = instance.namespace();
        let project = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": namespace},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        });
        let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/appprojects");
        match self.api()?.post(&path, &project) {
            Err(error) if format!("{error:#}").contains("AlreadyExists") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Waits until the CRDs that were applied a moment ago are served.
    pub(crate) fn argocd_crds_served(&self) -> Result<()> {
        for kind in ["applications", "applicationsets", "appprojects"] {
            self.until(&format!("the CRD {kind}.argoproj.io to be served"), || {
                self.api()?.get(&format!("/apis/argoproj.io/v1alpha1/{kind}"))
            })?;
        }
        Ok(())
    }

    pub(crate) fn start_redis(&self, instance: Instance) -> Result<Process> {
        let role = Role::Redis(instance);
        self.launch(role, || {
            let port = self.port()?;
            let folder = self.folder(&role.to_string())?;
            let program = self
                .program("redis-server")
                .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
                .args(["--port".to_owned(), port.to_string()])
                .folder(&folder);
            Ok(Spec { program, ready: Ready::Tcp(port), ports: [("redis", port)].into() })
        })
    }

    /// The folder in which repo-server looks for the sockets of plugins.
    pub fn plugin_folder(&self, instance: Instance) -> Result<PathBuf> {
        self.folder(match instance {
            Instance::First => "plugins",
            Instance::Second => "plugins-b",
        })
    }

    pub(crate) fn start_repo_server(&self, instance: Instance) -> Result<Process> {
        self.write_git_verify_wrapper()?;
        let plugins = self.plugin_folder(instance)?;
        let role = Role::RepoServer(instance);
        self.launch(role, || {
            let (port, metrics) = (self.port()?, self.port()?);
            let program = self
                .argocd_part("argocd-repo-server", instance)?
                .env("ARGOCD_GPG_ENABLED", "false")
                .env("ARGOCD_PLUGINSOCKFILEPATH", plugins.to_string_lossy())
                .env(
                    "ARGOCD_ASK_PASS_SOCK",
                    self.folder(&role.to_string())?.join("ask").to_string_lossy(),
                )
                .args(["--address", "127.0.0.1", "--metrics-address", "127.0.0.1"])
                .args(["--port".to_owned(), port.to_string()])
                .args(["--metrics-port".to_owned(), metrics.to_string()])
                .args(["--redis".to_owned(), self.redis(instance)?]);
            let ready = Ready::Http { port: metrics, path: "/healthz" };
            Ok(Spec { program, ready, ports: [("grpc", port), ("metrics", metrics)].into() })
        })
    }

    pub(crate) fn start_application_controller(&self, instance: Instance) -> Result<Process> {
        let namespace = instance.namespace();
        let identity = Identity::new(namespace, "argocd-application-controller");
        let kubeconfig = self.kubeconfig(identity)?;
        self.launch(Role::ApplicationController(instance), || {
            let metrics = self.port()?;
            let program = self
                .argocd_part("argocd-application-controller", instance)?
                .env("KUBECONFIG", kubeconfig.to_string_lossy())
                .env("HOSTNAME", "argocd-application-controller-0")
                .env(
                    "ARGOCD_RECONCILIATION_TIMEOUT",
                    format!("{}s", self.options.reconciliation.as_secs()),
                )
                .env("ARGOCD_RECONCILIATION_JITTER", "0s")
                .env("ARGOCD_SYNC_WAVE_DELAY", "0")
                .env("ARGOCD_APPLICATION_NAMESPACES", OTHER_NAMESPACES)
                .args(["--namespace", namespace])
                .args(["--redis".to_owned(), self.redis(instance)?])
                .args(["--repo-server".to_owned(), self.repo_server(instance)?])
                .args(["--metrics-port".to_owned(), metrics.to_string()]);
            let ready = Ready::Http { port: metrics, path: "/healthz" };
            Ok(Spec { program, ready, ports: [("metrics", metrics)].into() })
        })
    }

    pub(crate) fn start_applicationset_controller(&self) -> Result<Process> {
        let kubeconfig = self.kubeconfig(Identity::APPLICATIONSET_CONTROLLER)?;
        self.launch(Role::ApplicationSetController, || {
            let (metrics, probe, webhook) = (self.port()?, self.port()?, self.port()?);
            let program = self
                .argocd_part("argocd-applicationset-controller", Instance::First)?
                .env("KUBECONFIG", kubeconfig.to_string_lossy())
                .args(["--namespace", Instance::First.namespace()])
                .args(["--argocd-repo-server".to_owned(), self.repo_server(Instance::First)?])
                .args(["--metrics-addr".to_owned(), format!("127.0.0.1:{metrics}")])
                .args(["--probe-addr".to_owned(), format!("127.0.0.1:{probe}")])
                .args(["--webhook-addr".to_owned(), format!("127.0.0.1:{webhook}")]);
            // It registers no checks, so there is no path to ask.
            let ready = Ready::Tcp(probe);
            let ports = [("metrics", metrics), ("probe", probe), ("webhook", webhook)].into();
            Ok(Spec { program, ready, ports })
        })
    }

    pub(crate) fn start_argocd_server(&self) -> Result<Process> {
        let kubeconfig = self.kubeconfig(Identity::ARGOCD_SERVER)?;
        self.launch(Role::ArgoCdServer, || {
            let (port, metrics) = (self.port()?, self.port()?);
            let program = self
                .argocd_part("argocd-server", Instance::First)?
                .env("KUBECONFIG", kubeconfig.to_string_lossy())
                .env("ARGOCD_APPLICATION_NAMESPACES", OTHER_NAMESPACES)
                .args(["--namespace", Instance::First.namespace(), "--insecure", "--disable-auth"])
                .args(["--address", "127.0.0.1", "--dex-server", "http://127.0.0.1:1"])
                .args(["--port".to_owned(), port.to_string()])
                .args(["--metrics-port".to_owned(), metrics.to_string()])
                .args(["--redis".to_owned(), self.redis(Instance::First)?])
                .args(["--repo-server".to_owned(), self.repo_server(Instance::First)?]);
            let ready = Ready::Http { port, path: "/healthz" };
            Ok(Spec { program, ready, ports: [("http", port), ("metrics", metrics)].into() })
        })
    }

    /// The command line client against argocd-server.
    pub(crate) fn argocd_client(&self) -> Result<Program> {
        let port = self.process(Role::ArgoCdServer)?.port("http")?;
        Ok(self
            .part("argocd")
            .env("ARGOCD_BINARY_NAME", "argocd")
            .env("ARGOCD_CONFIG_DIR", self.folder("argocd-client")?.to_string_lossy())
            .env("ARGOCD_SERVER", format!("127.0.0.1:{port}"))
            .env("ARGOCD_OPTS", "--plaintext"))
    }

    pub(crate) fn argocd_part(&self, name: &str, instance: Instance) -> Result<Program> {
        let name_of_folder = format!("{name}-{}", instance.namespace());
        let folder = self.folder(&name_of_folder)?;
        for sub in ["tls", "ssh", "tmp"] {
            self.folder(&format!("{name_of_folder}/{sub}"))?;
        }
        Ok(self
            .part("argocd")
            .env("ARGOCD_BINARY_NAME", name)
            // "https://kubernetes.default.svc" then means the cluster of KUBECONFIG.
            .env("ARGOCD_FAKE_IN_CLUSTER", "true")
            .env("ARGOCD_TLS_DATA_PATH", folder.join("tls").to_string_lossy())
            .env("ARGOCD_SSH_DATA_PATH", folder.join("ssh").to_string_lossy())
            .env("TMPDIR", folder.join("tmp").to_string_lossy()))
    }

    fn argocd_manifests(&self) -> PathBuf {
        self.parts.files("argocd/manifests")
    }

    fn redis(&self, instance: Instance) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.process(Role::Redis(instance))?.port("redis")?))
    }

    fn repo_server(&self, instance: Instance) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.process(Role::RepoServer(instance))?.port("grpc")?))
    }

    // repo-server 3.5 runs a program of this name for every render, signatures asked for or not;
    // it comes with Argo CD's image, not with its module.
    fn write_git_verify_wrapper(&self) -> Result<()> {
        let path = self.file("bin/git-verify-wrapper.sh");
        fs::write(&path, "#!/bin/sh\ngit verify-commit \"$1\" 2>&1 || true\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("parsing {}", path.display()))
}

/// What `kustomize` does with `namespace:`; in a second namespace bindings of the whole cluster get
/// a name of their own, because the first instance has them too.
fn in_namespace(mut object: Value, namespace: &str) -> Value {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if !kind.starts_with("Cluster") {
        object["metadata"]["namespace"] = namespace.into();
    }
    if kind == "ClusterRoleBinding" && namespace != Instance::First.namespace() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        object["metadata"]["name"] = format!("{name}-{namespace}").into();
    }
    if let Some(subjects) = object.get_mut("subjects").and_then(Value::as_array_mut) {
        for subject in subjects {
            subject["namespace"] = namespace.into();
        }
    }
    object
}

/// An environment as it is shown in a patch of a Deployment.
pub(crate) fn environment_of(patch: &Value, container: &str) -> Result<BTreeMap<String, String>> {
    let containers = patch["spec"]["template"]["spec"]["containers"].as_array();
    let env = containers
        .into_iter()
        .flatten()
        .filter(|found| found["name"] == container)
        .flat_map(|found| found["env"].as_array().into_iter().flatten());
    env.map(|entry| {
        let value = entry["value"]
            .as_str()
            .with_context(|| format!("only plain values can be given to a process: {entry}"))?;
        Ok((entry["name"].as_str().unwrap_or_default().to_owned(), value.to_owned()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_instance_binds_its_own_accounts_under_its_own_name() {
        let binding = json!({
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "argocd-server"},
            "roleRef": {"kind": "ClusterRole", "name": "argocd-server"},
            "subjects": [{"kind": "ServiceAccount", "name": "argocd-server", "namespace": "argocd"}],
        });
        let first = in_namespace(binding.clone(), "argocd");
        let second = in_namespace(binding.clone(), "argocd-b");
        assert_eq!(first, binding);
        assert_eq!(second["metadata"]["name"], "argocd-server-argocd-b");
        assert_eq!(second["subjects"][0]["namespace"], "argocd-b");
        assert_eq!(second["roleRef"]["name"], "argocd-server");
    }

    #[test]
    fn only_the_environment_of_the_named_container_is_taken() {
        let patch = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "wharfinger", "env": [{"name": "A", "value": "1"}]},
            {"name": "argocd-repo-server", "env": [{"name": "B", "value": "2"}]},
        ]}}}});
        let env = environment_of(&patch, "argocd-repo-server").unwrap();
        assert_eq!(env, BTreeMap::from([("B".to_owned(), "2".to_owned())]));
    }

    #[test]
    fn a_value_from_elsewhere_is_refused() {
        let patch = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "argocd-repo-server", "env": [{"name": "B", "valueFrom": {}}]},
        ]}}}});
        assert!(environment_of(&patch, "argocd-repo-server").is_err());
    }
}
