//! Helm and Kustomize, as they are installed beside us.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::blocking::blocking;
use crate::exec::{self, Failure, May, Tool};
use crate::{Files, RenderError};

/// The programs that are there. One that is not is missed by whoever needs it, and by nobody else.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    pub(crate) helm: Option<Program>,
    pub(crate) kustomize: Option<Program>,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    path: PathBuf,
    /// What tells two builds apart: results of one are not given out for the other.
    pub(crate) version: String,
    told: String,
    memory: u64,
    garbage: u32,
}

/// What each may leave uncollected, in percent. With as much as Helm, Kustomize takes longer to get the memory for 1,000 objects
/// (211 MB in place of 93) than it saves.
const HELM: u32 = 1600;
const KUSTOMIZE: u32 = 400;

const ASKING: Duration = Duration::from_secs(20);

impl Tools {
    /// What a tool may take if nobody says otherwise: several times what large charts need.
    pub const MEMORY: u64 = 512 << 20;

    /// The versions of the programs, by their names, as they tell them.
    pub fn versions(&self) -> BTreeMap<&'static str, String> {
        let tools = [&self.helm, &self.kustomize];
        let told = |program: &Program| (program.name, program.told.clone());
        tools.into_iter().flatten().map(told).collect()
    }

    /// The same, with so many bytes of memory for each that runs.
    #[must_use]
    pub fn with_memory(mut self, memory: u64) -> Self {
        let tools = [&mut self.helm, &mut self.kustomize];
        tools.into_iter().flatten().for_each(|program| program.memory = memory);
        self
    }

    /// Looks for the programs in the folders of `path`, which is what `PATH` holds.
    pub async fn find(path: &OsStr) -> Self {
        for gap in exec::gaps() {
            warn!(gap, "Not everything is kept from Helm and Kustomize that should be");
        }
        let helm = Program::find("helm", path, &["version", "--short"], HELM).await;
        let kustomize = Program::find("kustomize", path, &["version"], KUSTOMIZE).await;
        Self { helm, kustomize }
    }
}

impl Program {
    async fn find(name: &'static str, path: &OsStr, ask: &[&str], garbage: u32) -> Option<Self> {
        let Some(path) =
            std::env::split_paths(path).map(|dir| dir.join(name)).find(|p| p.is_file())
        else {
            warn!(program = name, "Not found: sources that need it are refused");
            return None;
        };
        let length = path.metadata().map_or(0, |m| m.len());
        match Self::ask(&path, ask, garbage).await {
            Ok(said) => {
                let told = said.trim().to_owned();
                let version = format!("{told} {length}");
                info!(program = name, path = %path.display(), version = told, "Found");
                Some(Self { name, path, version, told, memory: Tools::MEMORY, garbage })
            }
            Err(error) => {
                warn!(program = name, path = %path.display(), error, "Does not tell its version: sources that need it are refused");
                None
            }
        }
    }

    async fn ask(program: &Path, ask: &[&str], garbage: u32) -> Result<String, String> {
        let home = TempDir::new().map_err(|e| e.to_string())?;
        let args: Vec<OsString> = ask.iter().map(OsString::from).collect();
        let deadline = Instant::now() + ASKING;
        let (dir, memory) = (home.path(), Tools::MEMORY);
        let tool = Tool {
            program,
            args: &args,
            source: dir,
            dir,
            home: dir,
            may: May::Read,
            deadline,
            memory,
            garbage,
        };
        let out = exec::output(&tool).await.map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// Runs the program in `folder` of what was written down; what it prints is text.
    pub(crate) async fn run(
        &self,
        work: &Work,
        folder: &str,
        args: &[OsString],
        may: May<'_>,
        deadline: Instant,
    ) -> Result<String, RenderError> {
        let (source, home) = (work.source(), work.home());
        let (dir, memory, garbage) = (source.join(folder), self.memory, self.garbage);
        let (program, source, home) = (&*self.path, &*source, &*home);
        let tool = Tool { program, args, source, dir: &dir, home, may, deadline, memory, garbage };
        let failed = |text: String| RenderError::Tool {
            tool: self.name,
            text: text.replace(&work.shown(), ""),
        };
        let out = exec::output(&tool).await.map_err(|failure| match failure {
            Failure::Start(e) => RenderError::internal(self.name, &e),
            Failure::Exit(text) => failed(text),
            Failure::TooMuch | Failure::TooLarge | Failure::Memory(_) => {
                failed(failure.to_string())
            }
            Failure::Deadline => RenderError::Deadline,
        })?;
        String::from_utf8(out).map_err(|_| failed("what it printed is not UTF-8".into()))
    }
}

/// Files on a disk, for a tool that can't do without. They are removed when it is dropped, but nobody waits for that.
pub(crate) struct Work {
    /// There until then.
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Drop for Work {
    fn drop(&mut self) {
        if let (Some(folder), Ok(runtime)) = (self.folder.take(), Handle::try_current()) {
            drop(runtime.spawn_blocking(move || drop(folder)));
        }
    }
}

impl Work {
    /// Writes files down. Names are plain by construction, so nothing can land elsewhere. Blocks.
    pub(crate) fn write<'f>(
        files: impl Iterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, RenderError> {
        let failed =
            |e: std::io::Error| RenderError::internal("can't write files down for a tool", &e);
        let folder = tempfile::Builder::new().prefix("wharfinger-").tempdir().map_err(failed)?;
        let work = Self { path: folder.path().to_owned(), folder: Some(folder) };
        std::fs::create_dir(work.home()).map_err(failed)?;
        std::fs::create_dir(work.source()).map_err(failed)?;
        let mut made = String::new();
        for (name, content) in files {
            let folder = crate::files::parent(name);
            if folder != made {
                std::fs::create_dir_all(work.source().join(folder)).map_err(failed)?;
                folder.clone_into(&mut made);
            }
            std::fs::write(work.source().join(name), content).map_err(failed)?;
        }
        Ok(work)
    }

    pub(crate) async fn of(files: Arc<Files>, which: Vec<String>) -> Result<Self, RenderError> {
        let write = move || {
            Self::write(which.iter().filter_map(|name| Some((name.as_str(), files.get(name)?))))
        };
        blocking(write).await?
    }

    /// Adds a file that is not part of the source.
    pub(crate) fn add(&self, name: &str, content: &str) -> Result<PathBuf, RenderError> {
        let path = self.home().join(name);
        std::fs::write(&path, content)
            .map_err(|e| RenderError::internal("can't write a file down", &e))?;
        Ok(path)
    }

    /// A file of the source, as a tool left it.
    pub(crate) fn read(&self, name: &str) -> Result<String, RenderError> {
        std::fs::read_to_string(self.source().join(name))
            .map_err(|e| RenderError::internal("can't read what a tool wrote", &e))
    }

    pub(crate) fn replace(&self, name: &str, content: &str) -> Result<(), RenderError> {
        std::fs::write(self.source().join(name), content)
            .map_err(|e| RenderError::internal("can't write a file down", &e))
    }

    fn source(&self) -> PathBuf {
        self.path.join("source")
    }

    fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// What is taken out of a tool's words, so that they speak of the repository.
    fn shown(&self) -> String {
        format!("{}/", self.source().display())
    }
}
