//! Webhook alone: reviews over TLS, against an echo on the same stack, with a large cluster in its caches.
//!
//! We are the API server in both of its parts: what the webhook watches, and who asks it. The webhook is its own process, as
//! it is shipped. The echo is another: the same listener, TLS and router; it reads a review to its end and has its answer
//! ready. The difference is what is ours: to understand the review, to judge it, to write the answer.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use axum::body::{Bytes, to_bytes};
use axum::extract::Request as Incoming;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::Stage;
use wharfinger_daemon::{Shutdown, tls};
use wharfinger_localapi::{LocalApi, Options, User};
use wharfinger_tests::on_runtime;

use crate::histogram::Histogram;
use crate::kubeconfig;
use crate::line::{line, percentile, rate, size};

const STAGES: usize = 1_000;
const APPLICATIONS: usize = 10_000;
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Of each, in blocks that take turns, shortly enough that the machine is the same for both. The first block of each is not
/// counted.
const ROUNDS: usize = 12;
const BLOCK: Duration = Duration::from_millis(300);
/// Limits of our own: the API server waits for each of these.
const RATE: f64 = 0.7;
const P99: f64 = 2.0;
const HANDLER: Duration = Duration::from_millis(1);
const MEMORY: f64 = 100.0;

const CONTROLLER: &str = "system:serviceaccount:wharfinger:wharfinger-controller";
const COLLECTION: &str = "1111111111111111111111111111111111111111";
/// Tells a process of this program to be the echo, with the certificate in that folder.
const ECHO: &str = "WHARFINGER_BENCH_WEBHOOK_ECHO";

const INSTALLED: [&str; 4] = [
    include_str!("../../../manifests/base/namespace.yaml"),
    include_str!("../../../manifests/crds/stages.yaml"),
    include_str!("../../../manifests/rbac/webhook.yaml"),
    include_str!("../../../crates/standalone/src/argocd.yaml"),
];

pub(crate) fn run() -> Result<()> {
    if let Some(folder) = env::var_os(ECHO) {
        return on_runtime(echo(Path::new(&folder)));
    }
    let folder = tempfile::tempdir()?;
    let keys = Keys::new(folder.path())?;
    let kubeconfig = on_runtime(cluster(&keys))?;
    let webhook = Server::webhook(&keys, &kubeconfig)?;
    let echo = Server::echo(&keys)?;
    on_runtime(async {
        for (name, path, review) in [
            ("application", "/validate", application_review()),
            ("sync", "/validate", sync_review()),
            ("stage-status", "/validate", stage_review()),
        ] {
            let review = Bytes::from(review.to_string());
            for connections in CONNECTIONS {
                let (mut ours, mut echoed) = (Asked::default(), Asked::default());
                for round in 0..=ROUNDS {
                    for (server, asked) in [(&webhook, &mut ours), (&echo, &mut echoed)] {
                        let block = ask(&keys, server.https, path, &review, connections).await?;
                        if round > 0 {
                            asked.add(block);
                        }
                    }
                }
                let name = format!("webhook-{name}-{connections}");
                rate(&format!("{name}-per-second"), ours.rate(), "tls-echo", echoed.rate(), RATE);
                let p99 = |asked: &Asked| percentile(&asked.took, 99);
                line(&format!("{name}-p99"), p99(&ours), "tls-echo", p99(&echoed), P99);
            }
        }
        anyhow::Ok(())
    })?;
    line("webhook-handler-p99", webhook.handler_p99()?, "limit", HANDLER, 1.0);
    size("webhook-memory", webhook.megabytes()?, "limit", MEMORY, 1.0);
    Ok(())
}

/// One certificate for all who serve here, and who trusts it.
struct Keys {
    folder: PathBuf,
    pem: String,
    trust: Arc<ClientConfig>,
}

