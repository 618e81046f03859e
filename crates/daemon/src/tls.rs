//! Serving over TLS, with a certificate that may be replaced at any time.

use std::{
    future::pending, io, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration,
};

use anyhow::{Context as _, bail};
use axum::Router;
use hyper::service::{Service as _, service_fn};
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
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use self::idle::{Idle, Seat};
use crate::Shutdown;

mod idle;

const POLL: Duration = Duration::from_secs(2);
/// How long new connections are still taken after the shutdown in a cluster: until nobody is sent here any more. A
/// kubelet's next look at readiness and a kube-proxy's next change are within it.
pub const LINGER: Duration = Duration::from_secs(5);

/// What one connection may cost, and how many there may be.
///
/// Nobody is asked who they are before they ask something, so whoever reaches the port may open connections. To refuse
/// them beyond the bound would let whoever came first keep the API server out; so it is the newest that is let in, and the
/// one that has been quiet for longest makes room. An API server that asks is not quiet, and one that is told to leave
/// dials again.
#[derive(Clone, Copy)]
struct Limits {
    /// An API server opens one, and one more for each 256 reviews that it waits for: ten of them under load are some
    /// dozens. With those below it is less than the 1024 file descriptors that a process has at the very least, so that
    /// the calls to the API server always find one.
    connections: usize,
    /// How many more there may be while those that were told to leave do so.
    leaving: usize,
    /// How long a quiet one gets to leave, once there is nothing to be answered.
    parting: Duration,
    handshake: Duration,
    /// For a request's headers to arrive. The limit on a body is the application's.
    headers: Duration,
    /// Between two requests. The clients of API servers close theirs after 90 seconds.
    idle: Duration,
    /// What connections get to finish their requests in the end. With `LINGER` shorter than the grace of `Tasks`.
    drain: Duration,
}

const LIMITS: Limits = Limits {
    connections: 512,
    leaving: 128,
    parting: Duration::from_millis(250),
    handshake: Duration::from_secs(10),
    headers: Duration::from_secs(10),
    idle: Duration::from_mins(5),
    drain: Duration::from_secs(15),
};

/// What HTTP/1.1 may keep of one connection: headers, and what has come of a body that nobody has taken yet.
const BUFFER: usize = 64 << 10;
/// How many requests one connection may have at once.
const STREAMS: u32 = 256;

/// No certificate or key is as long as this.
const FILE_LIMIT: u64 = 1 << 20;

/// What a server shows: a certificate, and that it has the key. Each new connection is shown the present one.
/// While there is none, nobody is let in.
pub struct Identity {
    config: watch::Receiver<Option<Arc<ServerConfig>>>,
    files: Option<Files>,
}

/// The files that hold it.
///
/// They are compared by content, every two seconds: a Secret's volume is replaced by moving links about, which neither
/// file times nor inotify report in a way to build on.
struct Files {
    cert: PathBuf,
    key: PathBuf,
    /// What was read last, whether it could be used or not.
    seen: Pem,
    config: watch::Sender<Option<Arc<ServerConfig>>>,
}

#[derive(PartialEq, Eq)]
struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// Read from files, and again when they change.
    pub async fn load(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> anyhow::Result<Self> {
        crate::crypto();
        let (cert, key) = (cert.into(), key.into());
        let seen = Pem::read(&cert, &key).await?;
        let (sender, config) = watch::channel(Some(server_config(&seen.cert, &seen.key)?));
        Ok(Self { config, files: Some(Files { cert, key, seen, config: sender }) })
    }

    /// Whatever it is given.
    pub fn given(config: watch::Receiver<Option<Arc<ServerConfig>>>) -> Self {
        Self { config, files: None }
    }

    async fn refresh(&mut self) {
        if let Some(files) = &mut self.files {
            files.refresh().await;
        }
    }

    /// The next connection, and what it is shown. None comes before there is something to show.
    async fn accept(&mut self, listener: &TcpListener) -> io::Result<(TcpStream, TlsAcceptor)> {
        if self.config.wait_for(Option::is_some).await.is_err() {
            return pending().await;
        }
        let (stream, _) = listener.accept().await?;
        // It may have been replaced meanwhile.
        let config = self.config.borrow().clone();
        let config = config.ok_or_else(|| io::Error::other("there is no certificate any more"))?;
        Ok((stream, TlsAcceptor::from(config)))
    }
}

