//! The names of the processes of a cluster.

use std::fmt;

/// An Argo CD installation. The second runs only if asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instance {
    /// In namespace `argocd`.
    #[default]
    First,
    /// In namespace `argocd-b`.
    Second,
}

impl Instance {
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::First => "argocd",
            Self::Second => "argocd-b",
        }
    }
}

/// A process of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    KubeScheduler,
    Kwok,
    /// The Git host.
    Git,
    /// A container registry, if a test starts one.
    Registry,
    Redis(Instance),
    RepoServer(Instance),
    ApplicationController(Instance),
    /// Of the first instance only.
    ApplicationSetController,
    /// argocd-server, of the first instance only.
    ArgoCdServer,
    /// Argo CD's own plugin server, of the first instance, if a test starts one.
    StockPlugin,
    /// cert-manager's controllers, if a cluster asks for them.
    CertManager,
    CaInjector,
    Sidecar(Instance),
    Webhook,
    /// A second replica of it, if a test starts one.
    SecondWebhook,
    Controller,
}

impl Role {
    /// Whether it is one of Wharfinger's own processes.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Sidecar(_) | Self::Webhook | Self::SecondWebhook | Self::Controller)
    }
}

impl fmt::Display for Role {
    /// The name of its log: `repo-server`, `repo-server-b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, instance) = match *self {
            Self::Etcd => ("etcd", Instance::First),
            Self::KubeApiserver => ("kube-apiserver", Instance::First),
            Self::KubeControllerManager => ("kube-controller-manager", Instance::First),
            Self::KubeScheduler => ("kube-scheduler", Instance::First),
            Self::Kwok => ("kwok", Instance::First),
            Self::Git => ("git", Instance::First),
            Self::Registry => ("registry", Instance::First),
            Self::Redis(instance) => ("redis", instance),
            Self::RepoServer(instance) => ("argocd-repo-server", instance),
            Self::ApplicationController(instance) => ("argocd-application-controller", instance),
            Self::ApplicationSetController => ("argocd-applicationset-controller", Instance::First),
            Self::ArgoCdServer => ("argocd-server", Instance::First),
            Self::StockPlugin => ("argocd-cmp-server", Instance::First),
            Self::CertManager => ("cert-manager-controller", Instance::First),
            Self::CaInjector => ("cert-manager-cainjector", Instance::First),
            Self::Sidecar(instance) => ("wharfinger-sidecar", instance),
            Self::Webhook => ("wharfinger-webhook", Instance::First),
            Self::SecondWebhook => ("wharfinger-webhook", Instance::Second),
            Self::Controller => ("wharfinger-controller", Instance::First),
        };
        let suffix = if instance == Instance::Second { "-b" } else { "" };
        write!(f, "{name}{suffix}")
    }
}
