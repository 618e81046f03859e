//! Over the real socket, with repo-server's authority, its chunks and its deadlines.

mod log;
mod raw;
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
use wharfinger_core::paths::MANIFEST_GENERATE_PATHS;
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
            let time = render.as_object_mut().unwrap().shift_remove("time").unwrap();
            time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
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

#[tokio::test]
async fn an_application_is_rendered_with_what_its_stage_holds() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let current = format!("2-{B}");
    assert_eq!(image(&mut client, &call("web", Some(&current))).await.unwrap(), "shop/web:b");
    assert_eq!(
        image(&mut client, &call("argocd_web", Some(&current))).await.unwrap(),
        "shop/web:b"
    );
    assert_eq!(world.calls(), [""; 0], "the watches know it all");
    assert_eq!(server.count("Rendered"), 2);

    // The next assignment is claimed before the watch has heard of it.
    world.put_quietly(stage("dev", Some(3), &[C, B, A]));
    assert_eq!(
        image(&mut client, &call("web", Some(&format!("3-{C}")))).await.unwrap(),
        "shop/web:c"
    );
    assert_eq!(world.calls(), ["stages/dev"]);
    server.end().await;
}

#[tokio::test]
async fn freight_that_nothing_uses_is_counted_and_what_is_rendered_says_whose_it_is() {
    let (server, mut client) = Server::ready(&world()).await;
    let claim = format!("2-{B}");
    let said = call("web", Some(&claim))
        .env("ARGOCD_APP_PARAMETERS", r#"[{"name":"provenance","string":"true"}]"#);
    let answer = client.generate_manifest(said.request()).await.unwrap().into_inner();
    let pod: Value = serde_json::from_str(&answer.manifests[0]).unwrap();
    let annotations = json!({
        "wharfinger.dev/collection": B, "wharfinger.dev/freight": B,
        "wharfinger.dev/generation": "2", "wharfinger.dev/stage": "shop:dev",
    });
    assert_eq!(pod["metadata"]["annotations"], annotations);
    let warned = |code: &str| {
        let mut text = String::new();
        encode(&mut text, &server.registry).unwrap();
        text.contains(&format!("wharfinger_sidecar_warnings_total{{code=\"{code}\"}} 1\n"))
    };
    assert!(!warned("ImageUnused") && !warned("ImagePathUnused"));

    let mut other = Call::new(&[("app/pod.yaml", &POD.replace("shop/web", "shop/other"))]).unwrap();
    other.env = call("web", Some(&claim)).env;
    assert_eq!(image(&mut client, &other).await.unwrap(), "shop/other:0");
    assert!(warned("ImageUnused") && !warned("ImagePathUnused"));

    let parameters =
        r#"[{"name":"imagePaths","array":["Pod:.spec.image","Pod:.spec.containers[*].image"]}]"#;
    let elsewhere = call("web", Some(&claim)).env("ARGOCD_APP_PARAMETERS", parameters);
    image(&mut client, &elsewhere).await.unwrap();
    assert!(warned("ImagePathUnused"));
    server.end().await;
}

#[tokio::test]
async fn which_images_a_render_has_is_shown_by_name_and_by_nothing_else() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {web: 'shop/web:0', token: hunter2}\n";
    let more = "apiVersion: v1\nkind: Pod\nmetadata: {name: more}\nspec: {containers: [{image: 'ghcr.io/acme/tool:1'}, {image: 'https://ana:hunter2@git.example/x'}]}\n";
    let files = [("app/secret.yaml", secret), ("app/more.yaml", more)];
    let parameters = r#"[{"name":"imagePaths","array":["Secret:.stringData[*]"]}]"#;
    let made = async |client: &mut Client, generation: u64, collection: &str| {
        let claim = format!("{generation}-{collection}");
        let sent = Call::new(&files).unwrap();
        let env = call("web", Some(&claim)).env("ARGOCD_APP_PARAMETERS", parameters).env;
        let env = Call { env, ..sent }
            .env("ARGOCD_APP_SOURCE_REPO_URL", "https://ana:hunter2@git.example.com/app");
        client.generate_manifest(env.request()).await.unwrap();
    };
    made(&mut client, 2, B).await;
    let renders = server.renders().await;
    assert!(!renders.to_string().contains("hunter2"), "{renders}");
    let shown = &renders[0];
    assert_eq!((&shown["stage"], &shown["collection"]), (&json!("shop:dev"), &json!(B)));
    // Of the Freight, wherever it stands; of the rest, what may be shown.
    let images = json!({ "used": ["shop/web"], "others": ["ghcr.io/acme/tool"], "moreOthers": 1 });
    assert_eq!(shown["images"], images);

    // The last one counts.
    world.put_quietly(stage("dev", Some(3), &[C, B, A]));
    made(&mut client, 3, C).await;
    let renders = server.renders().await;
    assert_eq!((renders.as_array().unwrap().len(), &renders[0]["collection"]), (1, &json!(C)));
    server.end().await;
}

