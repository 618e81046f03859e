use std::path::Path;

use axum::{
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc::unbounded_channel,
};
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

type Sender = hyper::client::conn::http2::SendRequest<Body>;

/// A connection, and what ends with it.
async fn open(world: &World) -> (Sender, JoinSet<()>) {
    let stream = TokioIo::new(dial(world.address, &world.trusted).await.unwrap());
    let (send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async { drop(connection.await) });
    (send, driver)
}

async fn ask(by: &mut Sender, path: &str) -> StatusCode {
    let request = Request::get(format!("https://localhost{path}")).body(Body::empty()).unwrap();
    by.send_request(request).await.unwrap().status()
}

/// A connection that has asked, and keeps still from then on.
async fn quiet(world: &World) -> (Sender, JoinSet<()>) {
    let (mut send, driver) = open(world).await;
    assert_eq!(ask(&mut send, "/").await, 200);
    (send, driver)
}

#[tokio::test]
async fn a_flood_of_connections_keeps_nobody_out_and_drives_nobody_out_who_asks() {
    let (begun, wait) = (Shutdown::new(), Shutdown::new());
    let slow = get({
        let (begun, wait) = (begun.clone(), wait.clone());
        async move || {
            begun.cancel();
            wait.cancelled().await;
            "done"
        }
    });
    let app = Router::new().route("/", get(async || "ok")).route("/slow", slow);
    let limits = Limits { connections: 3, leaving: 2, ..LIMITS };
    let world = world_within(limits, Duration::ZERO, app).await;
    let asked = world.ask("/slow");
    let flood = async {
        begun.cancelled().await;
        let mut kept = vec![];
        for _ in 0..20 {
            // Before, after and in a TLS handshake, and after a request.
            kept.push((TcpStream::connect(world.address).await.unwrap(), None));
            let (silent, half) =
                (TcpStream::connect(world.address), dial(world.address, &world.trusted));
            kept.push((silent.await.unwrap(), half.await.ok()));
            drop(quiet(&world).await);
            assert_eq!(world.ask("/").await.unwrap(), 200);
        }
        let mut gone = 0;
        for (mut stream, _) in kept {
            let mut read = [0];
            gone += usize::from(
                timeout(Duration::from_millis(10), stream.read(&mut read)).await.is_ok(),
            );
        }
        assert!(gone >= 40 - 5, "{gone} of 40 were let go");
        wait.cancel();
    };
    let (answer, ()) =
        timeout(Duration::from_secs(30), async { tokio::join!(asked, flood) }).await.unwrap();
    assert_eq!(answer.unwrap(), 200, "who waits for an answer gets it");
}

#[tokio::test]
async fn the_longest_quiet_of_too_many_is_told_to_leave() {
    let app = Router::new().route("/", get(async || "ok"));
    let limits = Limits { connections: 2, leaving: 1, ..LIMITS };
    let world = world_within(limits, Duration::ZERO, app).await;
    let (mut first, mut first_gone) = quiet(&world).await;
    let (second, _second) = quiet(&world).await;
    // It asks again, so the other one has been quiet for longer.
    assert_eq!(ask(&mut first, "/").await, 200);
    let (third, _third) = quiet(&world).await;
    timeout(Duration::from_secs(5), async {
        while !second.is_closed() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it leaves");
    assert!(!first.is_closed() && !third.is_closed());
    let (_fourth, _driver) = quiet(&world).await;
    timeout(Duration::from_secs(5), first_gone.join_next()).await.expect("it is the next");
}

#[tokio::test]
async fn when_all_are_busy_who_comes_waits_until_one_is_not() {
    let wait = Shutdown::new();
    let (begun, mut begins) = unbounded_channel();
    let slow = get({
        let wait = wait.clone();
        async move || {
            begun.send(()).ok();
            wait.cancelled().await;
            "done"
        }
    });
    let limits = Limits { connections: 1, leaving: 1, ..LIMITS };
    let world = world_within(limits, Duration::ZERO, Router::new().route("/slow", slow)).await;
    let mut asked = JoinSet::new();
    for _ in 0..2 {
        let (mut send, driver) = open(&world).await;
        asked.spawn(async move { (ask(&mut send, "/slow").await, send, driver) });
        begins.recv().await.unwrap();
    }
    let mut third = pin!(dial(world.address, &world.trusted));
    assert!(timeout(Duration::from_millis(300), third.as_mut()).await.is_err(), "it has to wait");
    wait.cancel();
    let kept = asked.join_all().await;
    assert!(kept.iter().all(|(answer, ..)| *answer == 200), "nobody was driven out who asks");
    // Neither of the two goes by itself.
    timeout(POLL * 4, third).await.expect("it is let in").unwrap();
}

#[tokio::test]
async fn who_is_quiet_for_too_long_is_told_to_leave() {
    let app = Router::new().route("/", get(async || "ok"));
    let limits = Limits { idle: Duration::from_millis(100), ..LIMITS };
    let world = world_within(limits, Duration::ZERO, app).await;
    let (_send, mut gone) = quiet(&world).await;
    timeout(POLL * 4, gone.join_next()).await.expect("it is told to leave");
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
