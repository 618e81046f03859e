//! A client for the Kubernetes API.

use std::{env, time::Duration};

use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Client, Config,
    config::{InferConfigError, KubeConfigOptions, KubeconfigError},
};

/// Why there is no client. Both need a person: nothing was asked of the API yet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file that KUBECONFIG names can't be used")]
    Kubeconfig(#[source] KubeconfigError),
    #[error("there is neither a kubeconfig nor a service account")]
    Nowhere(#[source] InferConfigError),
    #[error("the Kubernetes configuration can't be used")]
    Unusable(#[source] kube::Error),
}

/// A client as KUBECONFIG says, else as `~/.kube/config` or the pod's service account say.
///
/// It asks nothing of the API: that may be down when a process starts. `agent` (`<program>/<version>`) tells who asks.
pub async fn client(agent: &'static str) -> Result<Client, Error> {
    Client::try_from(config(agent).await?).map_err(Error::Unusable)
}

/// The configuration that [`client`] uses.
///
/// A connection has five seconds to come up. An answer has no limit here, since a watch is one long answer: whoever
/// asks for less gives a limit of their own.
pub async fn config(agent: &'static str) -> Result<Config, Error> {
    crypto();
    // A KUBECONFIG that can't be read must not end in the pod's own identity.
    let mut config = if env::var_os("KUBECONFIG").is_some() {
        Config::from_kubeconfig(&KubeConfigOptions::default()).await.map_err(Error::Kubeconfig)?
    } else {
        Config::infer().await.map_err(Error::Nowhere)?
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Ok(config)
}

/// Makes ring the cryptography of this process. To be called before anything speaks TLS; again does no harm.
pub fn crypto() {
    // It fails only where it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
}
