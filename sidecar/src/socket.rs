//! The socket that repo-server dials. Its name is the whole registration of the plugin.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;
use tracing::warn;

/// A socket that listens, under its name from the moment it does until this is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// The name is ours as long as the file behind it is.
    inode: u64,
}

impl Socket {
    /// Binds in a folder of its own and moves the socket to `path`, so that repo-server never sees it half ready; what is
    /// left of an earlier life is replaced.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if let Ok(there) = fs::symlink_metadata(path)
            && !there.file_type().is_socket()
        {
            let text = format!("{} is there and is not a socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let folder =
            path.parent().unwrap_or(Path::new(".")).join(format!(".{}", std::process::id()));
        // From an earlier life with the same number.
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder)?;
        let bound = Self::bind_in(&folder.join("s"), path);
        fs::remove_dir_all(&folder).ok();
        bound
    }

    fn bind_in(hidden: &Path, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(hidden)?;
        // repo-server may run as another user. Who can reach the folder is said by the volume.
        fs::set_permissions(hidden, Permissions::from_mode(0o666))?;
        fs::rename(hidden, path)?;
        Ok(Self { listener, path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() })
    }

    /// The connections, for ever. One that can't be accepted (out of file descriptors, most likely) does not end them.
    pub fn connections(self) -> impl Stream<Item = io::Result<UnixStream>> {
        stream::unfold(self, |socket| async {
            loop {
                match socket.listener.accept().await {
                    Ok((stream, _)) => return Some((Ok(stream), socket)),
                    Err(error) => {
                        warn!(%error, "Connection not accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Unless a successor has taken it already.
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode) {
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn the_name_appears_with_the_socket_and_goes_with_it() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("wharfinger.sock");
        let names = || {
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>()
        };
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(names(), ["wharfinger.sock"]);
        let _client = UnixStream::connect(&path).await.unwrap();
        let mut connections = Box::pin(socket.connections());
        connections.next().await.unwrap().unwrap();
        drop(connections);
        assert!(names().is_empty());
    }

    #[tokio::test]
    async fn what_an_earlier_life_left_is_replaced_and_a_successor_is_left_alone() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("wharfinger.sock");
        let first = Socket::bind(&path).unwrap();
        let second = Socket::bind(&path).unwrap();
        drop(first);
        let _client = UnixStream::connect(&path).await.unwrap();
        drop(second);
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(Socket::bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
