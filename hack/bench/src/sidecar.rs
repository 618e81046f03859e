//! Sidecar alone, real protocol: a cached render of 100 objects, against an echo of the same bytes on the same stack.
//!
//! We are repo-server towards a real sidecar in a real cluster: for each render a new connection, two questions, an upload.
//! The echo is a process of its own with the sidecar's socket, layers and settings; it reads the same calls to their end and
//! has its answer ready. The difference is what is ours: to judge the claim, to hash the upload, to put the images in.
//!
//! Cached means that the very same archive was sent before, as for a refresh without a new commit.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use wharfinger_api::argocd::Application;
use wharfinger_cluster::{Cluster, Instance, Options};
use wharfinger_sidecar::authority::LocalAuthority;
use wharfinger_sidecar::caller::{Call, RepoServer, dial};
use wharfinger_sidecar::proto::config_management_plugin_service_server::{
    ConfigManagementPluginService, ConfigManagementPluginServiceServer,
};
use wharfinger_sidecar::proto::{
    AppStreamRequest, CheckPluginConfigurationResponse, ManifestResponse,
    ParametersAnnouncementResponse, RepositoryResponse,
};
use wharfinger_sidecar::{service::WINDOW, socket::Socket, upload};
use wharfinger_tests::{App, IMAGE, Kind, Project, on_runtime};

use crate::line::{line, percentile};

const OBJECTS: usize = 100;
/// Of each, in blocks that take turns. The first block of each is not counted.
const RENDERS: usize = 2_000;
const BLOCK: usize = 100;
/// The goals are our own; nobody has asked for any. A cached render is to be mostly the protocol, also when it is slow.
const GOALS: [(usize, f64); 2] = [(50, 2.0), (99, 3.0)];

/// As our manifests set it for repo-server.
const CHUNK: usize = 64 << 10;
/// As Argo CD's limit for one message.
const MESSAGE: usize = 100 << 20;
/// As Argo CD waits by default.
const LIMIT: Duration = Duration::from_secs(60);

/// Tells a process of this program to be the echo, at that socket.
const ECHO: &str = "WHARFINGER_BENCH_ECHO";

pub(crate) fn run() -> Result<()> {
    if let Some(socket) = env::var_os(ECHO) {
        return on_runtime(echo(Path::new(&socket)));
    }
    let cluster = Cluster::start(Options { fault_points: true, ..Options::default() })?;
    cluster.install_wharfinger()?;
    let project = Project::new(&cluster, "bench")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    let files = [("web.yaml", app.web()), ("more.yaml", more(&app))];
    project.commit(&[(&format!("{}/more.yaml", app.name), &files[1].1)])?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;

    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let env = environment(&project, &app)?;
    let call = Call { path: ".".into(), env, chunk: CHUNK, ..Call::new(&files)? };
    let socket = cluster.plugin_socket(Instance::First)?;
    let answer = on_runtime(ask(&call, &socket))?.manifests;
    let promoted = answer.iter().filter(|m| m.contains(&format!("{IMAGE}:v1"))).count();
    ensure!((answer.len(), promoted) == (OBJECTS, OBJECTS / 2), "rendered: {answer:#?}");
    let echo = Echo::start(&cluster, &answer)?;

    let (mut ours, mut echoed) = (vec![], vec![]);
    for block in 0..=RENDERS / BLOCK {
        for (socket, times) in [(&socket, &mut ours), (&echo.socket, &mut echoed)] {
            for _ in 0..BLOCK {
                let from = Instant::now();
                let rendered = on_runtime(ask(&call, socket))?;
                let took = from.elapsed();
                ensure!(rendered.manifests == answer, "what is rendered must stay the same");
                if block > 0 {
                    times.push(took);
                }
            }
        }
    }
    for (percent, goal) in GOALS {
        let (ours, echoed) = (percentile(&ours, percent), percentile(&echoed, percent));
        line(&format!("sidecar-cached-render-100-p{percent}"), ours, "grpc-echo", echoed, goal);
    }
    Ok(())
}