impl Files {
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
        match server_config(&fresh.cert, &fresh.key) {
            Ok(config) => {
                info!(cert = %self.cert.display(), "Certificate replaced");
                self.config.send_replace(Some(config));
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
}

/// What serves a certificate with its chain and its key, both PEM.
pub fn server_config(cert: &[u8], key: &[u8]) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_slice_iter(cert)
        .collect::<Result<Vec<_>, _>>()
        .context("the certificate is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).context("the key is not PEM")?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key don't fit")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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

/// Serves `app` by HTTP/1.1 and HTTP/2 over TLS until the shutdown, and for as long as `linger` says as if nothing had
/// happened: whoever is still sent here is answered. Then connections are told to go, and requests finish.
pub async fn serve(
    listener: TcpListener,
    identity: Identity,
    app: Router,
    linger: Duration,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    serve_within(LIMITS, listener, identity, app, linger, shutdown).await
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    mut identity: Identity,
    app: Router,
    linger: Duration,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let (mut connections, go, idle) = (JoinSet::new(), Shutdown::new(), Idle::default());
    let most = limits.connections + limits.leaving;
    let mut told = 0_u32;
    let lingered = async {
        shutdown.cancelled().await;
        sleep(linger).await;
    };
    let mut lingered = pin!(lingered);
    let mut look = interval(POLL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut lingered => break,
            _ = look.tick() => {
                identity.refresh().await;
                if let Some(before) = Instant::now().checked_sub(limits.idle) {
                    idle.let_go(before);
                }
                // Those that were all busy when somebody new came.
                for _ in limits.connections..connections.len() {
                    told += u32::from(idle.make_room());
                }
                if std::mem::take(&mut told) > 0 {
                    warn!(connections = connections.len(), "Too many connections: quiet ones make room");
                }
            }
            Some(ended) = connections.join_next() => log(ended),
            accepted = identity.accept(&listener), if connections.len() < most => match accepted {
                Ok((stream, acceptor)) => {
                    if connections.len() >= limits.connections {
                        told += u32::from(idle.make_room());
                    }
                    let seat = idle.seat();
                    connections.spawn(connection(limits, stream, acceptor, app.clone(), seat, go.clone()));
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
    go.cancel();
    let drained = timeout(limits.drain, async {
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
    limits: Limits,
    stream: TcpStream,
    acceptor: TlsAcceptor,
    app: Router,
    seat: Arc<Seat>,
    go: Shutdown,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::select! {
        greeted = timeout(limits.handshake, acceptor.accept(stream)) => greeted.context("TLS handshake")??,
        () = seat.asked_to_leave() => bail!("it made room during its TLS handshake"),
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let (asked, app) = (Shutdown::new(), TowerToHyperService::new(app));
    let first = asked.clone();
    let asking = Arc::clone(&seat);
    let service = service_fn(move |request| {
        first.cancel();
        let busy = asking.begin();
        let answer = app.call(request);
        async move {
            let answer = answer.await;
            drop(busy);
            answer
        }
    });
    let served = builder.serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        // hyper's own limits begin with the first byte.
        Err(_) = timeout(limits.headers, asked.cancelled()) => bail!("nothing was asked in time"),
        () = go.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
        () = seat.asked_to_leave() => {
            served.as_mut().graceful_shutdown();
            loop {
                tokio::select! {
                    result = served.as_mut() => break result,
                    // It may have asked something at that very moment.
                    () = sleep(limits.parting) => if seat.is_quiet() { bail!("it made room") },
                }
            }
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
