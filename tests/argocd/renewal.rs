//! The webhook's certificate is renewed, and its replicas are replaced one by one, while the API server asks without pause.
//!
//! What Kubernetes does for Pods is done here for processes: a Service sends new connections to those that are ready.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Options, Process};
use wharfinger_tests::{App, Kind, Project};

use crate::reviews::{End, KINDS, Reviews, webhooks};

/// Half a minute: renewed after twenty seconds.
const LIFE: &str = "30s";

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
    let closed = AtomicBool::new(false);
    thread::scope(|scope| {
        // The Service goes when nobody asks any more.
        let _serving = End(&closed);
        scope.spawn(|| service.serve(&closed));
        scope.spawn(|| service.probe(&closed));
        let all_ready = || cluster.until("both replicas to be ready", || service.all_ready());
        all_ready()?;
        point_at(&cluster, service.port()?)?;

        let rolled = || -> Result<()> {
            for replica in &replicas {
                replica.stop()?;
                replica.start()?;
                all_ready()?;
            }
            Ok(())
        };
        let often = Reviews::during(&cluster, &app, service.port()?, |reviews| {
            rolled()?;
            reviews.certificates(3)?;
            rolled()
        })?;
        println!("{often}");
        Ok(())
    })
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
