use std::path::Path;

use axum::{body::Body, http::Request, routing::get};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
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
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
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
    let dir = TempDir::new().unwrap();
    let trusted = issue(dir.path());
    let identity =
        Identity::load(dir.path().join("tls.crt"), dir.path().join("tls.key")).await.unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let mut server = JoinSet::new();
    server.spawn(serve(listener, identity, app, shutdown.clone()));
    World { dir, trusted, address, shutdown, server }
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
    let stream = dial(world.address, &world.trusted).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { connection.await.map(|()| None) });
    let request = Request::get("https://localhost/slow").body(Body::empty()).unwrap();
    tasks.spawn(async move { send.send_request(request).await.map(Some) });

    begun.cancelled().await;
    world.shutdown.cancel();
    sleep(Duration::from_millis(100)).await;
    assert!(world.server.try_join_next().is_none(), "it waits for the request");
    wait.cancel();
    let mut answers = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        answers.extend(ended.unwrap().unwrap());
    }
    assert_eq!(answers[0].status(), 200);
    world.server.join_next().await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(world.address).await.is_err());
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