#[tokio::test]
async fn what_was_sent_and_what_was_read_is_shown_in_both_layouts() {
    let declared = |paths: Option<&str>| {
        let world = world();
        let mut app = app("web", Some("shop:dev"));
        if let Some(paths) = paths {
            app["metadata"]["annotations"][MANIFEST_GENERATE_PATHS] = paths.into();
        }
        world.put(app);
        world
    };
    let claim = format!("2-{B}");
    let rest = "x".repeat(100_000);
    let rendered_of = async |paths: Option<&str>, folder: &str, mut sent: Call| {
        let (server, mut client) = Server::ready(&declared(paths)).await;
        sent.path = folder.into();
        sent.env = call("web", Some(&claim)).env("ARGOCD_APP_SOURCE_PATH", "teams/a/app").env;
        // Twice: what is remembered says the same.
        for _ in 0..2 {
            image(&mut client, &sent).await.unwrap();
        }
        let renders = server.renders().await;
        let mut text = String::new();
        encode(&mut text, &server.registry).unwrap();
        let reads = format!("wharfinger_sidecar_reads_bytes_total {}\n", 2 * POD.len());
        assert!(text.contains(&reads), "{text}");
        let warned =
            text.lines().filter(|line| line.starts_with("wharfinger_sidecar_warnings_total"));
        let warned =
            warned.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
        server.end().await;
        (renders, sent.size, warned)
    };
    let rendered = async |paths: Option<&str>, folder: &str, files: &[(&str, &str)]| {
        rendered_of(paths, folder, Call::new(files).unwrap()).await
    };

    let whole = [("teams/a/app/pod.yaml", POD), ("docs/all", &rest)];
    let (renders, size, warned) = rendered(None, "teams/a/app", &whole).await;
    assert_eq!(renders[0]["checks"][0]["code"], "upload-large");
    let mut shown = renders[0].clone();
    shown.as_object_mut().unwrap().shift_remove("checks");
    let expected = json!({
        "namespace": "argocd", "application": "web", "repository": "https://git.example.com/app", "path": "teams/a/app", "sent": "",
        "stage": "shop:dev", "collection": B, "images": { "used": ["shop/web"], "others": [] },
        "bytesReceived": size, "bytesRead": POD.len(), "pathsRead": ["teams/a/app"], "manifestGeneratePaths": ".",
    });
    assert_eq!((shown, warned), (expected, vec!["UploadLarge".into()]));

    let (renders, size, warned) = rendered(Some("."), "", &[("pod.yaml", POD)]).await;
    let expected = json!([{
        "namespace": "argocd", "application": "web", "repository": "https://git.example.com/app", "path": "teams/a/app", "sent": "teams/a/app", "checks": [],
        "stage": "shop:dev", "collection": B, "images": { "used": ["shop/web"], "others": [] },
        "bytesReceived": size, "bytesRead": POD.len(), "pathsRead": ["teams/a/app"], "manifestGeneratePaths": ".",
    }]);
    assert_eq!((renders, warned), (expected, vec![]));

    let part = [("a/app/pod.yaml", POD), ("b/x", "")];
    let (renders, _, warned) = rendered(Some("../../b"), "a/app", &part).await;
    assert_eq!(renders[0]["sent"], "teams");
    assert_eq!(renders[0]["checks"][0]["code"], "paths-undeclared");
    assert_eq!(warned, ["PathsUndeclared"]);

    // A link to what was sent as well, and one to what was not, which nobody reads.
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::none()));
    for (name, content, target) in [
        ("a/pod.yaml", POD, ""),
        ("a/app/pod.yaml", "", "../pod.yaml"),
        ("a/app/README.md", "", "../../../README.md"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        if target.is_empty() {
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        } else {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, name, target).unwrap();
        }
    }
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let (renders, _, warned) = rendered_of(Some(".;../../b"), "a/app", Call::of(archive)).await;
    assert_eq!(renders[0]["pathsRead"], json!(["teams/a/app", "teams/a/pod.yaml"]));
    assert_eq!(renders[0]["manifestGeneratePaths"], ".;../pod.yaml");
    assert_eq!(warned, ["PathsUndeclared"]);
}

