//! Clusters that live on after the command that started them, by name, in the cache folder.
//!
//! The process that owns such a cluster holds a lock for as long as it lives: whoever finds the lock
//! free finds a cluster that is gone, whatever the files say.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::run_folder;

const END_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Named {
    name: String,
    folder: PathBuf,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct State {
    pub(crate) owner: i32,
    pub(crate) run: PathBuf,
    /// What `hack/up` prints; empty until the cluster is up.
    pub(crate) summary: String,
}

impl Named {
    pub(crate) fn of(name: &str) -> Result<Self> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(good) {
            bail!("a cluster's name is made of lower case letters, digits and -: {name:?}");
        }
        Ok(Self { name: name.to_owned(), folder: all_folder()?.join(name) })
    }

    pub(crate) fn all() -> Result<Vec<Self>> {
        let Ok(entries) = fs::read_dir(all_folder()?) else { return Ok(Vec::new()) };
        let mut names: Vec<_> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names.iter().map(|name| Self::of(name)).collect()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Becomes the owner. Holds as long as the file is open.
    pub(crate) fn own(&self) -> Result<File> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::create(self.lock_path())?;
        lock.try_lock().with_context(|| format!("cluster {} has an owner already", self.name))?;
        Ok(lock)
    }

    pub(crate) fn is_alive(&self) -> bool {
        File::open(self.lock_path()).is_ok_and(|lock| lock.try_lock_shared().is_err())
    }

    pub(crate) fn state(&self) -> Option<State> {
        serde_json::from_str(&fs::read_to_string(self.state_path()).ok()?).ok()
    }

    pub(crate) fn write(&self, state: &State) -> Result<()> {
        let fresh = self.folder.join("state.new");
        fs::write(&fresh, serde_json::to_string_pretty(state)?)?;
        fs::rename(fresh, self.state_path())?;
        Ok(())
    }

    /// Ends the owner, if there is one, and removes what it left. Says whether there was anything.
    pub(crate) fn end(&self) -> Result<bool> {
        let Ok(lock) = File::open(self.lock_path()) else { return Ok(false) };
        let state = self.state();
        if lock.try_lock().is_err() {
            // The lock is held, so the number is that of its holder and not of a stranger.
            let owner = state.as_ref().map(|state| Pid::from_raw(state.owner));
            let owner = owner.context("the cluster is just being started; try again")?;
            ask_to_end(owner, Signal::SIGTERM)?;
            if !locked_within(lock, END_LIMIT) {
                ask_to_end(owner, Signal::SIGKILL)?;
                if !locked_within(File::open(self.lock_path())?, END_LIMIT) {
                    bail!("process {owner} of cluster {} does not end", self.name);
                }
            }
        }
        if let Some(state) = state {
            run_folder::remove_if_dead(&state.run)?;
        }
        self.forget()?;
        Ok(true)
    }

    pub(crate) fn forget(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("lock")
    }

    fn state_path(&self) -> PathBuf {
        self.folder.join("state.json")
    }
}

fn ask_to_end(owner: Pid, signal: Signal) -> Result<()> {
    match kill(owner, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("sending {signal} to process {owner}")),
    }
}

// The kernel wakes who waits for a lock; the thread is left behind if that never happens.
fn locked_within(lock: File, limit: Duration) -> bool {
    let (sender, locked) = mpsc::channel();
    thread::spawn(move || {
        if lock.lock().is_ok() {
            let _ = sender.send(());
        }
    });
    locked.recv_timeout(limit).is_ok()
}

// The same folder hack/build-parts uses.
fn all_folder() -> Result<PathBuf> {
    let home = |name: &str| env::var_os(name).map(PathBuf::from);
    let cache = home("WHARFINGER_CACHE")
        .or_else(|| home("XDG_CACHE_HOME").map(|cache| cache.join("wharfinger")))
        .or_else(|| home("HOME").map(|home| home.join(".cache/wharfinger")))
        .context("neither HOME nor WHARFINGER_CACHE is set")?;
    Ok(cache.join("clusters"))
}
