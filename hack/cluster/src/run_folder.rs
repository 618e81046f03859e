//! The folder of one run: certificates, kubeconfigs, data, sockets, logs.
//!
//! Part of it is in memory, under the same name, where there is a place for that.
//!
//! Its path is short because Unix sockets lie in it (108 bytes). The owner holds a lock on the file
//! `owner` for as long as it lives, so a folder whose lock is free belongs to a run that is dead.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use nix::unistd::Uid;

const PREFIX: &str = "wharf-";
const SUFFIX_LENGTH: usize = 6;
/// Where files lie in memory.
const MEMORY: &str = "/dev/shm";

pub(crate) struct RunFolder {
    path: PathBuf,
    _owner: File,
}

impl RunFolder {
    /// Makes a new folder in `base`, and removes those of dead runs.
    pub(crate) fn create(base: &Path) -> Result<Self> {
        // A folder without its lock exists for a moment only, and nobody sweeps in that moment.
        let _turn = turn(base)?;
        remove_dead(base);
        let path = make(base)?;
        let mut owner = File::create(path.join("owner"))?;
        owner.lock()?;
        writeln!(owner, "{}", std::process::id())?;
        Ok(Self { path, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The part of it that is in memory.
    pub(crate) fn memory(&self) -> Option<PathBuf> {
        in_memory(&self.path)
    }

    pub(crate) fn remove(&self) -> Result<()> {
        remove_both(&self.path).with_context(|| format!("removing {}", self.path.display()))
    }

    pub(crate) fn remove_all_but(&self, keep: &[&str]) -> Result<()> {
        self.memory().map_or(Ok(()), |memory| remove(&memory))?;
        let Ok(entries) = fs::read_dir(&self.path) else { return Ok(()) };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| keep.contains(&name)) {
                continue;
            }
            let path = entry.path();
            match if path.is_dir() { remove(&path) } else { fs::remove_file(&path) } {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Removes the folder at `path` if it is one of ours and its run is dead.
pub(crate) fn remove_if_dead(path: &Path) -> Result<()> {
    let _turn = turn(path.parent().context("a run folder lies in a folder")?)?;
    if is_run_folder(path) && is_dead(path) {
        remove_both(path).map_err(Into::into)
    } else {
        Ok(())
    }
}

/// Where the clusters of one user agree with each other.
pub(crate) fn common(base: &Path) -> Result<PathBuf> {
    let folder = base.join(format!(".wharf-{}", Uid::current()));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("creating {}", folder.display()))
        }
        _ => Ok(folder),
    }
}

fn turn(base: &Path) -> Result<File> {
    let turn = File::create(common(base)?.join("turn"))?;
    turn.lock().context("waiting for another run that is being started")?;
    Ok(turn)
}

fn remove_dead(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if is_run_folder(&path) && is_dead(&path) {
            // What cannot be removed now is tried again at the next start.
            drop(remove_both(&path));
        }
    }
}

fn is_run_folder(path: &Path) -> bool {
    let suffix = path.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX));
    let named = suffix.is_some_and(|suffix| {
        suffix.len() == SUFFIX_LENGTH && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let ours = fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == Uid::current().as_raw());
    named && ours
}

// Without the file `owner` the maker was killed between two lines of `create`.
fn is_dead(path: &Path) -> bool {
    match File::open(path.join("owner")) {
        Ok(owner) => owner.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn in_memory(path: &Path) -> Option<PathBuf> {
    let memory = Path::new(MEMORY);
    path.file_name().filter(|_| memory.is_dir()).map(|name| memory.join(name))
}

fn remove_both(path: &Path) -> io::Result<()> {
    in_memory(path).map_or(Ok(()), |memory| remove(&memory))?;
    remove(path)
}

fn remove(path: &Path) -> io::Result<()> {
    const ATTEMPTS: usize = 100;
    if !path.exists() {
        return Ok(());
    }
    let mut removed = fs::remove_dir_all(path);
    for _ in 1..ATTEMPTS {
        match removed.as_ref().map_err(io::Error::kind) {
            // repo-server makes folders of mode 0300, which only root can list without further ado.
            Err(io::ErrorKind::PermissionDenied) => make_listable(path)?,
            // A start that was called off is still writing; it fails when the folder is gone.
            Err(io::ErrorKind::DirectoryNotEmpty) => {}
            // Its own end removes the same folder at the same time.
            Err(io::ErrorKind::NotFound) if path.exists() => {}
            Err(io::ErrorKind::NotFound) => return Ok(()),
            _ => break,
        }
        removed = fs::remove_dir_all(path);
    }
    removed
}

fn make_listable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_listable(&entry.path())?;
        }
    }
    Ok(())
}

fn make(base: &Path) -> Result<PathBuf> {
    loop {
        let path = base.join(format!("{PREFIX}{}", suffix()));
        // Keys lie in it, and a token that may do everything.
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        let made = private(&path).and_then(|()| {
            let in_memory = in_memory(&path).map_or(Ok(()), |memory| private(&memory));
            // What is there under that name is somebody else's.
            in_memory.inspect_err(|_| drop(fs::remove_dir(&path)))
        });
        match made {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("creating {}", path.display()));
            }
        }
    }
}

fn suffix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let mut number = now as usize
        ^ (std::process::id() as usize) << 14
        ^ (COUNT.fetch_add(1, Ordering::Relaxed) as usize) << 7;
    (0..SUFFIX_LENGTH)
        .map(|_| {
            let letter = LETTERS[number % LETTERS.len()];
            number /= LETTERS.len();
            char::from(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> PathBuf {
        let base = std::env::temp_dir().join(format!("run-folder-{name}-{}", std::process::id()));
        fs::create_dir_all(&base).unwrap();
        base
    }

    #[test]
    fn a_dead_run_is_removed_and_a_live_one_is_not() {
        let base = base("dead");
        let alive = RunFolder::create(&base).unwrap();
        let dead = RunFolder::create(&base).unwrap();
        let (dead_path, in_memory) = (dead.path().to_owned(), dead.memory());
        for part in [Some(&dead_path), in_memory.as_ref()].into_iter().flatten() {
            fs::create_dir(part.join("data")).unwrap();
        }
        drop(dead);
        let next = RunFolder::create(&base).unwrap();
        assert!(!dead_path.exists() && !in_memory.is_some_and(|memory| memory.exists()));
        for run in [&alive, &next] {
            assert!(run.memory().is_none_or(|memory| memory.is_dir()));
        }
        assert!(alive.path().exists() && next.path().exists());
        alive.remove_all_but(&["owner"]).unwrap();
        assert!(alive.path().exists() && alive.memory().is_none_or(|memory| !memory.exists()));
        next.remove().unwrap();
        assert!(next.memory().is_none_or(|memory| !memory.exists()));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_folder_whose_maker_died_before_the_lock_is_removed() {
        let base = base("unowned");
        fs::create_dir(base.join("wharf-abcdef")).unwrap();
        RunFolder::create(&base).unwrap().remove().unwrap();
        assert!(!base.join("wharf-abcdef").exists());
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn nothing_of_another_name_is_touched() {
        let base = base("foreign");
        for name in ["wharf-abc", "wharf-abcdefg", "wharf-ab.def", "wharfabcdef"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        RunFolder::create(&base).unwrap().remove().unwrap();
        for name in ["wharf-abc", "wharf-abcdefg", "wharf-ab.def", "wharfabcdef"] {
            assert!(base.join(name).exists(), "{name}");
        }
        fs::remove_dir_all(base).unwrap();
    }
}