#[tokio::test]
async fn a_claim_that_does_not_hold_is_refused_with_its_reason() {
    let world = world();
    world.put(app("loose", None));
    world.put(app("many", Some("shop:dev,shop:prod")));
    world.put(app("ahead", Some("shop:nowhere")));
    world.put(app("new", Some("shop:new")));
    world.put(app("moved", Some("shop:prod")));
    world.put(stage("new", None, &[]));
    world.put(stage("prod", Some(1), &[B]));
    let (server, mut client) = Server::ready(&world).await;
    let precondition = Code::FailedPrecondition;
    let current = format!("2-{B}");

    refused(&mut client, call("web", None), precondition, "carries no claim").await;
    refused(
        &mut client,
        call("web", Some(&format!("9-{B}"))),
        precondition,
        "never made the assignment 9-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("2-{C}"))),
        precondition,
        "never made the assignment 2-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{A}"))),
        precondition,
        "no longer holds the assignment 1-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{C}"))),
        precondition,
        "nor is it in its history",
    )
    .await;
    refused(&mut client, call("web", Some("latest")), precondition, "can't be read").await;
    refused(
        &mut client,
        call("loose", Some(&current)),
        precondition,
        "no annotation kargo.akuity.io/authorized-stage",
    )
    .await;
    refused(&mut client, call("many", Some(&current)), precondition, "names 2 Stages").await;
    refused(&mut client, call("moved", Some(&current)), precondition, "belongs to Stage shop:prod")
        .await;
    refused(
        &mut client,
        call("gone", Some(&current)),
        Code::NotFound,
        "no Application gone in the namespace argocd",
    )
    .await;
    refused(
        &mut client,
        call("team_web", Some(&current)),
        Code::NotFound,
        "no Application web in the namespace team",
    )
    .await;
    refused(
        &mut client,
        call("", Some(&current)),
        Code::InvalidArgument,
        "not the name of an Application",
    )
    .await;
    let at = |stage: &str, app: &str| {
        let mut call = call(app, None);
        call.env.push(("ARGOCD_ENV_WHARFINGER_STAGE".into(), stage.into()));
        call.env.push(("ARGOCD_ENV_WHARFINGER_FREIGHT".into(), format!("1-{A}")));
        call
    };
    refused(
        &mut client,
        at("shop:nowhere", "ahead"),
        precondition,
        "there is no Stage nowhere in Project shop",
    )
    .await;
    refused(&mut client, at("shop:new", "new"), precondition, "holds no Freight yet").await;
    // More than fits into windows and buffers: it is read all the same.
    let large = Call { env: call("web", None).env, ..Call::of(vec![7; 6 << 20]) };
    refused(&mut client, large, precondition, "carries no claim").await;
    assert_eq!(server.count("Rendered"), 0);
    assert_eq!(image(&mut client, &call("web", Some(&current))).await.unwrap(), "shop/web:b");
    server.end().await;
}

