//! The process groups of a run, and the guardian that ends them if we cannot.
//!
//! A process dies with us by itself (`process`), but what *it* started does not: a `git fetch` of
//! repo-server against a host that hangs would stay. So the list of live groups lies in a file, and
//! a guardian waits for the end of a pipe that only we hold; at its end it kills what is listed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::process::{self, Program, Streams};

// The guardian is in a group of its own and ignores what a terminal sends: it must outlive us by
// a moment. A group that is already gone is no error.
const GUARDIAN: &str = r#"trap '' HUP INT TERM; cat >/dev/null; exec 2>/dev/null
while read -r group; do kill -s KILL -- "-$group"; done <"$0""#;

pub(crate) struct Groups {
    file: PathBuf,
    live: Mutex<Live>,
    emptied: Condvar,
    guardian: Mutex<Option<(Child, ChildStdin)>>,
}

struct Live {
    open: bool,
    ids: BTreeSet<i32>,
}

impl Groups {
    pub(crate) fn new(folder: &Path) -> Result<Arc<Self>> {
        let file = folder.join("groups");
        fs::write(&file, "").context("writing the list of process groups")?;
        let program = Program::new("sh")
            .args(["-c", GUARDIAN])
            .args([file.to_string_lossy()])
            .folder(Path::new("/"));
        let streams =
            Streams { stdin: Stdio::piped(), stdout: Stdio::null(), stderr: Stdio::null() };
        let mut child = process::start_free(&program, streams).context("starting the guardian")?;
        let stdin = child.stdin.take().context("the guardian has no stdin")?;
        Ok(Arc::new(Self {
            file,
            live: Mutex::new(Live { open: true, ids: BTreeSet::new() }),
            emptied: Condvar::new(),
            guardian: Mutex::new(Some((child, stdin))),
        }))
    }

    /// Starts a process and lists its group. After `end` nothing starts any more.
    pub(crate) fn start(&self, program: &Program, streams: Streams) -> Result<Child> {
        // Held across the start, so that `end` sees every process or prevents it.
        let mut live = self.live();
        if !live.open {
            bail!("the cluster is being taken down");
        }
        let child = process::start(program, streams)
            .with_context(|| format!("starting {}", program.path.display()))?;
        live.ids.insert(id(&child).as_raw());
        self.write(&live)?;
        Ok(child)
    }

    /// Takes a child that has ended off the list, with everything that is left of its group.
    ///
    /// The child must be a zombie still: that keeps its number from being given to a stranger.
    pub(crate) fn bury(&self, child: &mut Child) -> Result<ExitStatus> {
        let mut live = self.live();
        let group = id(child);
        // Usually nothing is left of it, and that is what the error says.
        let _ = killpg(group, Signal::SIGKILL);
        live.ids.remove(&group.as_raw());
        self.write(&live)?;
        let status = child.wait().context("waiting for an ended process")?;
        self.emptied.notify_all();
        Ok(status)
    }

    /// Kills every group and waits until each is buried.
    pub(crate) fn end(&self) -> Result<()> {
        let mut live = self.live();
        live.open = false;
        for group in &live.ids {
            let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while !live.ids.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("process groups {:?} did not end within 20 s after SIGKILL", live.ids);
            }
            live = self.emptied.wait_timeout(live, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(live);
        let guardian = self.guardian.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut child, stdin)) = guardian {
            drop(stdin);
            child.wait().context("waiting for the guardian")?;
        }
        Ok(())
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // By rename: the guardian must never read half a list.
    fn write(&self, live: &Live) -> Result<()> {
        let text: String = live.ids.iter().map(|id| format!("{id}\n")).collect();
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .context("writing the list of process groups")
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}
