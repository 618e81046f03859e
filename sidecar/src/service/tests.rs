//! Over the real socket, with repo-server's authority, its chunks and its deadlines.

mod callers;
mod claims;
mod log;
mod raw;
mod shown;
mod uploads;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tower::ServiceExt as _;
use wharfinger_daemon::{Readiness, Tasks};
use wharfinger_render::Tools;

use super::*;
use crate::caller::{Call, Client, dial};
use crate::cluster::Cluster;
use world::{Mood, World};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: 'shop/web:0'}]}\n";

struct Server {
    socket: PathBuf,
    readiness: Readiness,
    registry: Registry,
    renders: Renders,
    shutdown: Shutdown,
    running: JoinSet<anyhow::Result<()>>,
    _dir: TempDir,
}

impl Server {
    async fn start(world: &World) -> Self {
        Self::with(world, 4).await
    }

    async fn with(world: &World, concurrency: usize) -> Self {
        Self::rendering(world, concurrency, Tools::default()).await
    }

    async fn rendering(world: &World, concurrency: usize, tools: Tools) -> Self {
        let settings = Settings {
            argocd_namespace: "argocd".into(),
            max_upload: 200_000,
            limits: Limits { files: 1000, bytes: 1 << 20 },
            small: Small::default(),
            concurrency,
        };
        Self::of(world, settings, tools).await
    }

    async fn of(world: &World, settings: Settings, tools: Tools) -> Self {
        LazyLock::force(&log::LINES);
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("wharfinger.sock");
        let mut tasks = Tasks::until(Shutdown::new());
        let (readiness, mut registry) = (Readiness::default(), Registry::default());
        let facts = Facts::watched(Cluster::new(world.client()), &readiness, &mut tasks);
        let renderer = Renderer::new(tools, 1 << 20);
        let metrics = Metrics::register(&mut registry, &BTreeMap::new());
        let renders = Renders::default();
        let plugin = Plugin::new(facts, renderer, metrics, renders.clone(), settings);
        let (socket, shutdown) = (Socket::bind(&path).unwrap(), tasks.shutdown());
        tasks.spawn("plugin server", serve(socket, plugin, tasks.shutdown()));
        let mut running = JoinSet::new();
        running.spawn(tasks.run());
        Self { socket: path, readiness, registry, renders, shutdown, running, _dir: dir }
    }

    /// Starts and waits until the watches know everything.
    async fn ready(world: &World) -> (Self, Client) {
        let server = Self::start(world).await;
        server.is_ready().await;
        let client = dial(&server.socket).await.unwrap();
        (server, client)
    }

    async fn is_ready(&self) {
        let wait = async {
            while !self.readiness.missing().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), wait).await.unwrap();
    }

    fn count(&self, outcome: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = format!("wharfinger_sidecar_renders_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |n| n.parse().unwrap())
    }

    /// What the admin port shows of the last renders, without the time.
    async fn renders(&self) -> Value {
        let request = http::Request::get("/renders").body(axum::body::Body::empty()).unwrap();
        let answer = self.renders.routes().oneshot(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let mut all: Value = serde_json::from_slice(&body).unwrap();
        for render in all["renders"].as_array_mut().unwrap() {
            let fields = render.as_object_mut().unwrap();
            let time = fields.shift_remove("time").unwrap();
            time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            assert!(fields.shift_remove("seconds").unwrap().as_f64().unwrap() > 0.0);
        }
        all["renders"].take()
    }

    /// Ends in good order, nothing having gone wrong.
    async fn end(mut self) {
        self.shutdown.cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
        assert!(!self.socket.exists());
    }
}

fn app(name: &str, stage: Option<&str>) -> Value {
    let mut app = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "annotations": {"other": "x"}},
        "spec": {"project": "default"},
    });
    if let Some(stage) = stage {
        app["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"] = json!(stage);
    }
    app
}

/// A Stage in the Project `shop`. Its history is the newest first; image tags are named after collections.
fn stage(name: &str, generation: Option<u64>, history: &[&str]) -> Value {
    let held = |id: &&str| {
        json!({
            "id": id,
            "items": {"Warehouse/web": {
                "name": id, "origin": {"kind": "Warehouse", "name": "web"},
                "images": [{"repoURL": "docker.io/shop/web", "tag": &id[..1], "digest": ""}],
                "commits": [{"repoURL": "https://git.example.com/config", "id": format!("commit-{}", &id[..1])}],
            }},
        })
    };
    let mut status = json!({"freightHistory": history.iter().map(held).collect::<Vec<_>>()});
    if let Some(generation) = generation {
        status["assignment"] = json!({
            "generation": generation, "collection": history[0], "promotion": "dev.1", "assignedAt": "2026-01-02T03:04:05Z",
        });
    }
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"requestedFreight": []}, "status": status,
    })
}

fn promotion(phase: &str) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion", "metadata": {"name": "dev.1", "namespace": "shop"},
        "spec": {"stage": "dev", "steps": []}, "status": {"phase": phase},
    })
}

/// Stage `dev` holds B since generation 2, and A before it; `web` belongs to it.
fn world() -> World {
    let world = World::default();
    world.put(app("web", Some("shop:dev")));
    world.put(stage("dev", Some(2), &[B, A]));
    world.put(promotion("Succeeded"));
    world
}

fn call(app: &str, claim: Option<&str>) -> Call {
    let call = Call::new(&[("app/pod.yaml", POD), ("other/x.yaml", "x: 1")]).unwrap();
    let call = call
        .env("ARGOCD_APP_NAME", app)
        .env("ARGOCD_APP_REVISION", "main")
        .env("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/app");
    match claim {
        None => call,
        Some(claim) => call
            .env("ARGOCD_ENV_WHARFINGER_STAGE", "shop:dev")
            .env("ARGOCD_ENV_WHARFINGER_FREIGHT", claim),
    }
}

/// The image of the one Pod that was rendered.
async fn image(client: &mut Client, call: &Call) -> Result<String, Status> {
    let answer = client.generate_manifest(call.request()).await?.into_inner();
    assert_eq!(answer.manifests.len(), 1, "never nothing");
    let pod: Value = serde_json::from_str(&answer.manifests[0]).unwrap();
    Ok(pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned())
}

/// The refusal of a call, which the whole upload came before.
async fn refused(client: &mut Client, call: Call, code: Code, part: &str) {
    let status = image(client, &call).await.expect_err(part);
    assert_eq!(status.code(), code, "{status:?}");
    assert!(
        status.message().starts_with("wharfinger: ") && status.message().contains(part),
        "{status:?}"
    );
    assert!(call.taken.load(Ordering::SeqCst), "answered before the upload was read: {part}");
}