impl Keys {
    fn new(folder: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let pem = made.cert.pem();
        std::fs::write(folder.join("tls.crt"), &pem)?;
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // As kube-apiserver speaks.
        trust.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { folder: folder.to_owned(), pem, trust: Arc::new(trust) })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    async fn identity(folder: &Path) -> Result<tls::Identity> {
        tls::Identity::load(folder.join("tls.crt"), folder.join("tls.key")).await
    }
}

/// A cluster with so many Applications and Stages; the kubeconfig by which the webhook finds it.
async fn cluster(keys: &Keys) -> Result<PathBuf> {
    let user = User::service_account("wharfinger", "wharfinger-webhook");
    let tokens = BTreeMap::from([("token".to_owned(), user)]);
    let api = LocalApi::new(Options { tokens, ..Options::default() })?;
    for manifest in INSTALLED {
        api.apply(manifest).await?;
    }
    let admin = api.client(User::admin());
    fill(&admin).await?;

    let listener = tls::listen(([127, 0, 0, 1], 0).into()).await?;
    let server = format!("https://{}", listener.local_addr()?);
    let (identity, router) = (Keys::identity(&keys.folder).await?, api.router());
    #[expect(clippy::disallowed_methods, reason = "it serves until the benchmark ends")]
    tokio::spawn(tls::serve(listener, identity, router, Duration::ZERO, Shutdown::new()));
    let authority = BASE64_STANDARD.encode(&keys.pem);
    let cluster = json!({ "server": server, "certificate-authority-data": authority });
    kubeconfig::write(&keys.folder, &cluster)
}

async fn fill(admin: &Client) -> Result<()> {
    let create = PostParams::default();
    let stages: Api<Stage> = Api::namespaced(admin.clone(), "default");
    for n in 0..STAGES {
        let mut stage = stage(&format!("stage-{n}"), "Healthy");
        stage["metadata"]["resourceVersion"] = Value::Null;
        stages.create(&create, &serde_json::from_value(stage.clone())?).await?;
        let status = Patch::Merge(json!({ "status": stage["status"] }));
        let name = format!("stage-{n}");
        stages.patch_status(&name, &PatchParams::default(), &status).await?;
    }
    // Not by our type: that holds the few fields we read.
    let kind = ApiResource::erase::<Application>(&());
    let applications: Api<DynamicObject> = Api::namespaced_with(admin.clone(), "default", &kind);
    for n in 0..APPLICATIONS {
        let mut application = application(n, "one");
        application["metadata"]["managedFields"] = Value::Null;
        applications.create(&create, &serde_json::from_value(application)?).await?;
    }
    Ok(())
}

fn stage(name: &str, health: &str) -> Value {
    let history = |n: usize| {
        json!({ "id": format!("{n:0>40}"), "items": { "Warehouse/main": {
            "name": format!("{n:0>40}"), "origin": { "kind": "Warehouse", "name": "main" },
            "images": [{ "repoURL": "ghcr.io/acme/web", "tag": format!("v{n}"), "digest": format!("sha256:{n:0>64}") }],
        }}})
    };
    let mut all: Vec<Value> = (1..=10).map(history).collect();
    all[0]["id"] = COLLECTION.into();
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": name, "namespace": "default", "uid": "u", "resourceVersion": "1", "generation": 1 },
        "spec": {
            "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "main" }, "sources": { "direct": true } }],
            "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
        },
        "status": {
            "health": { "status": health },
            "freightHistory": all,
            "assignment": { "generation": 7, "collection": COLLECTION, "promotion": "p", "actor": "alice", "reason": "", "assignedAt": "2026-11-21T10:00:00Z" },
        },
    })
}

