//! Sidecar alone, a huge repository: the first render of a tiny folder in it against inflating it, and the memory of 64 at
//! once against that of one.
//!
//! We are the API server and repo-server towards a real sidecar. A render is the first one because each is of another
//! Application; it is of plain files, so no tool runs. Inflating is what anybody has to do with such an upload: into memory of
//! the right size, here, on the same machine and in turns.

use std::collections::BTreeMap;
use std::env;
use std::future::IntoFuture as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::future::try_join_all;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::Stage;
use wharfinger_localapi::{LocalApi, Options, User};
use wharfinger_sidecar::caller::{Call, RepoServer, dial};
use wharfinger_tests::on_runtime;

use crate::kubeconfig;
use crate::line::{line, percentile, size};

const FILES: usize = 50_000;
/// Of each, in turns. The first of each is not counted.
const ROUNDS: usize = 15;
const AT_ONCE: usize = 64;
const TIME: f64 = 1.2;
const MEMORY: f64 = 3.0;

/// As our manifests set it for repo-server.
const CHUNK: usize = 64 << 10;
/// All of them get their turn, on any machine.
const LIMIT: Duration = Duration::from_secs(600);

const COLLECTION: &str = "1111111111111111111111111111111111111111";

const INSTALLED: [&str; 4] = [
    include_str!("../../../manifests/crds/stages.yaml"),
    include_str!("../../../manifests/crds/promotions.yaml"),
    include_str!("../../../manifests/rbac/sidecar.yaml"),
    include_str!("../../../crates/standalone/src/argocd.yaml"),
];

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = on_runtime(cluster(folder.path()))?;
    let repository = Call { path: "app".into(), ..Call::of(repository()?) };

    let (mut rendered, mut inflated) = (vec![], vec![]);
    let sidecar = Sidecar::start(folder.path(), &kubeconfig)?;
    for round in 0..=ROUNDS {
        let ours = on_runtime(sidecar.render(&repository, round..round + 1))?;
        let theirs = inflate(&repository.archive)?;
        if round > 0 {
            rendered.push(ours);
            inflated.push(theirs);
        }
    }
    drop(sidecar);
    let (ours, theirs) = (percentile(&rendered, 50), percentile(&inflated, 50));
    line(&format!("upload-first-render-{FILES}-files-p50"), ours, "inflate", theirs, TIME);

    let peak = |renders: usize| {
        let sidecar = Sidecar::start(folder.path(), &kubeconfig)?;
        on_runtime(sidecar.render(&repository, 0..renders))?;
        sidecar.peak()
    };
    let (one, many) = (peak(1)?, peak(AT_ONCE)?);
    size(&format!("upload-memory-{AT_ONCE}-at-once"), many, "one", one, MEMORY);
    Ok(())
}

/// A gzipped tar of a folder with one small object, and of many others.
fn repository() -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(vec![], Compression::default()));
    let mut add = |name: &str, content: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes())
    };
    add(
        "app/pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: ghcr.io/acme/web}]}\n",
    )?;
    let mut drawn = Drawn(1);
    for n in 1..FILES {
        let name = format!("teams/team-{:02}/service-{:04}/file-{}.yaml", n / 1000, n / 10, n % 10);
        add(&name, &manifest(n, &mut drawn))?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// About as long, and about as much the same as any other, as manifests are.
fn manifest(n: usize, drawn: &mut Drawn) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: service-{n}\nspec:\n  replicas: {}\n  template:\n    spec:\n      containers:\n",
        drawn.below(9)
    );
    for container in 0..=drawn.below(3) {
        text += &format!(
            "      - name: c{container}\n        image: ghcr.io/acme/web-{n}:{:x}\n        env:\n",
            drawn.below(1 << 32)
        );
        for variable in 0..drawn.below(12) {
            text += &format!(
                "        - {{name: VAR_{variable}, value: \"{:x}\"}}\n",
                drawn.below(u64::MAX)
            );
        }
    }
    text
}

/// The same numbers in each run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn inflate(archive: &[u8]) -> Result<Duration> {
    let length: [u8; 4] = *archive.last_chunk().context("it ends with its length")?;
    let length = u32::from_le_bytes(length) as usize;
    let begun = Instant::now();
    // One more byte, so that it is seen to end without growing.
    let mut inflated = Vec::with_capacity(length + 1);
    GzDecoder::new(archive).read_to_end(&mut inflated)?;
    let took = begun.elapsed();
    ensure!(inflated.len() == length);
    Ok(took)
}

/// A cluster with the Applications; the kubeconfig by which the sidecar finds it.
async fn cluster(folder: &Path) -> Result<PathBuf> {
    let user = User::service_account("argocd", "argocd-repo-server");
    let tokens = BTreeMap::from([("token".to_owned(), user)]);
    let api = LocalApi::new(Options { tokens, ..Options::default() })?;
    for manifest in INSTALLED {
        api.apply(manifest).await?;
    }
    fill(&api.client(User::admin())).await?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let server = format!("http://{}", listener.local_addr()?);
    #[expect(clippy::disallowed_methods, reason = "it serves until the benchmark ends")]
    tokio::spawn(axum::serve(listener, api.router()).into_future());
    kubeconfig::write(folder, &json!({ "server": server }))
}

