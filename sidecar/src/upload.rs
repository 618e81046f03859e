//! One stream → checked, bounded files in memory. The one place that reads an archive.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};
use tonic::{Code, Streaming};
use wharfinger_render::Files;
use wharfinger_render::files::{Limits, Refused, Tree};

use crate::proto::app_stream_request::Request;
use crate::proto::{AppStreamRequest, ManifestRequestMetadata};
use crate::refusal::Refusal;

/// A gzipped tar, as it was sent.
pub struct Upload {
    pub bytes: Vec<u8>,
    pub sha256: [u8; 32],
}

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

/// The chunks that follow, up to `limit` bytes, if they are what `metadata` says.
pub async fn receive(
    stream: &mut Streaming<AppStreamRequest>,
    metadata: &ManifestRequestMetadata,
    limit: u64,
) -> Result<Upload, Refusal> {
    if u64::try_from(metadata.size).is_ok_and(|size| size > limit) {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    let mut sha256 = Sha256::new();
    while let Some(request) = next(stream).await? {
        let Request::File(file) = request else {
            return Err(Refusal::input("the upload has metadata twice"));
        };
        if (bytes.len() + file.chunk.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        sha256.update(&file.chunk);
        bytes.extend_from_slice(&file.chunk);
    }
    let sha256: [u8; 32] = sha256.finalize().into();
    // A caller that went away looks like the end of the stream: tonic makes no difference.
    if i64::try_from(bytes.len()).is_ok_and(|length| length < metadata.size) {
        return Err(Refusal::Gone);
    }
    if !metadata.checksum.eq_ignore_ascii_case(&hex(&sha256)) {
        return Err(Refusal::input(
            "the upload does not have the checksum that was announced for it",
        ));
    }
    Ok(Upload { bytes, sha256 })
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

/// Unpacks a gzipped tar. Blocks.
///
/// Bounded in what it inflates to and in the number of files, whatever the archive says of itself. `.git` is left out.
pub fn unpack(archive: &[u8], limits: Limits) -> Result<Files, Refusal> {
    let mut tree = Tree::new(limits);
    // One byte more than allowed, so that the bound shows as such; an archive also has headers and padding.
    let most = limits.bytes + limits.files as u64 * 2048 + (1 << 20);
    let mut inflated = GzDecoder::new(archive).take(most + 1);
    let mut archive = Archive::new(&mut inflated);
    let entries = archive.entries().map_err(|e| corrupt(&e))?;
    for entry in entries {
        let mut entry = entry.map_err(|e| corrupt(&e))?;
        let name = entry.path_bytes().into_owned();
        if name.split(|b| *b == b'/').any(|part| part == b".git") {
            continue;
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let room = tree.room();
                if entry.size() > room {
                    return Err(Refused::TooLarge(limits.bytes).into());
                }
                let mut content = Vec::new();
                (&mut entry).take(room + 1).read_to_end(&mut content).map_err(|e| corrupt(&e))?;
                tree.file(&name, content)?;
            }
            EntryType::Symlink => tree.link(&name, &target(&entry)?)?,
            EntryType::Link => tree.hard_link(&name, &target(&entry)?)?,
            EntryType::Directory | EntryType::XGlobalHeader => {}
            _ => return Err(Refused::Special(String::from_utf8_lossy(&name).into()).into()),
        }
    }
    // To the end, where gzip's own checksum is.
    let rest = io::copy(&mut inflated, &mut io::sink());
    rest.map_err(|e| corrupt(&e))?;
    if inflated.limit() == 0 {
        return Err(Refused::TooLarge(limits.bytes).into());
    }
    Ok(tree.finish()?)
}

fn target<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Vec<u8>, Refusal> {
    let target = entry
        .link_name_bytes()
        .ok_or_else(|| Refusal::input("the upload has a link that leads nowhere"))?;
    Ok(target.into_owned())
}

fn corrupt(error: &io::Error) -> Refusal {
    Refusal::Input(format!("the upload is not a gzipped tar archive: {error}"))
}

fn too_large(limit: u64) -> Refusal {
    Refusal::Input(format!("the upload is larger than {limit} bytes. {NARROW}"))
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let more = match refused {
            Refused::TooMany(_) | Refused::TooLarge(_) => format!(". {NARROW}"),
            _ => String::new(),
        };
        Self::Input(format!("the upload is refused: {refused}{more}"))
    }
}

const NARROW: &str = "Set the annotation argocd.argoproj.io/manifest-generate-paths, so that only what the Application needs is sent, or raise the plugin's limits";

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // It can't fail on a String.
        write!(out, "{byte:02x}").ok();
        out
    })
}

#[cfg(test)]
mod tests;