/// Of about four kilobytes, of which a review carries two.
fn application(n: usize, info: &str) -> Value {
    let (stage, name) = (format!("default:stage-{}", n % STAGES), format!("app-{n}"));
    let resources: Vec<Value> = (0..12)
        .map(|r| json!({ "group": "apps", "version": "v1", "kind": "Deployment", "namespace": "web", "name": format!("web-{r}"), "status": "Synced", "health": { "status": "Healthy" } }))
        .collect();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name, "namespace": "default", "uid": "6d7a", "generation": 3,
            "annotations": { "kargo.akuity.io/authorized-stage": stage, "argocd.argoproj.io/manifest-generate-paths": "." },
            "managedFields": [{ "manager": "argocd-application-controller", "operation": "Update", "apiVersion": "argoproj.io/v1alpha1",
                "time": "2026-11-21T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": { "f:status": { ".": {}, "f:health": {}, "f:sync": { "f:comparedTo": { "f:source": { "f:plugin": {} } } } } } }],
        },
        "spec": {
            "project": "default",
            "destination": { "server": "https://kubernetes.default.svc", "namespace": "web" },
            "info": [{ "name": "team", "value": info }],
            "source": { "repoURL": "https://git.example/acme/web.git", "path": "apps/web", "targetRevision": "main", "plugin": {
                "name": "wharfinger",
                "env": [
                    { "name": "WHARFINGER_STAGE", "value": stage },
                    { "name": "WHARFINGER_FREIGHT", "value": format!("7-{COLLECTION}") },
                ],
            }},
            "syncPolicy": { "automated": { "prune": true, "selfHeal": true }, "syncOptions": ["CreateNamespace=true"] },
        },
        "status": { "sync": { "status": "Synced" }, "health": { "status": "Healthy" }, "resources": resources },
    })
}

/// Of what is everybody's to change.
fn application_review() -> Value {
    review(ON_APPLICATIONS, "alice", &application(4711, "one"), &application(4711, "two"))
}

/// Of what every rule is asked about.
fn sync_review() -> Value {
    let (old, mut new) = (application(4711, "one"), application(4711, "one"));
    new["operation"] = json!({ "initiatedBy": { "username": "alice" }, "sync": { "prune": true } });
    review(ON_APPLICATIONS, "alice", &old, &new)
}

const ON_APPLICATIONS: (&str, &str, &str) = ("argoproj.io", "applications", "");

fn stage_review() -> Value {
    let resource = ("kargo.akuity.io", "stages", "status");
    review(resource, CONTROLLER, &stage("stage-7", "Healthy"), &stage("stage-7", "Progressing"))
}

fn review(
    (group, resource, subresource): (&str, &str, &str),
    user: &str,
    old: &Value,
    new: &Value,
) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": { "group": group, "version": "v1alpha1", "kind": new["kind"] },
            "resource": { "group": group, "version": "v1alpha1", "resource": resource },
            "subResource": subresource,
            "name": new["metadata"]["name"],
            "namespace": "default",
            "operation": "UPDATE",
            "userInfo": { "username": user, "groups": ["system:authenticated"] },
            "object": new,
            "oldObject": old,
            "dryRun": false,
            "options": { "kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}

/// What was asked in all blocks.
#[derive(Default)]
struct Asked {
    took: Vec<Duration>,
    blocks: u32,
}

impl Asked {
    fn add(&mut self, block: Vec<Duration>) {
        self.took.extend(block);
        self.blocks += 1;
    }

    fn rate(&self) -> f64 {
        self.took.len() as f64 / (BLOCK * self.blocks).as_secs_f64()
    }
}

/// Asks for the time of one block on so many connections, on each one review after the other.
async fn ask(
    keys: &Keys,
    address: SocketAddr,
    path: &'static str,
    review: &Bytes,
    connections: usize,
) -> Result<Vec<Duration>> {
    let dialled = try_join_all((0..connections).map(|_| dial(keys, address))).await?;
    let end = Instant::now() + BLOCK;
    let all = dialled.into_iter().map(|(mut sender, connection)| async move {
        let asking = async {
            let mut took = vec![];
            while Instant::now() < end {
                let request = http::Request::post(format!("https://127.0.0.1{path}"))
                    .header("content-type", "application/json")
                    .body(Full::new(review.clone()))?;
                let begun = Instant::now();
                sender.ready().await?;
                let answer = sender.send_request(request).await?;
                let body = answer.into_body().collect().await?.to_bytes();
                took.push(begun.elapsed());
                ensure!(
                    body.windows(14).any(|part| part == b"\"allowed\":true"),
                    "{}",
                    String::from_utf8_lossy(&body)
                );
            }
            anyhow::Ok(took)
        };
        tokio::select! {
            took = asking => took,
            ended = connection => bail!("the connection ended: {ended:?}"),
        }
    });
    Ok(try_join_all(all).await?.into_iter().flatten().collect())
}

type Connection = BoxFuture<'static, hyper::Result<()>>;

async fn dial(keys: &Keys, address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, Connection)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("127.0.0.1")?;
    let stream = TlsConnector::from(Arc::clone(&keys.trust)).connect(name, stream).await?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    Ok((sender, connection.boxed()))
}