/// What is beside the Application's first Deployment: more of them, and as many ConfigMaps.
fn more(app: &App<'_>) -> String {
    let name = |n: usize| format!("{}-{n}", app.name);
    let deployment =
        |n| app.web().replace("replicas: 2", "replicas: 1").replace(&app.name, &name(n));
    let config = |n| {
        let name = name(n);
        format!(
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  LOG_LEVEL: info
  application.properties: |
    server.name={name}
    server.port={}
    pool.size=16
",
            8000 + n
        )
    };
    let deployments = (1..OBJECTS / 2).map(deployment);
    let all: Vec<String> = deployments.chain((0..OBJECTS / 2).map(config)).collect();
    all.join("---\n")
}

/// A render as repo-server asks for it: on a new connection, after two questions.
async fn ask(call: &Call, socket: &Path) -> Result<ManifestResponse> {
    let mut plugin = dial(socket).await?;
    plugin.check_plugin_configuration(limited(())).await?;
    plugin.check_plugin_configuration(limited(())).await?;
    Ok(plugin.generate_manifest(call.request()).await?.into_inner())
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(LIMIT);
    request
}

/// What repo-server tells a plugin about an Application, as it is now.
fn environment(project: &Project<'_>, app: &App<'_>) -> Result<Vec<(String, String)>> {
    let app: Application = serde_json::from_value(app.get()?)?;
    let source = app.spec.source.as_ref().context("a source")?;
    let kinds = project.cluster.kubectl(&["api-resources", "--no-headers"])?.ok()?;
    let kinds: Vec<_> = kinds
        .lines()
        .filter_map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
            [.., version, _namespaced, kind] => Some(format!("{version}/{kind}")),
            _ => None,
        })
        .collect();
    let repo_server = RepoServer {
        namespace: "argocd",
        revision: &project.head()?,
        kube_version: "1.34.0",
        api_versions: &kinds.join(","),
    };
    Ok(repo_server.environment(&app, source))
}

/// The other process. It ends with this, or with us.
struct Echo {
    socket: PathBuf,
    process: Child,
}

impl Echo {
    #[expect(clippy::disallowed_methods, reason = "runs this very program")]
    fn start(cluster: &Cluster, manifests: &[String]) -> Result<Self> {
        let socket = cluster.folder_of_run().join("echo.sock");
        // Not by its name: cargo may have put another file there by now.
        let mut program = Command::new("/proc/self/exe");
        program.arg("sidecar").env(ECHO, &socket).stdin(Stdio::piped());
        let echo = Self { process: program.spawn()?, socket };
        let mut stdin = echo.process.stdin.as_ref().context("it must have a stdin")?;
        writeln!(stdin, "{}", serde_json::to_string(manifests)?)?;
        cluster.until("the echo to listen", || Ok(fs::metadata(&echo.socket)?))?;
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It closes stdin first, for whose end the echo waits.
        self.process.wait().ok();
    }
}

/// Serves what the first line of stdin says, until stdin ends.
async fn echo(socket: &Path) -> Result<()> {
    let mut manifests = String::new();
    io::stdin().lock().read_line(&mut manifests)?;
    let answer = Answer(serde_json::from_str(&manifests)?);
    let end = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let service = ConfigManagementPluginServiceServer::new(answer)
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .add_service(service)
        .serve_with_incoming_shutdown(
            Socket::bind(socket)?.connections().map_ok(LocalAuthority::new),
            async { drop(end.await) },
        )
        .await?;
    Ok(())
}

struct Answer(Vec<String>);

#[tonic::async_trait]
impl ConfigManagementPluginService for Answer {
    async fn check_plugin_configuration(
        &self,
        _: Request<()>,
    ) -> Result<Response<CheckPluginConfigurationResponse>, Status> {
        Ok(Response::new(CheckPluginConfigurationResponse::default()))
    }

    async fn generate_manifest(
        &self,
        request: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<ManifestResponse>, Status> {
        upload::drain(&mut request.into_inner()).await;
        let manifests = self.0.clone();
        Ok(Response::new(ManifestResponse { manifests, ..ManifestResponse::default() }))
    }

    async fn match_repository(
        &self,
        _: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<RepositoryResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn get_parameters_announcement(
        &self,
        _: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<ParametersAnnouncementResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}