#[tokio::test]
async fn every_no_is_looked_at_live_first() {
    let world = world();
    world.put(app("late", None));
    let (server, mut client) = Server::ready(&world).await;
    let current = format!("2-{B}");
    // Annotated, moved and created a moment ago: the watch has not heard of it.
    world.put_quietly(app("late", Some("shop:dev")));
    assert_eq!(image(&mut client, &call("late", Some(&current))).await.unwrap(), "shop/web:b");
    world.put_quietly(app("fresh", Some("shop:dev")));
    assert_eq!(image(&mut client, &call("fresh", Some(&current))).await.unwrap(), "shop/web:b");
    world.put_quietly(app("web", Some("shop:prod")));
    world.put_quietly(stage("prod", Some(1), &[A]));
    let mut moved = call("web", None);
    moved.env.push(("ARGOCD_ENV_WHARFINGER_STAGE".into(), "shop:prod".into()));
    moved.env.push(("ARGOCD_ENV_WHARFINGER_FREIGHT".into(), format!("1-{A}")));
    assert_eq!(image(&mut client, &moved).await.unwrap(), "shop/web:a");
    server.end().await;
}

#[tokio::test]
async fn what_began_with_an_older_assignment_may_end() {
    let world = world();
    let source = json!({
        "repoURL": "https://git.example.com/app", "path": "app",
        "plugin": {"name": "wharfinger", "env": [
            {"name": "WHARFINGER_STAGE", "value": "shop:dev"}, {"name": "WHARFINGER_FREIGHT", "value": format!("1-{A}")},
        ]},
    });
    let (server, mut client) = Server::ready(&world).await;
    let older = || call("web", Some(&format!("1-{A}")));

    let mut running = app("web", Some("shop:dev"));
    running["status"]["operationState"] = json!({
        "phase": "Running", "startedAt": "2026-01-02T03:04:00Z", "operation": {"sync": {"source": source}},
    });
    world.put_quietly(running.clone());
    assert_eq!(image(&mut client, &older()).await.unwrap(), "shop/web:a");
    running["status"]["operationState"]["phase"] = json!("Succeeded");
    world.put_quietly(running);
    refused(&mut client, older(), Code::FailedPrecondition, "no longer holds").await;

    // Between commit and patch.
    let mut moving = app("web", Some("shop:dev"));
    moving["spec"]["source"] = source;
    world.put_quietly(moving);
    refused(&mut client, older(), Code::FailedPrecondition, "no longer holds").await;
    world.put_quietly(promotion("Running"));
    assert_eq!(image(&mut client, &older()).await.unwrap(), "shop/web:a");
    server.end().await;
}

#[tokio::test]
async fn freight_that_carries_a_commit_pins_the_revision() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let at = |revision: &str| {
        let call = call("web", Some(&format!("2-{B}")));
        call.env("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/config.git")
            .env("ARGOCD_APP_REVISION", revision)
    };
    assert_eq!(image(&mut client, &at("commit-b")).await.unwrap(), "shop/web:b");
    refused(&mut client, at("commit-a"), Code::FailedPrecondition, "carries commit commit-b").await;
    server.end().await;
}

#[tokio::test]
async fn without_the_kubernetes_api_it_waits_and_says_so() {
    let world = world();
    world.mood(Mood::Down);
    let server = Server::start(&world).await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = || call("web", Some(&format!("2-{B}")));
    let part = "can't reach the Kubernetes API to read the Application";
    refused(&mut client, current(), Code::Unavailable, part).await;
    refused(
        &mut client,
        current(),
        Code::Unavailable,
        "Nothing was changed; Argo CD tries again [unavailable]",
    )
    .await;
    assert_eq!(server.readiness.missing(), ["applications", "stages"]);

    world.mood(Mood::Up);
    server.is_ready().await;
    assert_eq!(image(&mut client, &current()).await.unwrap(), "shop/web:b");

    // What the watches know goes on being served; what they don't is not guessed.
    world.mood(Mood::Down);
    assert_eq!(image(&mut client, &current()).await.unwrap(), "shop/web:b");
    refused(
        &mut client,
        call("web", Some(&format!("3-{C}"))),
        Code::Unavailable,
        "to read the Stage",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{A}"))),
        Code::Unavailable,
        "to read the Stage",
    )
    .await;
    refused(
        &mut client,
        call("new", Some(&format!("2-{B}"))),
        Code::Unavailable,
        "to read the Application",
    )
    .await;
    server.end().await;
}

