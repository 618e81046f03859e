//! What is sent, and whether it is what was announced.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Streaming};

use super::{hex, too_large};
use crate::proto::app_stream_request::Request;
use crate::proto::{AppStreamRequest, ManifestRequestMetadata};
use crate::refusal::Refusal;

/// The first message of a stream.
pub async fn metadata(
    stream: &mut Streaming<AppStreamRequest>,
) -> Result<ManifestRequestMetadata, Refusal> {
    match next(stream).await? {
        Some(Request::Metadata(metadata)) => Ok(metadata),
        Some(Request::File(_)) | None => {
            Err(Refusal::input("the upload does not begin with metadata"))
        }
    }
}

/// What the first message says of the bytes that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub size: u64,
    checksum: String,
}

impl Announced {
    /// More than `limit` bytes are not waited for.
    pub fn by(metadata: &ManifestRequestMetadata, limit: u64) -> Result<Self, Refusal> {
        let size = u64::try_from(metadata.size).unwrap_or_default();
        if size > limit {
            return Err(too_large(limit));
        }
        Ok(Self { size, checksum: metadata.checksum.to_ascii_lowercase() })
    }

    /// Nothing where no bytes have such a checksum.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        let digits = self.checksum.as_bytes().as_chunks::<2>().0;
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = digits.iter().map_while(byte).collect();
        let sha256: [u8; 32] = bytes.try_into().ok()?;
        // Whatever else is taken for digits is not written so.
        (hex(&sha256) == self.checksum).then_some(sha256)
    }
}

/// The chunks that follow the first message.
pub struct Incoming<'s> {
    stream: &'s mut Streaming<AppStreamRequest>,
    announced: &'s Announced,
    limit: u64,
    received: u64,
    sha256: Sha256,
}

impl<'s> Incoming<'s> {
    /// Of which `limit` bytes are taken at most.
    pub fn new(
        stream: &'s mut Streaming<AppStreamRequest>,
        announced: &'s Announced,
        limit: u64,
    ) -> Self {
        Self { stream, announced, limit, received: 0, sha256: Sha256::new() }
    }

    pub fn announced(&self) -> &Announced {
        self.announced
    }

    /// The next chunk. There is an end only if all that came is what was announced: until then, nothing that was made of
    /// it may be used.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(chunk) = self.chunk().await? else { return self.end() };
        if self.received <= self.announced.size {
            self.sha256.update(&chunk);
            return Ok(Some(chunk));
        }
        // It is counted all the same, for there may be a better reason.
        drop(chunk);
        while self.chunk().await?.is_some() {}
        Err(Refusal::input("the upload is larger than what was announced for it"))
    }

    /// All of it, in one piece.
    pub async fn all(mut self) -> Result<Bytes, Refusal> {
        let mut all = BytesMut::with_capacity(self.announced.size as usize);
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// To the end, keeping nothing.
    pub async fn check(mut self) -> Result<(), Refusal> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(request) = next(self.stream).await? else { return Ok(None) };
        let Request::File(file) = request else {
            return Err(Refusal::input("the upload has metadata twice"));
        };
        self.received += file.chunk.len() as u64;
        if self.received > self.limit {
            return Err(too_large(self.limit));
        }
        Ok(Some(file.chunk))
    }

    fn end(&mut self) -> Result<Option<Bytes>, Refusal> {
        // A caller that went away looks like the end of the stream: tonic makes no difference.
        if self.received < self.announced.size {
            return Err(Refusal::Gone);
        }
        if hex(&self.sha256.finalize_reset()) != self.announced.checksum {
            return Err(Refusal::input(
                "the upload does not have the checksum that was announced for it",
            ));
        }
        Ok(None)
    }
}

/// Reads what is left of a stream and forgets it.
///
/// Every answer waits for this: grpc-go reports a stream that the server ended early as a bare `EOF`, and the reason
/// would be lost.
pub async fn drain(stream: &mut Streaming<AppStreamRequest>) {
    while let Ok(Some(_)) = stream.message().await {}
}

async fn next(stream: &mut Streaming<AppStreamRequest>) -> Result<Option<Request>, Refusal> {
    let broken = |status: tonic::Status| match status.code() {
        // The stream was reset, or the connection ended.
        Code::Cancelled | Code::Unknown | Code::Unavailable => Refusal::Gone,
        _ => Refusal::input(format!("the upload can't be read: {}", status.message())),
    };
    match stream.message().await.map_err(broken)? {
        None => Ok(None),
        Some(AppStreamRequest { request: Some(request) }) => Ok(Some(request)),
        Some(AppStreamRequest { request: None }) => {
            Err(Refusal::input("the upload has an empty message"))
        }
    }
}
