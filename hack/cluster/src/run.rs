//! What one run owns: its folder, its ports, its process groups, its clock.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Result;

use crate::{groups::Groups, ports::Ports, progress, run_folder::RunFolder};

pub(crate) struct Run {
    // Before the folder: what is dropped first must not outlive it.
    groups: Arc<Groups>,
    ports: Ports,
    folder: RunFolder,
    started: Instant,
}

impl Run {
    pub(crate) fn new() -> Result<Arc<Self>> {
        // Not TMPDIR: the path of a Unix socket has room for 108 bytes.
        let base = Path::new("/tmp");
        let folder = RunFolder::create(base)?;
        for name in ["logs", "home", "tmp", "bin"] {
            fs::create_dir(folder.path().join(name))?;
        }
        Ok(Arc::new(Self {
            groups: Groups::new(folder.path())?,
            ports: Ports::new(base)?,
            folder,
            started: Instant::now(),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where files lie in memory, if there is such a place.
    pub(crate) fn memory(&self) -> PathBuf {
        self.folder.memory().unwrap_or_else(|| self.path().join("tmp"))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    pub(crate) fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    /// One line about what has just been done.
    pub(crate) fn say(&self, what: &str) {
        progress::line(&format!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64()));
    }

    /// Ends every process at once. The logs stay, until the next run sweeps what dead runs left.
    pub(crate) fn end(&self) -> Result<()> {
        self.groups.end()?;
        self.folder.remove_all_but(&["logs", "owner"])
    }

    /// Ends every process at once and leaves nothing.
    pub(crate) fn end_and_remove(&self) -> Result<()> {
        self.groups.end()?;
        self.folder.remove()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            progress::line(&format!("taking the cluster down: {error:#}"));
        }
    }
}