#[tokio::test]
async fn a_bad_upload_is_refused_and_the_process_goes_on() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let invalid = Code::InvalidArgument;
    let with = |other: Call| Call { env: call("web", Some(&format!("2-{B}"))).env, ..other };
    let files = |files: &[(&str, &str)]| with(Call::new(files).unwrap());

    refused(
        &mut client,
        with(Call { checksum: "0".repeat(64), ..Call::new(&[("app/a.yaml", POD)]).unwrap() }),
        invalid,
        "checksum",
    )
    .await;
    refused(
        &mut client,
        with(Call::of(b"not gzip".repeat(500))),
        invalid,
        "not a gzipped tar archive",
    )
    .await;
    let good = Call::new(&[("app/pod.yaml", POD)]).unwrap();
    refused(
        &mut client,
        with(Call::of(good.archive[..good.archive.len() - 20].into())),
        invalid,
        "not a gzipped tar archive",
    )
    .await;
    refused(
        &mut client,
        with(Call { size: 200_001, ..good.clone() }),
        invalid,
        "larger than 200000 bytes",
    )
    .await;
    let large = Call { size: 10, ..files(&[("app/a.yaml", &"x".repeat(300_000))]) };
    refused(&mut client, large, invalid, "larger than 200000 bytes").await;
    refused(&mut client, files(&[("app/README.md", "nothing")]), invalid, "rendered no objects")
        .await;
    refused(&mut client, files(&[]), invalid, "no folder \"app\"").await;
    refused(
        &mut client,
        files(&[("app/a.yaml", "apiVersion: v1\nkind: X\n---\nkind: Y\n")]),
        invalid,
        "a.yaml, document 2",
    )
    .await;
    refused(
        &mut client,
        Call { path: "../app".into(), ..with(good.clone()) },
        invalid,
        "leaves the repository",
    )
    .await;
    let parameters = with(good.clone())
        .env("ARGOCD_APP_PARAMETERS", r#"[{"name":"kustomizeOptions","string":"x"}]"#);
    refused(&mut client, parameters, invalid, "no parameter \"kustomizeOptions\"").await;

    for (kind, name, target, part) in [
        (tar::EntryType::Regular, "app/../../evil", "", "is not the name of a file below the root"),
        (tar::EntryType::Symlink, "app/link.yaml", "../../../etc/passwd", "leaves the root"),
        (tar::EntryType::Symlink, "app/link.yaml", "/etc/passwd", "leaves the root"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, std::io::empty()).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar.into_inner().unwrap()).unwrap();
        refused(&mut client, with(Call::of(gzip.finish().unwrap())), invalid, part).await;
    }
    assert_eq!(server.count("Rendered"), 0);
    assert_eq!(image(&mut client, &with(good)).await.unwrap(), "shop/web:b");
    server.end().await;
}

