//! Bytes that come → files, on a thread that may block.

use std::io::{self, BufRead};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{StreamReader, SyncIoBridge};
use wharfinger_render::Files;
use wharfinger_render::files::{Limits, Refused};

use super::{Bad, Incoming, unpacked};
use crate::refusal::Refusal;

/// How much is handed over at once. Argo CD sends 1 KiB at a time if it is not told otherwise.
const PIECE: usize = 64 << 10;
/// How many pieces may wait to be unpacked.
const AHEAD: usize = 4;

/// Uploads that are no more than this don't wait for others that are.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// In bytes, as it is sent. With `manifest-generate-paths` set, it is a few kilobytes.
    pub sent: u64,
    /// What it may come to: a megabyte inflates to a gigabyte, and whoever writes to a repository can have that.
    pub unpacked: Limits,
}

impl Default for Small {
    fn default() -> Self {
        Self { sent: 1 << 20, unpacked: Limits { files: 10_000, bytes: 16 << 20 } }
    }
}

/// Unpacks an upload while it comes, so that it is nowhere held as it was sent, and to receive it takes no time of its own.
pub async fn files(
    mut incoming: Incoming<'_>,
    above: &str,
    limits: Limits,
) -> Result<Files, Refusal> {
    let (pieces, coming) = mpsc::channel(AHEAD);
    let coming = StreamReader::new(ReceiverStream::new(coming).map(io::Result::Ok));
    let unpacking = unpacking(SyncIoBridge::new(coming), above, limits);
    let mut piece = BytesMut::new();
    // Whatever ends this early ends what is read on the other side as well.
    while let Some(chunk) = incoming.next().await? {
        piece.extend_from_slice(&chunk);
        if piece.len() >= PIECE {
            hand_over(&pieces, &mut piece).await;
        }
    }
    hand_over(&pieces, &mut piece).await;
    drop(pieces);
    Ok(unpacking.await.map_err(|_| Refusal::panicked())??)
}

async fn hand_over(pieces: &mpsc::Sender<Bytes>, piece: &mut BytesMut) {
    // Nobody takes it once the reason is clear for which the archive is refused, or after its end.
    pieces.send(piece.split().freeze()).await.ok();
}

impl Small {
    /// Unpacks what came, if it comes to no more.
    pub async fn files(
        &self,
        archive: Bytes,
        above: &str,
        limits: Limits,
    ) -> Result<Option<Files>, Refusal> {
        let Limits { files, bytes } = self.unpacked;
        let little = Limits { files: files.min(limits.files), bytes: bytes.min(limits.bytes) };
        let unpacked = unpacking(io::Cursor::new(archive), above, little);
        match unpacked.await.map_err(|_| Refusal::panicked())? {
            Err(Bad::Refused(Refused::TooLarge(_) | Refused::TooMany(_))) if little != limits => {
                Ok(None)
            }
            unpacked => Ok(Some(unpacked?)),
        }
    }
}

/// Unpacks what came.
pub async fn files_of(archive: Bytes, above: &str, limits: Limits) -> Result<Files, Refusal> {
    let unpacked = unpacking(io::Cursor::new(archive), above, limits);
    Ok(unpacked.await.map_err(|_| Refusal::panicked())??)
}

fn unpacking(
    archive: impl BufRead + Send + 'static,
    above: &str,
    limits: Limits,
) -> JoinHandle<Result<Files, Bad>> {
    let above = above.to_owned();
    spawn_blocking(move || unpacked(archive, &above, limits))
}
