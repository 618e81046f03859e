//! What listens on a port for one case, with a certificate of its own.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use base64::Engine as _;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::task::JoinSet;
use wharfinger_daemon::{Shutdown, tls};

pub(crate) struct Served {
    pub(crate) url: String,
    /// What clients have to trust: PEM in base64, as Kubernetes takes it.
    pub(crate) authority: String,
    // Dropped, it ends.
    _serving: JoinSet<Result<()>>,
    _keys: TempDir,
}

impl Served {
    pub(crate) async fn start(app: Router) -> Result<Self> {
        let keys = TempDir::new()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".into()])?.self_signed(&key)?;
        let file = |name: &str| keys.path().join(name);
        std::fs::write(file("tls.crt"), certificate.pem())?;
        std::fs::write(file("tls.key"), key.serialize_pem())?;
        let identity = tls::Identity::load(file("tls.crt"), file("tls.key")).await?;
        let listener = tls::listen(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("https://127.0.0.1:{}", listener.local_addr()?.port());
        let mut serving = JoinSet::new();
        serving.spawn(tls::serve(listener, identity, app, Duration::ZERO, Shutdown::new()));
        let authority = base64::engine::general_purpose::STANDARD.encode(certificate.pem());
        Ok(Self { url, authority, _serving: serving, _keys: keys })
    }
}
