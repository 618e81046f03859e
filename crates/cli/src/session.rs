//! What a verb works with: the cluster, the Project, the time and where to print.

use std::{env, path::PathBuf, time::Duration};

use clap::Args;
use http::{HeaderValue, header::USER_AGENT};
use jiff::Timestamp;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::NamespaceResourceScope,
};
use tokio::sync::OnceCell;

use crate::exit::{Exit, Failure};
use crate::output::{Color, Console, Format};

/// The flags that every verb has.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Project to work in; without it, the namespace of the kubeconfig's context
    #[arg(short, long, global = true, env = "WHARF_PROJECT", value_name = "NAME")]
    pub project: Option<String>,

    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,

    /// Kubeconfig file; without it, as KUBECONFIG says, or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace in which Argo CD runs
    #[arg(
        short = 'n',
        long,
        global = true,
        env = "WHARF_ARGOCD_NAMESPACE",
        value_name = "NAME",
        default_value = "argocd"
    )]
    pub argocd_namespace: String,

    /// Form of the result
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub output: Format,

    /// When to use colours. NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

pub struct Session {
    pub global: Global,
    pub console: Console,
    /// The time, as this machine knows it.
    pub clock: fn() -> Timestamp,
    cluster: OnceCell<Cluster>,
}

/// Made when it is first asked for: `--help` and completions never touch a kubeconfig.
struct Cluster {
    client: Client,
    /// The namespace of the kubeconfig's context.
    namespace: String,
}

impl Session {
    pub fn new(global: Global, console: Console, clock: fn() -> Timestamp) -> Self {
        Self { global, console, clock, cluster: OnceCell::new() }
    }

    /// On this process's own terminal.
    pub fn of_process(global: Global) -> Self {
        let console = Console::of_process(global.color);
        Self::new(global, console, Timestamp::now)
    }

    /// Over a client that is there already, and not over a kubeconfig.
    #[must_use]
    pub fn over(self, client: Client) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self { cluster: OnceCell::new_with(Some(Cluster { client, namespace })), ..self }
    }

    pub async fn client(&self) -> Result<&Client, Failure> {
        Ok(&self.cluster().await?.client)
    }

    /// The Project to work in: as the flag or WHARF_PROJECT says, else the namespace of the kubeconfig's context.
    pub async fn project(&self) -> Result<&str, Failure> {
        if let Some(project) = self.global.project.as_deref().filter(|p| !p.is_empty()) {
            return Ok(project);
        }
        match self.cluster().await?.namespace.as_str() {
            "" | "default" => Err(Failure::usage("no Project is named")
                .next("Name one: -p PROJECT, or WHARF_PROJECT")
                .next("List them: wharf get projects")),
            namespace => Ok(namespace),
        }
    }

    /// The objects of a kind in the Project.
    pub async fn of_project<K>(&self) -> Result<Api<K>, Failure>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Ok(Api::namespaced(self.client().await?.clone(), self.project().await?))
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Tells a person how it ended, where that is not the result itself.
    pub fn conclude(&self, done: Result<Exit, Failure>) -> Exit {
        done.unwrap_or_else(|mut failure| {
            for next in &mut failure.next {
                *next = self.proposed(next);
            }
            self.console.refuse(&failure);
            failure.exit
        })
    }

    /// A line that proposes commands (`wharf …`): they are to work where this one worked.
    pub fn proposed(&self, line: &str) -> String {
        match &self.global.project {
            Some(project) => line.replace("wharf ", &format!("wharf -p {project} ")),
            None => line.into(),
        }
    }

    async fn cluster(&self) -> Result<&Cluster, Failure> {
        self.cluster.get_or_try_init(|| connect(&self.global)).await
    }
}

async fn connect(global: &Global) -> Result<Cluster, Failure> {
    // It fails only where it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = configured(global).await?;
    config.connect_timeout = Some(Duration::from_secs(5));
    let agent = HeaderValue::from_static(concat!("wharf/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|e| unusable(&e))?;
    Ok(Cluster { client, namespace })
}

async fn configured(global: &Global) -> Result<Config, Failure> {
    let options = KubeConfigOptions { context: global.context.clone(), ..Default::default() };
    if let Some(file) = &global.kubeconfig {
        let file = Kubeconfig::read_from(file).map_err(|e| unusable(&e))?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(|e| unusable(&e));
    }
    // A kubeconfig or a context that was named must not end in a pod's own identity.
    if global.context.is_some() || env::var_os("KUBECONFIG").is_some() {
        return Config::from_kubeconfig(&options).await.map_err(|e| unusable(&e));
    }
    Config::infer().await.map_err(|e| unusable(&e))
}

fn unusable(error: &dyn std::error::Error) -> Failure {
    Failure::new("the kubeconfig can't be used")
        .because(error)
        .next("Name another: --kubeconfig FILE, --context NAME")
}
