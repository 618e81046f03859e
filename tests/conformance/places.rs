//! Where the cases run.

use std::{fs, path::Path, sync::OnceLock};

use anyhow::{Context as _, Result};
use http::{HeaderValue, Request, header};
use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use tower::ServiceExt as _;
use wharfinger_localapi::{LocalApi, Options, User};

/// Who may do everything in a localapi, over a socket.
pub(crate) const ADMIN_TOKEN: &str = "admin";

#[derive(Clone)]
pub(crate) enum Place {
    Local(LocalApi),
    #[cfg(feature = "kubernetes")]
    Real(Box<kube::Config>),
}

impl Place {
    /// A localapi of its own, in this process and without a socket.
    pub(crate) async fn localapi() -> Result<Self> {
        let tokens = [(ADMIN_TOKEN.to_owned(), User::admin())].into();
        let api = LocalApi::new(Options { history: 20, tokens, ..Options::default() })?;
        let definitions: Api<DynamicObject> = Api::all_with(
            api.client(User::admin()),
            &ApiResource::from_gvk(&GroupVersionKind::gvk(
                "apiextensions.k8s.io",
                "v1",
                "CustomResourceDefinition",
            )),
        );
        for crd in parsed()? {
            definitions.create(&PostParams::default(), crd).await?;
        }
        Ok(Self::Local(api))
    }

    /// The kube-apiserver of this process, started by whoever asks first.
    #[cfg(feature = "kubernetes")]
    pub(crate) async fn kubernetes() -> Result<Self> {
        use kube::config::{KubeConfigOptions, Kubeconfig};

        let file = Kubeconfig::read_from(cluster()?.kubeconfig_admin())?;
        let options = KubeConfigOptions::default();
        Ok(Self::Real(Box::new(kube::Config::from_custom_kubeconfig(file, &options).await?)))
    }

    /// Who may do everything.
    pub(crate) fn admin(&self) -> Result<Client> {
        Ok(match self {
            Self::Local(api) => api.client(User::admin()),
            #[cfg(feature = "kubernetes")]
            Self::Real(config) => Client::try_from((**config).clone())?,
        })
    }

    /// Whoever the token says.
    pub(crate) fn bearer(&self, token: &str) -> Result<Client> {
        Ok(match self {
            Self::Local(api) => {
                let router = api.router();
                let token: HeaderValue = format!("Bearer {token}").parse()?;
                let service = tower::service_fn(move |request: Request<kube::client::Body>| {
                    let mut request = request.map(axum::body::Body::new);
                    request.headers_mut().insert(header::AUTHORIZATION, token.clone());
                    router.clone().oneshot(request)
                });
                Client::new(service, "default")
            }
            #[cfg(feature = "kubernetes")]
            Self::Real(config) => {
                let mut config = (**config).clone();
                config.auth_info = kube::config::AuthInfo {
                    token: Some(token.to_owned().into()),
                    ..Default::default()
                };
                Client::try_from(config)?
            }
        })
    }
}

#[cfg(feature = "kubernetes")]
pub(crate) fn cluster() -> Result<&'static wharfinger_cluster::Cluster> {
    use wharfinger_cluster::{Cluster, Options};

    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    let start = || {
        let cluster = Cluster::start(Options { argocd: false, ..Options::default() })?;
        for crd in crds()? {
            cluster.kubectl_with_input(&["apply", "-f", "-"], &crd)?.ok()?;
        }
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
        cluster.kubectl(&established)?.ok()?;
        anyhow::Ok(cluster)
    };
    let cluster = CLUSTER.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    cluster.as_ref().map_err(|error| anyhow::anyhow!("the cluster did not start: {error}"))
}

/// Our CustomResourceDefinitions. Read once: reading YAML takes longer than most cases.
fn parsed() -> Result<&'static [DynamicObject]> {
    static PARSED: OnceLock<Result<Vec<DynamicObject>, String>> = OnceLock::new();
    let parse = || -> Result<Vec<DynamicObject>> {
        crds()?.iter().map(|crd| Ok(serde_saphyr::from_str(crd)?)).collect()
    };
    let parsed = PARSED.get_or_init(|| parse().map_err(|error| format!("{error:#}")));
    parsed.as_deref().map_err(|error| anyhow::anyhow!("our definitions: {error}"))
}

/// Our CustomResourceDefinitions, as YAML.
fn crds() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut texts = Vec::new();
    for file in files {
        let path = file?.path();
        if path.file_name().is_some_and(|name| name != "kustomization.yaml") {
            texts.push(fs::read_to_string(path)?);
        }
    }
    Ok(texts)
}
