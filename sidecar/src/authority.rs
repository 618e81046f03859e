//! Makes grpc-go's `:authority` acceptable to h2.
//!
//! repo-server dials the plugin's socket as `passthrough:<path>`, and grpc-go takes the percent-encoded path for the
//! authority: `home%2Fargocd%2Fcmp-server%2Fplugins%2Fwharfinger.sock`. The `http` crate refuses a `%` there, so h2
//! resets every stream with PROTOCOL_ERROR before anyone is asked (hyperium/h2#442, #487). So the bytes are changed
//! before h2 reads them: in each header block, the value of `:authority` becomes `localhost`. All else stays, byte for byte.
//!
//! *Why no decoder is needed*: HPACK's table is kept by both ends. If an entry is not longer at our end than at the peer's, it
//! is dropped at our end no earlier than there, and every index that the peer uses still means what it meant.
//!
//! *Caveat*: an authority whose name comes from the peer's dynamic table is not seen. No encoder writes that, since the
//! name is in the static table; h2 would refuse it as before.

mod block;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;
use tonic::transport::server::Connected;

use block::rewrite;

/// What a client sends before its first frame.
const PREFACE: usize = 24;
const HEAD: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The longest header block that is taken, over all its frames. grpc-go's have some hundred bytes.
const BLOCK: usize = 64 << 10;
/// The longest frame that every HTTP/2 server takes.
const FRAME: usize = 16 << 10;

/// A stream whose reader sees `localhost` for every `:authority`.
pub struct LocalAuthority<S> {
    stream: S,
    arrived: BytesMut,
    ready: BytesMut,
    frames: Frames,
}

impl<S> LocalAuthority<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            arrived: BytesMut::new(),
            ready: BytesMut::new(),
            frames: Frames::new(block::local),
        }
    }
}

/// HTTP/2 as it comes from a client, frame by frame.
pub(crate) struct Frames {
    /// How many bytes to let pass before the next frame begins.
    pass: usize,
    /// A header block that goes on in another frame.
    open: Option<Open>,
    authority: block::Authority,
}

struct Open {
    flags: u8,
    stream: [u8; 4],
    priority: Vec<u8>,
    block: Vec<u8>,
}

impl Frames {
    /// `authority` says what to write in the place of an authority of at least so many bytes.
    pub(crate) fn new(authority: block::Authority) -> Self {
        Self { pass: PREFACE, open: None, authority }
    }

    /// Moves all that is whole from `from` to `to`.
    pub(crate) fn pump(&mut self, from: &mut BytesMut, to: &mut BytesMut) -> io::Result<()> {
        loop {
            if self.pass > 0 {
                let passing = self.pass.min(from.len());
                to.put(from.split_to(passing));
                self.pass -= passing;
            }
            let Some(head) = from.first_chunk::<HEAD>() else { return Ok(()) };
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            match (kind, &self.open) {
                (HEADERS, None) | (CONTINUATION, Some(_)) => {}
                (_, None) => {
                    self.pass = HEAD + length;
                    continue;
                }
                (_, Some(_)) => return Err(malformed("a frame inside a header block")),
            }
            if length > BLOCK {
                return Err(malformed("a header block that is too long"));
            }
            if from.len() < HEAD + length {
                return Ok(());
            }
            let frame = from.split_to(HEAD + length);
            let stream = [frame[5], frame[6], frame[7], frame[8]];
            let mut open = match self.open.take() {
                None => Open::start(flags, stream, &frame[HEAD..])?,
                Some(open) if open.stream == stream => open.more(flags, &frame[HEAD..])?,
                Some(_) => return Err(malformed("a continuation of another stream's headers")),
            };
            if open.flags & END_HEADERS == 0 {
                self.open = Some(open);
                continue;
            }
            if let Some(block) = rewrite(&open.block, self.authority)? {
                open.block = block;
            }
            open.write(to);
        }
    }
}

impl Open {
    /// A HEADERS frame, without its padding.
    fn start(flags: u8, stream: [u8; 4], mut payload: &[u8]) -> io::Result<Self> {
        let short = || malformed("a HEADERS frame that is too short");
        if flags & PADDED != 0 {
            let (padding, rest) = payload.split_first().ok_or_else(short)?;
            let kept = rest.len().checked_sub(usize::from(*padding)).ok_or_else(short)?;
            payload = &rest[..kept];
        }
        let mut priority = &payload[..0];
        if flags & PRIORITY != 0 {
            (priority, payload) = payload.split_at_checked(5).ok_or_else(short)?;
        }
        Ok(Self {
            flags: flags & !PADDED,
            stream,
            priority: priority.into(),
            block: payload.into(),
        })
    }

    fn more(mut self, flags: u8, payload: &[u8]) -> io::Result<Self> {
        if self.block.len() + payload.len() > BLOCK {
            return Err(malformed("a header block that is too long"));
        }
        // Frames of nothing would keep us busy for ever.
        if payload.is_empty() && flags & END_HEADERS == 0 {
            return Err(malformed("an empty CONTINUATION frame"));
        }
        self.block.extend_from_slice(payload);
        self.flags |= flags & END_HEADERS;
        Ok(self)
    }

    /// As one frame, or as few as it takes.
    fn write(self, to: &mut BytesMut) {
        let Self { flags, stream, priority, block } = self;
        let (first, mut rest) = block.split_at(block.len().min(FRAME - priority.len()));
        let end = |rest: &[u8]| if rest.is_empty() { END_HEADERS } else { 0 };
        head(to, priority.len() + first.len(), HEADERS, flags & !END_HEADERS | end(rest), stream);
        to.put_slice(&priority);
        to.put_slice(first);
        while !rest.is_empty() {
            let next;
            (next, rest) = rest.split_at(rest.len().min(FRAME));
            head(to, next.len(), CONTINUATION, end(rest), stream);
            to.put_slice(next);
        }
    }
}

fn head(to: &mut BytesMut, length: usize, kind: u8, flags: u8, stream: [u8; 4]) {
    to.put_uint(length as u64, 3);
    to.put_u8(kind);
    to.put_u8(flags);
    to.put_slice(&stream);
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the peer sends {what}"))
}

impl<S: AsyncRead + Unpin> AsyncRead for LocalAuthority<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.ready.is_empty() {
            // Drained each time, it would never grow by itself, and each read would take a few bytes.
            this.arrived.reserve(FRAME);
            if ready!(poll_read_buf(Pin::new(&mut this.stream), cx, &mut this.arrived))? == 0 {
                // The end. What is left of a frame is of no use to anybody.
                return Poll::Ready(Ok(()));
            }
            this.frames.pump(&mut this.arrived, &mut this.ready)?;
        }
        let length = this.ready.len().min(out.remaining());
        out.put_slice(&this.ready[..length]);
        this.ready.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LocalAuthority<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Connected for LocalAuthority<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests;