/// A call that never goes on after its metadata.
fn stalled(call: &Call) -> impl tonic::IntoStreamingRequest<Message = AppStreamRequest> + use<> {
    stream::iter(call.messages().into_iter().take(1)).chain(stream::pending())
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let world = world();
    let server = Server::with(&world, 1).await;
    server.is_ready().await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = call("web", Some(&format!("2-{B}")));
    for _ in 0..3 {
        let gone =
            timeout(Duration::from_millis(100), client.generate_manifest(stalled(&current))).await;
        assert!(gone.is_err());
    }
    // Nor while the cluster is asked.
    world.mood(Mood::Silent);
    let unknown = call("new", Some(&format!("2-{B}")));
    let gone =
        timeout(Duration::from_millis(100), client.generate_manifest(unknown.request())).await;
    assert!(gone.is_err());
    world.mood(Mood::Up);
    // The one slot is free again.
    assert_eq!(image(&mut client, &current).await.unwrap(), "shop/web:b");
    assert_eq!(server.count("Abandoned"), 4);
    server.end().await;
}

#[tokio::test]
async fn a_reason_arrives_before_the_deadline() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    world.mood(Mood::Silent);
    let second = Duration::from_secs(1);
    let silent = Call { limit: second, ..call("new", Some(&format!("2-{B}"))) };
    refused(&mut client, silent, Code::DeadlineExceeded, "took longer than Argo CD waits").await;
    assert_eq!(server.count("TimedOut"), 1);
    server.end().await;
}

#[tokio::test]
async fn too_much_at_once_is_told_and_not_piled_up() {
    let world = world();
    let server = Server::with(&world, 1).await;
    server.is_ready().await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = call("web", Some(&format!("2-{B}")));
    let mut holder = client.clone();
    {
        let holding = holder.generate_manifest(stalled(&current));
        let crowded = async {
            sleep(Duration::from_millis(100)).await;
            let waiting = Call { limit: Duration::from_secs(1), ..current.clone() };
            refused(&mut client, waiting, Code::ResourceExhausted, "too many renders at once")
                .await;
        };
        tokio::select! {
            held = holding => panic!("{held:?}"),
            () = crowded => {}
        }
    }
    assert_eq!(image(&mut client, &current).await.unwrap(), "shop/web:b");
    server.end().await;
}

#[tokio::test]
async fn nobody_elses_repository_is_looked_at() {
    let world = world();
    world.mood(Mood::Down);
    let server = Server::start(&world).await;
    let mut client = dial(&server.socket).await.unwrap();
    let check = client.check_plugin_configuration(()).await.unwrap().into_inner();
    assert!(!check.is_discovery_configured && !check.provide_git_creds);

    let any = Call::of(b"not even an archive".repeat(1000));
    let matched = client.match_repository(any.request()).await.unwrap().into_inner();
    assert!(!matched.is_supported && !matched.is_discovery_enabled);
    assert!(any.taken.load(Ordering::SeqCst));

    let any = Call::of(b"nor here".repeat(1000));
    let announced = client.get_parameters_announcement(any.request()).await.unwrap().into_inner();
    let announced: Vec<_> = announced
        .parameter_announcements
        .iter()
        .map(|a| (a.name.as_str(), a.collection_type.as_str()))
        .collect();
    let expected = Options::PARAMETERS.map(|p| {
        let collection = match p.form {
            Form::Text | Form::Flag => "string",
            Form::List => "array",
            Form::Map => "map",
        };
        (p.name, collection)
    });
    assert_eq!(announced, expected);
    assert!(any.taken.load(Ordering::SeqCst));
    server.end().await;
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let deadline = Deadline::of(&tonic::metadata::MetadataMap::new(), Instant::now());
    let result: Result<(), _> = answer(deadline, async { panic!("oh") }).await;
    let refusal = result.unwrap_err();
    assert_eq!(refusal.code(), Code::Internal);
    assert!(refusal.to_string().contains("a bug in Wharfinger"));
}

#[tokio::test]
async fn many_call_at_once() {
    let world = world();
    let (server, client) = Server::ready(&world).await;
    let calls = (0..40).map(|n| {
        let mut client = client.clone();
        async move {
            let claim = if n % 4 == 0 { format!("9-{B}") } else { format!("2-{B}") };
            let result = image(&mut client, &call("web", Some(&claim))).await;
            assert_eq!(result.is_err(), n % 4 == 0);
        }
    });
    futures::future::join_all(calls).await;
    server.end().await;
}
