//! A real cluster: started in one call, gone with its owner.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    api::Api,
    git_host::Git,
    handle::{Process, Spec},
    install::Installed,
    keys::Keys,
    kubeconfig::{self, Identity},
    kubernetes,
    parts::Parts,
    process::Program,
    role::{Instance, Role},
    run::Run,
    together::{Job, together},
    tool::{self, Output},
};

const TOOL_LIMIT: Duration = Duration::from_secs(120);
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// What a cluster consists of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Argo CD; without it there is only Kubernetes and Git.
    pub argocd: bool,
    /// A second Argo CD in namespace `argocd-b`: redis, repo-server and application controller.
    pub second_argocd: bool,
    /// Puts an adjustable delay in front of the Git host (`Git::set_delay`).
    pub git_delay: Option<Duration>,
    /// Argo CD's `timeout.reconciliation`.
    pub reconciliation: Duration,
    /// cert-manager. The webhook has its certificate from it, then.
    pub cert_manager: bool,
    /// Wharfinger's processes are built with their fault points, which no installation has.
    pub fault_points: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            argocd: true,
            second_argocd: false,
            git_delay: None,
            reconciliation: Duration::from_secs(20),
            cert_manager: false,
            fault_points: false,
        }
    }
}

/// A running cluster. Dropping it ends every process and leaves its logs; if the owner dies instead,
/// the processes die with it. What is left of the folder goes at the next start of any cluster.
pub struct Cluster {
    pub(crate) options: Options,
    pub(crate) run: Arc<Run>,
    pub(crate) parts: Parts,
    pub(crate) keys: Keys,
    pub(crate) installed: Mutex<Option<Installed>>,
    processes: Mutex<BTreeMap<Role, Process>>,
    kubeconfigs: Mutex<BTreeMap<Identity, PathBuf>>,
    api: OnceLock<Api>,
    git: OnceLock<Git>,
    // One start of the registry at a time: there is one.
    pub(crate) registry: Mutex<()>,
}

impl Cluster {
    pub fn start(options: Options) -> Result<Self> {
        Self::start_in(&Run::new()?, options)
    }

    pub(crate) fn start_in(run: &Arc<Run>, options: Options) -> Result<Self> {
        let start = || -> Result<Self> {
            let cluster = Self::new(run, options)?;
            cluster.start_everything()?;
            Ok(cluster)
        };
        start().with_context(|| format!("starting a cluster; logs: {}", run.logs().display()))
    }

    /// The folder of this run.
    pub fn folder_of_run(&self) -> &Path {
        self.run.path()
    }

    pub fn logs(&self) -> PathBuf {
        self.run.logs()
    }

