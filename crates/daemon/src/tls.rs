//! Serving over TLS, with a certificate that may be replaced at any time.
//!
//! Files are compared by content, every two seconds: a Secret's volume is replaced by moving links about, which
//! neither file times nor inotify report in a way to build on.

use std::{net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    fs,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::Shutdown;

const POLL: Duration = Duration::from_secs(2);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request's headers to arrive. The limit on a body is the application's.
const HEADERS: Duration = Duration::from_secs(10);
/// What connections get to finish their requests after a shutdown. Shorter than the grace of `Tasks`.
const DRAIN: Duration = Duration::from_secs(20);
/// Far above what API servers open; a bound all the same.
const CONNECTIONS: usize = 2048;
/// No certificate or key is as long as this.
const FILE_LIMIT: u64 = 1 << 20;

/// A certificate with its key, read from files and read again when they change.
pub struct Identity {
    cert: PathBuf,
    key: PathBuf,
    /// What was read last, whether it could be used or not.
    seen: Pem,
    config: Arc<ServerConfig>,
}

#[derive(PartialEq, Eq)]
struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    pub async fn load(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> anyhow::Result<Self> {
        crate::crypto();
        let (cert, key) = (cert.into(), key.into());
        let seen = Pem::read(&cert, &key).await?;
        let config = seen.config()?;
        Ok(Self { cert, key, seen, config })
    }

    /// Looks at the files. What can't be used is reported once, and what was used goes on being used.
    async fn refresh(&mut self) {
        let fresh = match Pem::read(&self.cert, &self.key).await {
            Ok(fresh) if fresh == self.seen => return,
            Ok(fresh) => fresh,
            Err(e) => {
                return warn!(
                    error = format!("{e:#}"),
                    "Certificate not readable; keeping the last one"
                );
            }
        };
        match fresh.config() {
            Ok(config) => {
                info!(cert = %self.cert.display(), "Certificate replaced");
                self.config = config;
            }
            // As when the two files were read before and after a change: the next look has both.
            Err(e) => {
                warn!(error = format!("{e:#}"), "Certificate not usable; keeping the last one");
            }
        }
        self.seen = fresh;
    }
}

impl Pem {
    async fn read(cert: &PathBuf, key: &PathBuf) -> anyhow::Result<Self> {
        Ok(Self { cert: read(cert).await?, key: read(key).await? })
    }

    fn config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .context("the certificate is not PEM")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).context("the key is not PEM")?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("certificate and key don't fit")?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

async fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let length = fs::metadata(path).await.with_context(|| format!("can't read {shown}"))?.len();
    if length > FILE_LIMIT {
        bail!("{shown} is not a PEM file: it has {length} bytes");
    }
    fs::read(path).await.with_context(|| format!("can't read {shown}"))
}

pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    crate::admin::listen(address).await
}

/// Serves `app` by HTTP/1.1 and HTTP/2 over TLS until the shutdown, then lets requests finish.
pub async fn serve(
    listener: TcpListener,
    mut identity: Identity,
    app: Router,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    let mut look = interval(POLL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = look.tick() => identity.refresh().await,
            Some(ended) = connections.join_next() => log(ended),
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let acceptor = TlsAcceptor::from(Arc::clone(&identity.config));
                    connections.spawn(connection(stream, acceptor, app.clone(), shutdown.clone()));
                }
                // Out of file descriptors, most likely: they come back when connections end.
                Err(error) => {
                    warn!(%error, "Connection not accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let drained = timeout(DRAIN, async {
        while let Some(ended) = connections.join_next().await {
            log(ended);
        }
    });
    if drained.await.is_err() {
        warn!(connections = connections.len(), "Connections cut off");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    app: Router,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.context("TLS handshake")??;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut served = pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    result.map_err(anyhow::Error::from_boxed)
}

/// A connection that ends badly is its peer's business, mostly; a panic is ours.
fn log(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(e)) => debug!(error = format!("{e:#}"), "Connection ended"),
        Err(e) => warn!(error = %e, "Connection died"),
    }
}

#[cfg(test)]
mod tests;
