use std::path::Path;

use axum::{
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

/// A new self-signed certificate in `dir`; what a client has to trust.
fn issue(dir: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(dir.join("tls.crt"), cert.pem()).unwrap();
    std::fs::write(dir.join("tls.key"), key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn dial(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    dial_by(address, trusted, b"h2").await
}

async fn dial_by(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
}

struct World {
    dir: TempDir,
    trusted: CertificateDer<'static>,
    address: SocketAddr,
    shutdown: Shutdown,
    server: JoinSet<anyhow::Result<()>>,
}

async fn world(app: Router) -> World {
    world_within(LIMITS, Duration::ZERO, app).await
}

async fn world_within(limits: Limits, linger: Duration, app: Router) -> World {
    let dir = TempDir::new().unwrap();
    let trusted = issue(dir.path());
    let identity =
        Identity::load(dir.path().join("tls.crt"), dir.path().join("tls.key")).await.unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let mut server = JoinSet::new();
    server.spawn(serve_within(limits, listener, identity, app, linger, shutdown.clone()));
    World { dir, trusted, address, shutdown, server }
}

impl World {
    /// Asks for a path on a connection of its own.
    async fn ask(&self, path: &str) -> hyper::Result<StatusCode> {
        let stream = dial(self.address, &self.trusted).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        let uri = format!("https://localhost{path}");
        let request = Request::get(uri).body(Body::empty()).unwrap();
        // The connection ends when its sender is gone.
        let answer = async move { send.send_request(request).await };
        let (answer, _) = tokio::join!(answer, connection);
        Ok(answer?.status())
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let world = world(Router::new()).await;
    dial(world.address, &world.trusted).await.unwrap();

    std::fs::write(world.dir.path().join("tls.key"), "half a file").unwrap();
    sleep(POLL * 2).await;
    dial(world.address, &world.trusted).await.unwrap();

    let next = issue(world.dir.path());
    timeout(POLL * 4, async {
        while dial(world.address, &next).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    assert!(dial(world.address, &world.trusted).await.is_err());
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let (begun, wait) = (Shutdown::new(), Shutdown::new());
    let app = Router::new().route(
        "/slow",
        get({
            let (begun, wait) = (begun.clone(), wait.clone());
            async move || {
                begun.cancel();
                wait.cancelled().await;
                "done"
            }
        }),
    );
    let mut world = world(app).await;
    let shutdown = world.shutdown.clone();
    let end = async {
        begun.cancelled().await;
        shutdown.cancel();
        while TcpStream::connect(world.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        // Nobody new is let in, and it waits for the request.
        wait.cancel();
    };
    let (answer, ()) = tokio::join!(world.ask("/slow"), end);
    assert_eq!(answer.unwrap(), 200);
    world.server.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn whoever_is_still_sent_here_after_the_shutdown_is_answered() {
    let app = Router::new().route("/", get(async || "ok"));
    let linger = Duration::from_secs(2);
    let mut world = world_within(LIMITS, linger, app).await;
    let begun = std::time::Instant::now();
    world.shutdown.cancel();
    let mut answered = 0;
    while begun.elapsed() < linger / 2 {
        assert_eq!(world.ask("/").await.unwrap(), 200);
        answered += 1;
    }
    assert!(answered > 0);
    world.server.join_next().await.unwrap().unwrap().unwrap();
    assert!(begun.elapsed() >= linger && TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        headers: Duration::from_millis(300),
        ..LIMITS
    };
    let world = world_within(limits, Duration::ZERO, Router::new()).await;
    // No handshake, no request after it, and half a request.
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    let mut greeted = dial(world.address, &world.trusted).await.unwrap();
    let mut halfway = dial_by(world.address, &world.trusted, b"http/1.1").await.unwrap();
    halfway.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut read = vec![];
    let all = async {
        silent.read_to_end(&mut read).await.ok();
        greeted.read_to_end(&mut read).await.ok();
        halfway.read_to_end(&mut read).await.ok();
    };
    timeout(Duration::from_secs(5), all).await.expect("all are let go");
}

#[tokio::test]
async fn there_is_a_bound_on_connections() {
    let limits = Limits { connections: 2, ..LIMITS };
    let world = world_within(limits, Duration::ZERO, Router::new()).await;
    let first = dial(world.address, &world.trusted).await.unwrap();
    let _second = dial(world.address, &world.trusted).await.unwrap();
    let third = dial(world.address, &world.trusted);
    let mut third = pin!(third);
    assert!(timeout(Duration::from_millis(300), third.as_mut()).await.is_err(), "it has to wait");
    drop(first);
    third.await.unwrap();
}

#[tokio::test]
async fn what_is_given_is_shown_from_then_on() {
    crate::crypto();
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let trusted = [issue(old.path()), issue(new.path())];
    let config = |dir: &TempDir| {
        let file = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        server_config(&file("tls.crt"), &file("tls.key")).unwrap()
    };
    let (sender, receiver) = watch::channel(None);
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    let identity = Identity::given(receiver);
    server.spawn(serve(listener, identity, Router::new(), Duration::ZERO, Shutdown::new()));
    let first = dial(address, &trusted[0]);
    let mut first = pin!(first);
    assert!(timeout(Duration::from_millis(100), first.as_mut()).await.is_err(), "nothing to show");
    sender.send_replace(Some(config(&old)));
    first.await.unwrap();
    sender.send_replace(Some(config(&new)));
    dial(address, &trusted[1]).await.unwrap();
    assert!(dial(address, &trusted[0]).await.is_err());
}

#[tokio::test]
async fn what_is_not_a_certificate_is_refused_at_once() {
    let dir = TempDir::new().unwrap();
    issue(dir.path());
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    assert!(Identity::load(&cert, dir.path().join("none")).await.is_err());
    assert!(Identity::load(&key, &cert).await.is_err());
    let other = TempDir::new().unwrap();
    issue(other.path());
    assert!(Identity::load(&cert, other.path().join("tls.key")).await.is_err(), "another's key");
}
