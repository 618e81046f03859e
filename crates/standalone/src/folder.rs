//! The folder that holds all there is of a run on disk. It goes with the run.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

pub struct Folder {
    path: PathBuf,
    /// Held as long as the run lasts, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder, or takes over what a run left there that was killed.
    pub fn make(path: &Path) -> Result<Self> {
        let shown = path.display();
        let lock = path.join(".lock");
        if path.exists() && !lock.exists() {
            bail!(
                "{shown} is there and was not made by a run of this program. Name another folder, or remove it"
            );
        }
        fs::create_dir_all(path).with_context(|| format!("making {shown}"))?;
        let held = File::create(&lock).with_context(|| format!("making {}", lock.display()))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another run uses {shown}. End it first, or name another folder")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", lock.display()));
            }
        }
        for left in fs::read_dir(path)?.flatten().filter(|entry| entry.path() != lock) {
            let gone = if left.file_type()?.is_dir() {
                fs::remove_dir_all(left.path())
            } else {
                fs::remove_file(left.path())
            };
            gone.with_context(|| {
                format!("removing what an earlier run left: {}", left.path().display())
            })?;
        }
        Ok(Self { path: path.into(), _lock: held })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "Could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_run_and_goes_with_it() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let path = parent.path().join("run");
        let folder = Folder::make(&path)?;
        assert!(Folder::make(&path).is_err(), "somebody is there");
        drop(folder);
        assert!(!path.exists());

        fs::create_dir(&path)?;
        assert!(Folder::make(&path).is_err(), "it is somebody else's");
        fs::write(path.join(".lock"), "")?;
        fs::write(path.join("left"), "")?;
        let folder = Folder::make(&path)?;
        assert!(!folder.path().join("left").exists(), "killed");
        Ok(())
    }
}
