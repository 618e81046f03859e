//! repo-server's end of the socket: a gRPC client with grpc-go's authority.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::authority::Frames;
use crate::proto::app_stream_request::Request as Message;
use crate::proto::config_management_plugin_service_client::ConfigManagementPluginServiceClient;
use crate::proto::{AppStreamRequest, EnvEntry, File, ManifestRequestMetadata};
use crate::upload::hex;

pub(super) type Client = ConfigManagementPluginServiceClient<Channel>;

/// As Argo CD sends by default.
const CHUNK: usize = 1024;

pub(super) async fn dial(socket: &Path) -> Client {
    let path = socket.to_owned();
    let connect = tower::service_fn(move |_: Uri| connect(path.clone()));
    Client::new(
        Endpoint::from_static("http://localhost").connect_with_connector(connect).await.unwrap(),
    )
    .max_decoding_message_size(100 << 20)
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
pub(super) struct Call {
    pub(super) archive: Vec<u8>,
    pub(super) checksum: String,
    pub(super) size: i64,
    pub(super) path: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) limit: Duration,
    /// Set once the last chunk has been taken.
    pub(super) taken: Arc<AtomicBool>,
}

impl Call {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        io::Write::write_all(&mut gzip, &tar.into_inner().unwrap()).unwrap();
        Self::of(gzip.finish().unwrap())
    }

    pub(super) fn of(archive: Vec<u8>) -> Self {
        let checksum = hex(&Sha256::digest(&archive));
        let size = i64::try_from(archive.len()).unwrap();
        Self {
            archive,
            checksum,
            size,
            path: "app".into(),
            env: Vec::new(),
            limit: Duration::from_secs(60),
            taken: Arc::default(),
        }
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(super) fn request(&self) -> Request<BoxStream<'static, AppStreamRequest>> {
        self.after(stream::empty())
    }

    /// With something between the metadata and the chunks.
    pub(super) fn after(
        &self,
        between: impl Stream<Item = AppStreamRequest> + Send + 'static,
    ) -> Request<BoxStream<'static, AppStreamRequest>> {
        let message = |request| AppStreamRequest { request: Some(request) };
        let Self { archive, checksum, size, path, env, limit, taken } = self.clone();
        let env = env.into_iter().map(|(name, value)| EnvEntry { name, value }).collect();
        let first = Message::Metadata(ManifestRequestMetadata {
            app_name: "app".into(),
            app_rel_path: path,
            checksum,
            size,
            env,
        });
        let chunks: Vec<_> = archive.chunks(CHUNK).map(bytes::Bytes::copy_from_slice).collect();
        let chunks = stream::iter(chunks).map(move |chunk| message(Message::File(File { chunk })));
        let end = stream::poll_fn(move |_| {
            taken.store(true, Ordering::SeqCst);
            Poll::Ready(None)
        });
        let mut request = Request::new(
            stream::iter([message(first)]).chain(between).chain(chunks).chain(end).boxed(),
        );
        request.set_timeout(limit);
        request
    }
}