    pub fn process(&self, role: Role) -> Result<Process> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.get(&role).cloned().with_context(|| format!("{role} is not part of this cluster"))
    }

    /// Every process, in the order of `Role`.
    pub fn processes(&self) -> Vec<(Role, Process)> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.iter().map(|(role, process)| (*role, process.clone())).collect()
    }

    pub fn git(&self) -> &Git {
        self.git.get().expect("a cluster that has been started has a Git host")
    }

    /// A kubeconfig that may do everything.
    pub fn kubeconfig_admin(&self) -> PathBuf {
        self.file("admin.kubeconfig")
    }

    /// A kubeconfig with a token of that ServiceAccount, which must exist.
    pub fn kubeconfig(&self, identity: Identity) -> Result<PathBuf> {
        let known =
            self.kubeconfigs.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned();
        if let Some(path) = known {
            return Ok(path);
        }
        let Identity { namespace, account } = identity;
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 30 * 24 * 3600},
        });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.api()?.post(&path, &request)?;
        let token = answer["status"]["token"].as_str().context("a TokenRequest without a token")?;
        let path = self.file(&format!("{namespace}.{account}.kubeconfig"));
        self.write_kubeconfig(&path, &identity.to_string(), token, namespace)?;
        self.kubeconfigs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(identity, path.clone());
        Ok(path)
    }

    pub(crate) fn forget_kubeconfigs(&self, namespace: &str) {
        let mut known = self.kubeconfigs.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|identity, _| identity.namespace != namespace);
    }

    /// kubectl as admin.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output> {
        self.tool(&self.kubectl_with(&self.kubeconfig_admin()).args(args.iter().copied()))
    }

    /// kubectl as admin, with something to read on stdin (`-f -`).
    pub fn kubectl_with_input(&self, args: &[&str], input: &str) -> Result<Output> {
        let program = self.kubectl_with(&self.kubeconfig_admin()).args(args.iter().copied());
        tool::run(&program, input.as_bytes(), TOOL_LIMIT)
    }

    /// kubectl with that ServiceAccount's own token. For a person: `kubectl(&["--as", …])`.
    pub fn kubectl_as(&self, identity: Identity, args: &[&str]) -> Result<Output> {
        self.tool(&self.kubectl_with(&self.kubeconfig(identity)?).args(args.iter().copied()))
    }

    /// `wharf` as admin; it is there once Wharfinger is installed.
    pub fn wharf(&self, args: &[&str]) -> Result<Output> {
        self.tool(&self.wharf_with(&self.kubeconfig_admin()).args(args.iter().copied()))
    }

    /// `wharf` as a person, who has the permissions of that name and no group.
    pub fn wharf_as(&self, person: &str, args: &[&str]) -> Result<Output> {
        let kubeconfig = self.kubeconfig_person(person)?;
        self.tool(&self.wharf_with(&kubeconfig).args(args.iter().copied()))
    }

    /// `wharf` as admin, interrupted as by Ctrl-C after that time.
    pub fn wharf_interrupted(&self, after: Duration, args: &[&str]) -> Result<Output> {
        let wharf = self.wharf_with(&self.kubeconfig_admin());
        let seconds = after.as_secs_f64().to_string();
        let timeout = Program { path: "timeout".into(), ..wharf.clone() }
            .args(["--preserve-status", "--signal=INT", &seconds])
            .args([wharf.path.to_string_lossy()])
            .args(args.iter().copied());
        self.tool(&timeout)
    }

    /// The argocd command line client.
    pub fn argocd(&self, args: &[&str]) -> Result<Output> {
        self.tool(&self.argocd_client()?.args(args.iter().copied()))
    }

    /// Asks `question` until it is answered or a minute has passed.
    pub fn until<T>(&self, what: &str, question: impl Fn() -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            match question() {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() > deadline => {
                    let waited = WAIT_LIMIT.as_secs();
                    return Err(error).with_context(|| {
                        format!("waited {waited} s for {what}; logs: {}", self.logs().display())
                    });
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Brings every process up again that is down or paused.
    pub fn all_up(&self) -> Result<()> {
        let processes = self.processes();
        for (_, process) in &processes {
            process.resume()?;
        }
        // In the order of roles: etcd before kube-apiserver before those that need it.
        for (role, process) in &processes {
            process.start().with_context(|| format!("bringing {role} up again"))?;
        }
        Ok(())
    }

    /// Ends every process at once and removes the folder, logs and all.
    pub fn end(self) -> Result<()> {
        self.run.end_and_remove()
    }

    fn new(run: &Arc<Run>, options: Options) -> Result<Self> {
        let keys = Keys::new(&run.path().join("keys"))?;
        let parts = Parts::find(run)?;
        Ok(Self {
            options,
            run: Arc::clone(run),
            parts,
            keys,
            installed: Mutex::new(None),
            processes: Mutex::new(BTreeMap::new()),
            kubeconfigs: Mutex::new(BTreeMap::new()),
            api: OnceLock::new(),
            git: OnceLock::new(),
            registry: Mutex::default(),
        })
    }

    fn start_everything(&self) -> Result<()> {
        let instances = self.instances();
        self.say("parts found");
        together(vec![
            Box::new(|| {
                self.start_etcd()?;
                let api = self.start_apiserver()?;
                self.write_kubeconfig(
                    &self.kubeconfig_admin(),
                    "admin",
                    &self.keys.admin_token,
                    "default",
                )?;
                drop(self.api.set(api));
                self.say("etcd and kube-apiserver up");
                Ok(())
            }),
            Box::new(|| {
                let git = self.start_git()?;
                drop(self.git.set(git));
                self.write_kwok_rules()
            }),
            Box::new(|| {
                for instance in instances {
                    self.start_redis(*instance)?;
                    self.start_repo_server(*instance)?;
                }
                Ok(())
            }),
        ])?;
        self.say("Git, redis and repo-server up");
        together(vec![
            Box::new(|| {
                self.start_controller_manager()?;
                self.start_scheduler()?;
                self.start_kwok()?;
                self.say("controller-manager, scheduler and kwok up");
                Ok(())
            }),
            Box::new(|| {
                self.apply_first_objects(instances)?;
                self.say("CRDs, configuration and permissions applied");
                let mut jobs: Vec<Job<'_>> =
                    instances.iter().map(|instance| self.argocd_job(*instance)).collect();
                if self.options.cert_manager {
                    jobs.push(Box::new(|| self.start_cert_manager()));
                }
                together(jobs)
            }),
        ])?;
        self.say("cluster up");
        Ok(())
    }

    fn argocd_job(&self, instance: Instance) -> Job<'_> {
        Box::new(move || {
            self.argocd_crds_served()?;
            let mut jobs: Vec<Job<'_>> = vec![
                // Beside the rest: kube-apiserver holds up what is created under a CRD that is
                // younger than two seconds.
                Box::new(move || self.create_default_project(instance)),
                Box::new(move || self.start_application_controller(instance).map(drop)),
            ];
            if instance == Instance::First {
                jobs.push(Box::new(|| self.start_applicationset_controller().map(drop)));
                jobs.push(Box::new(|| self.start_argocd_server().map(drop)));
            }
            together(jobs)?;
            self.say(&format!("Argo CD in namespace {} up", instance.namespace()));
            Ok(())
        })
    }

    // In one kubectl: each start of it costs a tenth of a second.
    fn apply_first_objects(&self, instances: &[Instance]) -> Result<()> {
        let mut objects = vec![kubernetes::node()];
        let mut args =
            vec!["apply".to_owned(), "--server-side".to_owned(), "--force-conflicts".to_owned()];
        if !instances.is_empty() {
            args.extend(
                self.argocd_crds().iter().map(|path| format!("--filename={}", path.display())),
            );
        }
        for instance in instances {
            objects.extend(self.argocd_objects(*instance)?);
        }
        args.push("--filename=-".to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.kubectl_with_input(&args, &list(&objects))?.ok()?;
        Ok(())
    }

    pub(crate) fn instances(&self) -> &'static [Instance] {
        match (self.options.argocd, self.options.second_argocd) {
            (false, _) => &[],
            (true, false) => &[Instance::First],
            (true, true) => &[Instance::First, Instance::Second],
        }
    }

    pub(crate) fn launch(&self, role: Role, spec: impl Fn() -> Result<Spec>) -> Result<Process> {
        let process = Process::launch(&self.run, &role.to_string(), spec)?;
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).insert(role, process.clone());
        Ok(process)
    }

    pub(crate) fn forget(&self, role: Role) {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).remove(&role);
    }

    pub(crate) fn api(&self) -> Result<&Api> {
        self.api.get().context("kube-apiserver is not up yet")
    }

    pub(crate) fn port(&self) -> Result<u16> {
        self.run.ports().take()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.run.path().join(name)
    }

    pub(crate) fn memory(&self) -> PathBuf {
        self.run.memory()
    }

    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.file(name);
        // Not with its parents: a run that was called off must not bring its folder back.
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("creating {}", folder.display()))
            }
            _ => Ok(folder),
        }
    }

    /// A program of the parts, with the environment every part gets.
    pub(crate) fn part(&self, name: &str) -> Program {
        self.with_environment(self.parts.program(name))
    }

    /// A program of the system, likewise.
    pub(crate) fn program(&self, name: &str) -> Program {
        self.with_environment(Program::new(name))
    }

    pub(crate) fn with_environment(&self, program: Program) -> Program {
        program
            .env("PATH", self.parts.path(&self.file("bin")))
            .env("HOME", self.file("home").to_string_lossy())
            .env("TMPDIR", self.file("tmp").to_string_lossy())
            .env("GIT_CONFIG_GLOBAL", self.file("gitconfig").to_string_lossy())
            .env("GIT_CONFIG_NOSYSTEM", "1")
    }

    pub(crate) fn tool(&self, program: &Program) -> Result<Output> {
        tool::run(program, b"", TOOL_LIMIT)
    }

    pub(crate) fn say(&self, what: &str) {
        self.run.say(what);
    }

    fn kubectl_with(&self, kubeconfig: &Path) -> Program {
        self.part("kubectl").env("KUBECONFIG", kubeconfig.to_string_lossy())
    }

    fn wharf_with(&self, kubeconfig: &Path) -> Program {
        self.with_environment(Program::new(self.file("bin").join("wharf")))
            .env("KUBECONFIG", kubeconfig.to_string_lossy())
            .env("LANG", "C.UTF-8")
    }

    /// A kubeconfig by which admin acts as somebody else.
    fn kubeconfig_person(&self, name: &str) -> Result<PathBuf> {
        let mut config: Value =
            serde_json::from_str(&fs::read_to_string(self.kubeconfig_admin())?)?;
        config["users"][0]["user"]["as"] = name.into();
        let path = self.file(&format!("{}.kubeconfig", name.replace([':', '/'], "_")));
        fs::write(&path, config.to_string())
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn write_kubeconfig(
        &self,
        path: &Path,
        user: &str,
        token: &str,
        namespace: &str,
    ) -> Result<()> {
        let port = self.process(Role::KubeApiserver)?.port("https")?;
        let server = format!("https://127.0.0.1:{port}");
        kubeconfig::write(path, &server, &self.keys.file("ca.crt"), user, token, namespace)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Here and not with the last reference to the run: a process handle may outlive us.
        if let Err(error) = self.run.end() {
            self.say(&format!("taking the cluster down: {error:#}"));
        }
    }
}

pub(crate) fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}
