//! Sidecar alone, real protocol: a cached render of 100 objects, against an echo of the same bytes on the same stack.
//!
//! We are repo-server towards a real sidecar in a real cluster: for each render a new connection, two questions, an upload.
//! The echo is a process of its own with the sidecar's socket, layers and settings; it reads the same calls to their end and
//! has its answer ready. The difference is what is ours: to judge the claim, to hash the upload, to put the images in.
//!
//! Cached means that the very same archive was sent before, as for a refresh without a new commit.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use futures::{TryStreamExt as _, stream};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status, Streaming};
use wharfinger_cluster::{Cluster, Instance, Options};
use wharfinger_sidecar::authority::LocalAuthority;
use wharfinger_sidecar::proto::app_stream_request::Request as Message;
use wharfinger_sidecar::proto::config_management_plugin_service_client::ConfigManagementPluginServiceClient;
use wharfinger_sidecar::proto::config_management_plugin_service_server::{
    ConfigManagementPluginService, ConfigManagementPluginServiceServer,
};
use wharfinger_sidecar::proto::{
    AppStreamRequest, CheckPluginConfigurationResponse, EnvEntry, File, ManifestRequestMetadata,
    ManifestResponse, ParametersAnnouncementResponse, RepositoryResponse,
};
use wharfinger_sidecar::{socket::Socket, upload};
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

    let render = Render::new(&project, &app, &files)?;
    let socket = cluster.plugin_socket(Instance::First)?;
    let answer = on_runtime(render.ask(&socket))?.manifests;
    let promoted = answer.iter().filter(|m| m.contains(&format!("{IMAGE}:v1"))).count();
    ensure!((answer.len(), promoted) == (OBJECTS, OBJECTS / 2), "rendered: {answer:#?}");
    let echo = Echo::start(&cluster, &answer)?;

    let (mut ours, mut echoed) = (vec![], vec![]);
    for block in 0..=RENDERS / BLOCK {
        for (socket, times) in [(&socket, &mut ours), (&echo.socket, &mut echoed)] {
            for _ in 0..BLOCK {
                let from = Instant::now();
                let rendered = on_runtime(render.ask(socket))?;
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

/// A render as repo-server asks for it.
struct Render {
    upload: Vec<AppStreamRequest>,
}

impl Render {
    fn new(project: &Project<'_>, app: &App<'_>, files: &[(&str, String)]) -> Result<Self> {
        let mut tar = tar::Builder::new(GzEncoder::new(vec![], Compression::default()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, text.as_bytes())?;
        }
        let archive = tar.into_inner()?.finish()?;
        let metadata = ManifestRequestMetadata {
            app_name: app.name.clone(),
            app_rel_path: ".".into(),
            checksum: Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect(),
            size: archive.len().try_into()?,
            env: environment(project, app)?,
        };
        let chunks =
            archive.chunks(CHUNK).map(|c| Message::File(File { chunk: c.to_vec().into() }));
        let all = [Message::Metadata(metadata)].into_iter().chain(chunks);
        Ok(Self {
            upload: all.map(|request| AppStreamRequest { request: Some(request) }).collect(),
        })
    }

    async fn ask(&self, socket: &Path) -> Result<ManifestResponse> {
        let socket = socket.to_owned();
        let replaced = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&replaced);
        let connect =
            tower::service_fn(move |_: Uri| GrpcGo::connect(socket.clone(), Arc::clone(&told)));
        let endpoint = Endpoint::from_shared(format!("http://{}", GrpcGo::stand_in()))?;
        let channel = endpoint.connect_with_connector(connect).await?;
        let mut plugin =
            ConfigManagementPluginServiceClient::new(channel).max_decoding_message_size(MESSAGE);
        plugin.check_plugin_configuration(limited(())).await?;
        plugin.check_plugin_configuration(limited(())).await?;
        let upload = limited(stream::iter(self.upload.clone()));
        let answer = plugin.generate_manifest(upload).await?.into_inner();
        ensure!(replaced.load(Relaxed), "asked with an authority that repo-server does not have");
        Ok(answer)
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(LIMIT);
    request
}

/// What repo-server tells a plugin about an Application, as it is now.
fn environment(project: &Project<'_>, app: &App<'_>) -> Result<Vec<EnvEntry>> {
    let spec = &app.get()?["spec"];
    let source = &spec["source"];
    let text = |of: &serde_json::Value| of.as_str().unwrap_or_default().to_owned();
    let revision = project.head()?;
    let kinds = project.cluster.kubectl(&["api-resources", "--no-headers"])?.ok()?;
    let kinds =
        kinds.lines().filter_map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
            [.., version, _namespaced, kind] => Some(format!("{version}/{kind}")),
            _ => None,
        });
    let mut env: Vec<(String, String)> = [
        ("ARGOCD_APP_NAME", app.name.clone()),
        ("ARGOCD_APP_NAMESPACE", text(&spec["destination"]["namespace"])),
        ("ARGOCD_APP_PROJECT_NAME", text(&spec["project"])),
        ("ARGOCD_APP_REVISION", revision.clone()),
        ("ARGOCD_APP_REVISION_SHORT", revision.chars().take(7).collect()),
        ("ARGOCD_APP_REVISION_SHORT_8", revision.chars().take(8).collect()),
        ("ARGOCD_APP_SOURCE_REPO_URL", text(&source["repoURL"])),
        ("ARGOCD_APP_SOURCE_PATH", text(&source["path"])),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", text(&source["targetRevision"])),
        ("KUBE_VERSION", "1.34.0".into()),
        ("KUBE_API_VERSIONS", kinds.collect::<Vec<_>>().join(",")),
        ("ARGOCD_APP_PARAMETERS", "null".into()),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    // The claim is among these.
    let own = source["plugin"]["env"].as_array().context("a promoted Application has a claim")?;
    env.extend(own.iter().map(|e| (format!("ARGOCD_ENV_{}", text(&e["name"])), text(&e["value"]))));
    Ok(env.into_iter().map(|(name, value)| EnvEntry { name, value }).collect())
}

/// A stream that writes grpc-go's authority, which the `http` crate refuses.
///
/// tonic is given one of the same length, of letters whose Huffman code is a byte: so it is found in what h2 writes, and
/// replaced in place.
struct GrpcGo {
    stream: UnixStream,
    replaced: Arc<AtomicBool>,
}

impl GrpcGo {
    const AUTHORITY: &[u8; 54] = b"home%2Fargocd%2Fcmp-server%2Fplugins%2Fwharfinger.sock";
    /// The length, with the bit that says Huffman, and before that the name: `:authority`, to be put into the table.
    const HEAD: [u8; 2] = [0x41, 0x80 | Self::AUTHORITY.len() as u8];
    /// `X` in Huffman code.
    const LETTER: u8 = 0xfc;

    fn stand_in() -> String {
        "X".repeat(Self::AUTHORITY.len())
    }

    async fn connect(socket: PathBuf, replaced: Arc<AtomicBool>) -> io::Result<TokioIo<Self>> {
        let stream = UnixStream::connect(socket).await?;
        Ok(TokioIo::new(Self { stream, replaced }))
    }

    /// The bytes with the authority in them, and where it ends; nothing where they don't have it.
    fn replace(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let stand_in = [&Self::HEAD[..], &[Self::LETTER; Self::AUTHORITY.len()]].concat();
        let start = bytes.windows(stand_in.len()).position(|window| window == stand_in)?;
        let end = start + stand_in.len();
        let plain = [Self::HEAD[0], Self::HEAD[1] & 0x7f];
        Some(([&bytes[..start], &plain, Self::AUTHORITY, &bytes[end..]].concat(), end))
    }
}

impl AsyncWrite for GrpcGo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let replaced = if self.replaced.load(Relaxed) { None } else { Self::replace(bytes) };
        let Some((bytes, end)) = replaced else {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        };
        let written = Pin::new(&mut self.stream).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(length)) = written {
            if length < end {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.replaced.store(true, Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for GrpcGo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
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
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(2 << 20)
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