/// A process that serves. It ends with this, or with us.
struct Server {
    process: Child,
    https: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Server {
    /// The webhook, once its caches are filled.
    #[expect(clippy::disallowed_methods, reason = "runs the program that is beside this one")]
    fn webhook(keys: &Keys, kubeconfig: &Path) -> Result<Self> {
        let program = env::current_exe()?.with_file_name("wharfinger-webhook");
        let mut process = Command::new(program)
            .args(["--listen=127.0.0.1:0", "--admin-address=127.0.0.1:0", "--log-format=json"])
            .args(["--tls-mode=files", &format!("--tls-cert={}", keys.file("tls.crt").display())])
            .arg(format!("--tls-key={}", keys.file("tls.key").display()))
            .arg(format!("--controller-identity={CONTROLLER}"))
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines =
            BufReader::new(process.stderr.take().context("it must have a log")?).lines();
        let (mut listening, mut filled) = (vec![], 0);
        while listening.len() < 2 || filled < 2 {
            let line = lines.next().context("the webhook ended early")??;
            let fields = serde_json::from_str::<Value>(&line)?["fields"].take();
            match fields["message"].as_str() {
                Some("Listening") => {
                    listening.push(fields["address"].as_str().unwrap_or_default().parse()?);
                }
                Some("Cache filled") => filled += 1,
                _ => {}
            }
        }
        // Somebody has to read what it goes on to say.
        std::thread::spawn(move || lines.for_each(drop));
        let [admin, https] = listening[..] else { bail!("it listens twice: {listening:?}") };
        Ok(Self { process, https, admin: Some(admin) })
    }

    #[expect(clippy::disallowed_methods, reason = "runs this very program")]
    fn echo(keys: &Keys) -> Result<Self> {
        // Not by its name: cargo may have put another file there by now.
        let mut program = Command::new("/proc/self/exe");
        program.arg("webhook").env(ECHO, &keys.folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = program.spawn()?;
        let mut line = String::new();
        let stdout = process.stdout.take().context("it must have a stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { process, https: line.trim().parse()?, admin: None })
    }

    /// What it holds of the machine's memory.
    fn megabytes(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        ensure!(kilobytes > 0.0);
        Ok(kilobytes / 1024.0)
    }

    /// By its own metrics: the smallest bound that 99 of 100 reviews were within.
    fn handler_p99(&self) -> Result<Duration> {
        let admin = self.admin.context("it has no admin port")?;
        let name = "wharfinger_review_duration_seconds";
        Histogram::read(admin, name, "door=\"Validate\"")?.within(99)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Serves until stdin ends.
async fn echo(folder: &Path) -> Result<()> {
    let end = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": { "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": true },
    });
    let app = Router::new().route(
        "/validate",
        post(async move |request: Incoming| {
            drop(to_bytes(request.into_body(), 8 << 20).await);
            Json(answer.clone())
        }),
    );
    let (shutdown, identity) = (Shutdown::new(), Keys::identity(folder).await?);
    let listener = tls::listen(([127, 0, 0, 1], 0).into()).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    tokio::select! {
        served = tls::serve(listener, identity, app, Duration::ZERO, shutdown) => served,
        _ = end => Ok(()),
    }
}
