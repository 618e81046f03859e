//! The webhook's certificate is renewed, and its replicas are replaced one by one, while the API server asks without pause.
//!
//! What Kubernetes does for Pods is done here for processes: a Service sends new connections to those that are ready.

use std::collections::BTreeSet;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Options, Process};
use wharfinger_tests::{App, Kind, Project};

/// Half a minute: renewed after twenty seconds.
const LIFE: &str = "30s";
const KINDS: [&str; 2] = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];

#[test]
fn no_review_fails_while_the_certificate_is_renewed_and_replicas_are_replaced() -> Result<()> {
    let cluster = Cluster::start(Options { fault_points: true, ..Options::default() })?;
    cluster.install_wharfinger()?;
    let project = Project::new(&cluster, "renewal")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;

    let replicas = cluster.start_own_webhooks(LIFE)?;
    let service = Service::new(&replicas)?;
    let (end, reviews, handshakes) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (closed, seen) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        // The Service goes when nobody asks any more.
        let serving = End(&closed);
        let asking = End(&end);
        scope.spawn(|| service.serve(&closed));
        scope.spawn(|| service.probe(&closed));
        cluster.until("both replicas to be ready", || service.all_ready())?;
        point_at(&cluster, service.port()?)?;

        let ask = || -> Result<()> {
            while !end.load(Ordering::Relaxed) {
                let number = reviews.fetch_add(1, Ordering::Relaxed).to_string();
                let info = json!([{ "name": "number", "value": number }]);
                app.merge(&json!({ "spec": { "info": info } })).context("a review failed")?;
            }
            Ok(())
        };
        let askers = [scope.spawn(ask), scope.spawn(ask)];
        // What the API server does once for many reviews: a connection, trusting what it was told.
        let shaker = scope.spawn(|| -> Result<()> {
            while !end.load(Ordering::Relaxed) {
                let bundles = bundles(&cluster)?;
                for bundle in &bundles {
                    let shown = shake(service.port()?, bundle).context("a handshake failed")?;
                    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(shown);
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        });
        let failed = || askers.iter().any(|one| one.is_finished()) || shaker.is_finished();
        let certificates = |wanted: usize| {
            cluster.until(&format!("{wanted} certificates"), || {
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).len();
                ensure!(seen >= wanted || failed(), "{seen}");
                Ok(())
            })
        };
        let rolled = || -> Result<()> {
            for replica in &replicas {
                replica.stop()?;
                replica.start()?;
                cluster.until("both replicas to be ready", || service.all_ready())?;
            }
            Ok(())
        };
        let done = rolled().and_then(|()| certificates(3)).and_then(|()| rolled());
        drop(asking);
        for asker in askers {
            asker.join().expect("it does not panic")?;
        }
        shaker.join().expect("it does not panic")?;
        drop(serving);
        done
    })?;
    let (reviews, handshakes) = (reviews.into_inner(), handshakes.into_inner());
    println!("{reviews} writes, {handshakes} handshakes");
    ensure!(reviews > 0 && handshakes > 0, "{reviews} writes, {handshakes} handshakes");
    Ok(())
}

/// Ends the threads, also when a step before failed.
struct End<'e>(&'e AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One address for the replicas that are ready.
struct Service<'r> {
    listener: TcpListener,
    replicas: Vec<(&'r Process, AtomicBool)>,
}

impl<'r> Service<'r> {
    fn new(replicas: &'r [Process]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let replicas = replicas.iter().map(|replica| (replica, AtomicBool::new(false))).collect();
        Ok(Self { listener, replicas })
    }

    fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    fn all_ready(&self) -> Result<()> {
        let ready = self.replicas.iter().filter(|(_, ready)| ready.load(Ordering::Relaxed)).count();
        ensure!(ready == self.replicas.len(), "{ready} are ready");
        Ok(())
    }

    /// Asks each replica, as a kubelet does.
    fn probe(&self, end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            for (replica, ready) in &self.replicas {
                ready.store(is_ready(replica).unwrap_or(false), Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Hands each connection to the next replica that is ready.
    fn serve(&self, end: &AtomicBool) {
        let (mut turn, mut open) = (0, vec![]);
        thread::scope(|scope| {
            while !end.load(Ordering::Relaxed) {
                let Ok((client, _)) = self.listener.accept() else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                turn += 1;
                let ready: Vec<_> = self
                    .replicas
                    .iter()
                    .filter(|(_, ready)| ready.load(Ordering::Relaxed))
                    .collect();
                let Some((replica, _)) = ready.get(turn % ready.len().max(1)) else { continue };
                let connected =
                    replica.port("https").and_then(|p| Ok(TcpStream::connect(("127.0.0.1", p))?));
                let Ok(server) = connected else { continue };
                client.set_nonblocking(false).expect("a socket");
                let one = |of: &TcpStream| of.try_clone().expect("a socket");
                for (mut from, mut to) in
                    [(one(&client), one(&server)), (one(&server), one(&client))]
                {
                    scope.spawn(move || {
                        io::copy(&mut from, &mut to).ok();
                        to.shutdown(Shutdown::Write).ok();
                    });
                }
                open.extend([client, server]);
            }
            // The API server would go on.
            for socket in open {
                socket.shutdown(Shutdown::Both).ok();
            }
        });
    }
}

fn is_ready(replica: &Process) -> Result<bool> {
    use io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(("127.0.0.1", replica.port("admin")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.contains(" 200 "))
}

/// Sends the API server there, with everything else as it is.
fn point_at(cluster: &Cluster, port: u16) -> Result<()> {
    for kind in KINDS {
        let webhooks = webhooks(cluster, kind)?;
        let patch: Vec<Value> = (0..).zip(&webhooks).map(|(n, webhook)| {
            let url = webhook["clientConfig"]["url"].as_str().unwrap_or_default();
            let path = url.rsplit('/').next().unwrap_or_default();
            json!({ "op": "replace", "path": format!("/webhooks/{n}/clientConfig/url"), "value": format!("https://127.0.0.1:{port}/{path}") })
        }).collect();
        let patch = Value::from(patch).to_string();
        cluster.kubectl(&["patch", kind, "wharfinger", "--type=json", "-p", &patch])?.ok()?;
    }
    Ok(())
}

fn webhooks(cluster: &Cluster, kind: &str) -> Result<Vec<Value>> {
    let text = cluster.kubectl(&["get", kind, "wharfinger", "-o", "json"])?.ok()?;
    let found: Value = serde_json::from_str(&text)?;
    Ok(found["webhooks"].as_array().cloned().unwrap_or_default())
}

/// Whom the API server is told to trust, in as many ways as it is told.
fn bundles(cluster: &Cluster) -> Result<BTreeSet<Vec<u8>>> {
    let mut all = BTreeSet::new();
    for kind in KINDS {
        for webhook in webhooks(cluster, kind)? {
            let text = webhook["clientConfig"]["caBundle"].as_str().context("no caBundle")?;
            all.insert(BASE64_STANDARD.decode(text)?);
        }
    }
    Ok(all)
}

/// The certificate that whoever trusts those is shown.
fn shake(port: u16, bundle: &[u8]) -> Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle) {
        roots.add(authority?)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1")?;
    let mut client = ClientConnection::new(config.into(), name)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    let shown = client.peer_certificates().context("no certificate")?;
    Ok(shown.first().context("no certificate")?.to_vec())
}
