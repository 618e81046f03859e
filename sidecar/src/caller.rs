//! repo-server's end of the socket: a gRPC client with grpc-go's authority, for whoever stands in for repo-server.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Error, Uri};
use wharfinger_api::argocd::{Application, Source};

use crate::authority::Frames;
use crate::proto::app_stream_request::Request as Message;
use crate::proto::config_management_plugin_service_client::ConfigManagementPluginServiceClient;
use crate::proto::{AppStreamRequest, EnvEntry, File, ManifestRequestMetadata};
use crate::upload::hex;

/// What repo-server knows beside the Application.
#[derive(Clone, Copy)]
pub struct RepoServer<'a> {
    /// The namespace of its Argo CD.
    pub namespace: &'a str,
    /// The commit that it has checked out.
    pub revision: &'a str,
    pub kube_version: &'a str,
    /// Separated by commas.
    pub api_versions: &'a str,
}

impl RepoServer<'_> {
    /// What it tells a plugin about one source of an Application.
    pub fn environment(&self, app: &Application, source: &Source) -> Vec<(String, String)> {
        let Self { namespace, revision, kube_version, api_versions } = *self;
        let name = app.name_for(namespace);
        let project = if app.spec.project.is_empty() { "default" } else { &app.spec.project };
        let destination = app.spec.destination.as_ref();
        let short = |length| revision.get(..length).unwrap_or(revision);
        let parameters = source.0.get("plugin").map(|p| p["parameters"].to_string());
        let own = source.env().map(|(name, value)| (format!("ARGOCD_ENV_{name}"), value));
        [
            ("ARGOCD_APP_NAME", name.as_str()),
            ("ARGOCD_APP_NAMESPACE", destination.map_or("", |d| d.namespace.as_str())),
            ("ARGOCD_APP_PROJECT_NAME", project),
            ("ARGOCD_APP_REVISION", revision),
            ("ARGOCD_APP_REVISION_SHORT", short(7)),
            ("ARGOCD_APP_REVISION_SHORT_8", short(8)),
            ("ARGOCD_APP_SOURCE_REPO_URL", source.repo_url()),
            ("ARGOCD_APP_SOURCE_PATH", source.text("path")),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", source.target_revision()),
            ("KUBE_VERSION", kube_version),
            ("KUBE_API_VERSIONS", api_versions),
            ("ARGOCD_APP_PARAMETERS", parameters.as_deref().unwrap_or("null")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(own)
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
    }
}

pub type Client = ConfigManagementPluginServiceClient<Channel>;

/// As Argo CD sends by default.
const CHUNK: usize = 1024;
/// As Argo CD waits by default.
const LIMIT: Duration = Duration::from_secs(60);
/// As Argo CD's limit for one message.
const MESSAGE: usize = 100 << 20;

/// A new connection to a plugin's socket.
pub async fn dial(socket: &Path) -> Result<Client, Error> {
    let path = socket.to_owned();
    let connect = tower::service_fn(move |_: Uri| connect(path.clone()));
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connect).await?;
    Ok(Client::new(channel).max_decoding_message_size(MESSAGE))
}

async fn connect(path: PathBuf) -> io::Result<TokioIo<RealAuthority>> {
    let stream = UnixStream::connect(path).await?;
    Ok(TokioIo::new(RealAuthority {
        stream,
        written: BytesMut::new(),
        ready: BytesMut::new(),
        frames: Frames::new(real),
    }))
}

fn real(_: usize) -> Option<&'static [u8]> {
    Some(b"home%2Fargocd%2Fcmp-server%2Fplugins%2Fwharfinger.sock")
}

/// A stream that writes the authority which tonic can't: the `http` crate refuses it on this side as well.
struct RealAuthority {
    stream: UnixStream,
    written: BytesMut,
    ready: BytesMut,
    frames: Frames,
}

impl AsyncWrite for RealAuthority {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.as_mut().poll_flush(cx)?.is_pending() {
            return Poll::Pending;
        }
        let this = &mut *self;
        this.written.extend_from_slice(bytes);
        this.frames.pump(&mut this.written, &mut this.ready)?;
        // What does not go now goes with the next write or flush.
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.ready.is_empty() {
            match Pin::new(&mut this.stream).poll_write(cx, &this.ready)? {
                Poll::Ready(length) => this.ready.advance(length),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for RealAuthority {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

/// A call to be made.
#[derive(Clone)]
pub struct Call {
    /// A gzipped tar.
    pub archive: Vec<u8>,
    pub checksum: String,
    pub size: i64,
    /// The Application's folder in the archive.
    pub path: String,
    pub env: Vec<(String, String)>,
    pub limit: Duration,
    /// How many bytes go in one message.
    pub chunk: usize,
    /// Set once the last message has been taken.
    pub taken: Arc<AtomicBool>,
}

impl Call {
    /// With these files in the archive.
    pub fn new<C: AsRef<[u8]>>(files: &[(&str, C)]) -> io::Result<Self> {
        let gzip = GzEncoder::new(Vec::new(), Compression::none());
        let mut tar = tar::Builder::new(gzip);
        for (name, content) in files {
            let content = content.as_ref();
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content)?;
        }
        Ok(Self::of(tar.into_inner()?.finish()?))
    }

    pub fn of(archive: Vec<u8>) -> Self {
        let checksum = hex(&Sha256::digest(&archive));
        let size = archive.len() as i64;
        let path = "app".into();
        let taken = Arc::default();
        Self { archive, checksum, size, path, env: Vec::new(), limit: LIMIT, chunk: CHUNK, taken }
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The metadata, and then the archive in chunks.
    pub fn messages(&self) -> Vec<AppStreamRequest> {
        let env = self.env.iter().cloned().map(|(name, value)| EnvEntry { name, value });
        let first = Message::Metadata(ManifestRequestMetadata {
            app_name: "app".into(),
            app_rel_path: self.path.clone(),
            checksum: self.checksum.clone(),
            size: self.size,
            env: env.collect(),
        });
        let chunks = self.archive.chunks(self.chunk);
        let chunks = chunks.map(|c| Message::File(File { chunk: Bytes::copy_from_slice(c) }));
        let all = [first].into_iter().chain(chunks);
        all.map(|request| AppStreamRequest { request: Some(request) }).collect()
    }

    pub fn request(&self) -> Request<BoxStream<'static, AppStreamRequest>> {
        let taken = Arc::clone(&self.taken);
        let end = stream::poll_fn(move |_| {
            taken.store(true, Ordering::SeqCst);
            Poll::Ready(None)
        });
        let mut request = Request::new(stream::iter(self.messages()).chain(end).boxed());
        request.set_timeout(self.limit);
        request
    }
}
