//! One stream → checked, bounded files in memory. The one place that reads an archive.

mod arriving;
mod incoming;

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use bytes::{Bytes, BytesMut};
use flate2::bufread::GzDecoder;
use tar::{Archive, EntryType};
use wharfinger_render::Files;
use wharfinger_render::files::{Limits, Refused, Tree};

pub use arriving::{Small, files, files_of};
pub use incoming::{Announced, Incoming, drain, metadata};

use crate::refusal::Refusal;

/// Unpacks a gzipped tar. Blocks.
///
/// Bounded in what it inflates to and in the number of files, whatever the archive says of itself. `.git` is left out.
pub fn unpack(archive: &[u8], above: &str, limits: Limits) -> Result<Files, Refusal> {
    Ok(unpacked(archive, above, limits)?)
}

/// Nothing but files is held, whatever else is in the archive. `above` is the folder of the repository that was sent.
fn unpacked(archive: impl BufRead, above: &str, limits: Limits) -> Result<Files, Bad> {
    let mut tree = Tree::new(limits);
    // One byte more than allowed, so that the bound shows as such; an archive also has headers and padding.
    let most = limits.bytes + limits.files as u64 * 2048 + (1 << 20);
    let mut inflated = Inflated::of(archive, most + 1);
    let walked = walk(&mut inflated, &mut tree, limits);
    // To the end, where gzip's own checksum is.
    let walked = walked.and_then(|()| Ok(io::copy(&mut inflated, &mut io::sink())?));
    if inflated.is_cut() {
        return Err(Refused::TooLarge(limits.bytes).into());
    }
    walked?;
    Ok(tree.finish(above)?)
}

fn walk<R: BufRead>(
    inflated: &mut Inflated<R>,
    tree: &mut Tree,
    limits: Limits,
) -> Result<(), Bad> {
    let mut contents = Contents::default();
    let mut archive = Archive::new(inflated);
    for entry in archive.entries_with_seek()? {
        let mut entry = entry?;
        let name = entry.path_bytes();
        if name.split(|b| *b == b'/').any(|part| part == b".git") {
            continue;
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if entry.size() > tree.room() {
                    return Err(Refused::TooLarge(limits.bytes).into());
                }
                let (name, size) = (name.into_owned(), entry.size() as usize);
                tree.file(&name, contents.read(&mut entry, size)?)?;
            }
            EntryType::Symlink => tree.link(&name, &target(&entry)?)?,
            EntryType::Link => tree.hard_link(&name, &target(&entry)?)?,
            EntryType::Directory | EntryType::XGlobalHeader => {}
            _ => return Err(Refused::Special(String::from_utf8_lossy(&name).into()).into()),
        }
    }
    Ok(())
}

/// What an archive inflates to, up to a bound.
struct Inflated<R: BufRead> {
    // Headers and small files are a few hundred bytes each: too few to inflate at a time.
    bytes: BufReader<Take<GzDecoder<R>>>,
    at: u64,
}

const AT_ONCE: usize = 64 << 10;

impl<R: BufRead> Inflated<R> {
    fn of(archive: R, most: u64) -> Self {
        let bytes = GzDecoder::new(archive).take(most);
        Self { bytes: BufReader::with_capacity(AT_ONCE, bytes), at: 0 }
    }

    /// Whether there is more than the bound.
    fn is_cut(&self) -> bool {
        self.bytes.get_ref().limit() == 0
    }
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Forward only, as an archive is walked. Without it, `tar` clears 32 KiB for each entry to skip what it may find after it.
impl<R: BufRead> Seek for Inflated<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let ahead = match to {
            SeekFrom::Current(ahead) => u64::try_from(ahead).ok(),
            SeekFrom::Start(_) | SeekFrom::End(_) => None,
        };
        let ahead = ahead.ok_or(io::ErrorKind::Unsupported)?;
        let skipped = io::copy(&mut self.take(ahead), &mut io::sink())?;
        if skipped < ahead {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it ends in the middle of a file",
            ));
        }
        Ok(self.at)
    }
}

/// Cuts the contents of files out of few allocations: one for each would cost as much as to inflate it.
#[derive(Default)]
struct Contents(BytesMut);

const BLOCK: usize = 1 << 20;

impl Contents {
    fn read(&mut self, from: &mut impl Read, size: usize) -> io::Result<Bytes> {
        // What is left of a block is lost where the next file does not fit, so a large one has its own. Zeroed memory
        // takes none before it is written to: it costs nothing to announce a large file that does not come.
        let mut content = if size > BLOCK / 4 {
            BytesMut::zeroed(size)
        } else {
            if self.0.len() < size {
                self.0 = BytesMut::zeroed(BLOCK);
            }
            self.0.split_to(size)
        };
        from.read_exact(&mut content)?;
        Ok(content.freeze())
    }
}

/// Why an archive is not unpacked.
enum Bad {
    Refused(Refused),
    Corrupt(String),
}

fn target<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Vec<u8>, Bad> {
    let nowhere = || Bad::Corrupt("the upload has a link that leads nowhere".into());
    Ok(entry.link_name_bytes().ok_or_else(nowhere)?.into_owned())
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self::Corrupt(format!("the upload is not a gzipped tar archive: {error}"))
    }
}

impl From<Refused> for Bad {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Refused(refused) => refused.into(),
            Bad::Corrupt(text) => Self::Input(text),
        }
    }
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
