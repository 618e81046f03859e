//! A plugin that has its answer ready: a process of its own with the sidecar's socket, layers and settings, which reads calls
//! to their end.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use wharfinger_cluster::Cluster;
use wharfinger_sidecar::authority::LocalAuthority;
use wharfinger_sidecar::proto::config_management_plugin_service_server::{
    ConfigManagementPluginService, ConfigManagementPluginServiceServer,
};
use wharfinger_sidecar::proto::{
    AppStreamRequest, CheckPluginConfigurationResponse, ManifestResponse,
    ParametersAnnouncementResponse, RepositoryResponse,
};
use wharfinger_sidecar::{service::WINDOW, socket::Socket, upload};
use wharfinger_tests::on_runtime;

/// As Argo CD's limit for one message.
const MESSAGE: usize = 100 << 20;

/// Tells a process of this program to be the echo, at that socket.
const ECHO: &str = "WHARFINGER_BENCH_ECHO";

/// The other process. It ends with this, or with us.
pub(crate) struct Echo {
    pub(crate) socket: PathBuf,
    process: Child,
}

impl Echo {
    #[expect(clippy::disallowed_methods, reason = "runs this very program")]
    pub(crate) fn start(cluster: &Cluster, manifests: &[String]) -> Result<Self> {
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

    /// In the process that is to be the echo: serves until it is to end. In any other, nothing.
    pub(crate) fn serve_if_told() -> Option<Result<()>> {
        let socket = env::var_os(ECHO)?;
        Some(on_runtime(serve(Path::new(&socket))))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It closes stdin first, for whose end the echo waits.
        self.process.wait().ok();
    }
}

/// Serves what the first line of stdin says, until stdin ends.
async fn serve(socket: &Path) -> Result<()> {
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