async fn fill(admin: &Client) -> Result<()> {
    let create = PostParams::default();
    let stages: Api<Stage> = Api::namespaced(admin.clone(), "default");
    stages.create(&create, &serde_json::from_value(stage())?).await?;
    let status = Patch::Merge(json!({ "status": stage()["status"] }));
    stages.patch_status("dev", &PatchParams::default(), &status).await?;
    // Not by our type: that holds the few fields we read.
    let kind = ApiResource::erase::<Application>(&());
    let applications: Api<DynamicObject> = Api::namespaced_with(admin.clone(), "argocd", &kind);
    for n in 0..AT_ONCE.max(ROUNDS + 1) {
        applications.create(&create, &serde_json::from_value(application(n))?).await?;
    }
    Ok(())
}

fn stage() -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": "dev", "namespace": "default" },
        "spec": {
            "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "main" }, "sources": { "direct": true } }],
            "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
        },
        "status": {
            "freightHistory": [{ "id": COLLECTION, "items": { "Warehouse/main": {
                "name": COLLECTION, "origin": { "kind": "Warehouse", "name": "main" },
                "images": [{ "repoURL": "ghcr.io/acme/web", "tag": "v1" }],
            }}}],
            "assignment": { "generation": 1, "collection": COLLECTION, "promotion": "p", "actor": "alice", "reason": "", "assignedAt": "2026-11-21T10:00:00Z" },
        },
    })
}

fn application(n: usize) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": format!("web-{n}"), "namespace": "argocd",
            "annotations": { "kargo.akuity.io/authorized-stage": "default:dev" },
        },
        "spec": {
            "project": "default",
            "destination": { "server": "https://kubernetes.default.svc", "namespace": "web" },
            "source": { "repoURL": "https://git.example/acme/all.git", "path": "app", "targetRevision": "main", "plugin": {
                "name": "wharfinger",
                "env": [
                    { "name": "WHARFINGER_STAGE", "value": "default:dev" },
                    { "name": "WHARFINGER_FREIGHT", "value": format!("1-{COLLECTION}") },
                ],
            }},
        },
    })
}

/// A process that serves. It ends with this.
struct Sidecar {
    process: Child,
    socket: PathBuf,
}

impl Sidecar {
    #[expect(clippy::disallowed_methods, reason = "runs the program that is beside this one")]
    fn start(folder: &Path, kubeconfig: &Path) -> Result<Self> {
        let program = env::current_exe()?.with_file_name("wharfinger-sidecar");
        let socket = folder.join("wharfinger.sock");
        let mut process = Command::new(program)
            .args(["--admin-address=127.0.0.1:0", "--log-format=json"])
            .arg("--socket")
            .arg(&socket)
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines =
            BufReader::new(process.stderr.take().context("it must have a log")?).lines();
        let sidecar = Self { process, socket };
        loop {
            let line = lines.next().context("the sidecar ended early")??;
            let fields = serde_json::from_str::<Value>(&line)?["fields"].take();
            if fields["message"] == "Listening" && fields["socket"].is_string() {
                break;
            }
        }
        // Somebody has to read what it goes on to say.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(sidecar)
    }

    /// The time that it takes to render these Applications at once.
    async fn render(&self, repository: &Call, which: std::ops::Range<usize>) -> Result<Duration> {
        let repo_server = RepoServer {
            namespace: "argocd",
            revision: "0123456789012345678901234567890123456789",
            kube_version: "1.34.0",
            api_versions: "v1,apps/v1",
        };
        let requests = which.map(|n| {
            let app: Application = serde_json::from_value(application(n))?;
            let source = app.spec.source.as_ref().context("a source")?;
            let env = repo_server.environment(&app, source);
            Ok(Call { env, chunk: CHUNK, limit: LIMIT, ..repository.clone() }.request())
        });
        let requests: Vec<_> = requests.collect::<Result<_>>()?;
        let begun = Instant::now();
        let renders = requests.into_iter().map(async |request| {
            let mut plugin = dial(&self.socket).await?;
            let answer = plugin.generate_manifest(request).await?.into_inner().manifests;
            let promoted = answer.iter().any(|m| m.contains("ghcr.io/acme/web:v1"));
            ensure!(promoted && answer.len() == 1, "rendered: {answer:#?}");
            Ok(())
        });
        try_join_all(renders).await?;
        Ok(begun.elapsed())
    }

    /// The most that it held of the machine's memory, in megabytes.
    fn peak(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        ensure!(kilobytes > 0.0);
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
