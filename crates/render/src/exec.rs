//! The one place that starts a process.

mod confined;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, prlimit};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use crate::blocking::processors;
use crate::discreet;

pub(crate) use confined::gaps;

/// As much as Argo CD takes from a plugin.
const STDOUT: usize = 100 << 20;
const STDERR: usize = 64 << 10;
/// What of stderr is worth showing: the end of it.
const SHOWN: usize = 2000;

pub(crate) struct Tool<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [OsString],
    /// What it reads.
    pub(crate) source: &'a Path,
    /// Where it runs, in the source.
    pub(crate) dir: &'a Path,
    /// For whatever it wants to write; nobody else's.
    pub(crate) home: &'a Path,
    pub(crate) may: May<'a>,
    pub(crate) deadline: Instant,
    /// How much it may take, in bytes.
    pub(crate) memory: u64,
    /// How much garbage it may leave before it collects, in percent of what it keeps. It runs so shortly that most can wait.
    pub(crate) garbage: u32,
}

/// What a tool may do besides reading.
#[derive(Clone, Copy, Debug)]
pub(crate) enum May<'a> {
    Read,
    /// Change what is in the folder where it runs.
    Write,
    /// The same, and connect to these ports.
    Fetch(&'a [u16]),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("can't start the program: {0}")]
    Start(#[source] io::Error),
    /// What it said, without the names of temporary folders.
    #[error("{0}")]
    Exit(String),
    #[error("it printed more than {STDOUT} bytes")]
    TooMuch,
    #[error("it wrote a file of more than {} MiB", FILE >> 20)]
    TooLarge,
    #[error("it did not end in time")]
    Deadline,
    #[error(
        "it needs more memory than the {} MiB that it may have; the sidecar's --tool-memory raises that, and its container needs as much more",
        .0 >> 20
    )]
    Memory(u64),
}

/// Runs a tool and returns what it printed.
///
/// *Guarantees*: it is given no input and no environment but a home and, unless it may fetch, a way to nowhere: proxies that
/// refuse, since a Kustomize base or a values file may be a URL. What it has no business with, the kernel keeps from it. It is
/// the head of a process group that dies as a whole with the future: at the end, at the deadline, when the caller goes away.
/// Its memory is bounded, and so is each file that it writes.
pub(crate) async fn output(tool: &Tool<'_>) -> Result<Vec<u8>, Failure> {
    let mut child = spawn(tool).map_err(Failure::Start)?;
    let group = Group::led_by(&child);
    group.limit(tool.memory).map_err(Failure::Start)?;
    let pipes = (child.stdout.take(), child.stderr.take());
    let ended = timeout_at(tool.deadline, async {
        let outputs = async { tokio::try_join!(all(pipes.0), end(pipes.1)) };
        let (stdout, stderr) = tokio::select! {
            outputs = outputs => outputs?,
            () = group.exceeds(tool.memory) => return Err(Failure::Memory(tool.memory)),
        };
        // The group is killed before its leader is reaped: until then nobody else can have its number.
        group.leader_ended().await;
        drop(group);
        let status = child.wait().await.map_err(Failure::Start)?;
        Ok((status, stdout, stderr))
    });
    let (status, stdout, stderr) = ended.await.map_err(|_| Failure::Deadline)??;
    if status.success() {
        return Ok(stdout);
    }
    // Go's last words. What follows them is its stacks.
    let says = |last: &[u8]| stderr.windows(last.len()).any(|words| words == last);
    Err(if says(b"out of memory") {
        Failure::Memory(tool.memory)
    } else if says(b"SIGXFSZ") || status.signal() == Some(Signal::SIGXFSZ as i32) {
        Failure::TooLarge
    } else {
        Failure::Exit(said(tool, status, &stderr))
    })
}

/// What a file may have that a tool writes. The largest is the index of a chart repository, of which the public ones have at
/// most some 30 MiB.
const FILE: u64 = 128 << 20;
/// Addresses that Go sets apart at its start and hardly ever uses: a limit on addresses, which alone comes before the memory
/// is taken, has to leave it these.
const SET_APART: u64 = 2 << 30;
/// How often it is looked at how much memory a tool has taken.
const LOOK: Duration = Duration::from_millis(20);

/// Starts it from a thread that has restricted itself, and ends: what it starts is born with the restriction. To restrict a
/// child between its fork and its exec would take unsafe code.
fn spawn(tool: &Tool<'_>) -> io::Result<Child> {
    let runtime = Handle::current();
    thread::scope(|scope| {
        let confined = thread::Builder::new().name("tool".into()).spawn_scoped(scope, || {
            let _runtime = runtime.enter();
            confined::restrict(tool).map_err(io::Error::other)?;
            command(tool).spawn()
        });
        confined?.join().unwrap_or_else(|_| Err(io::Error::other("a panic before it began")))
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn command(tool: &Tool<'_>) -> Command {
    let mut command = Command::new(tool.program);
    command
        .args(tool.args)
        .current_dir(tool.dir)
        .env_clear()
        .env("HOME", tool.home)
        .env("TMPDIR", tool.home)
        .env("GOGC", tool.garbage.to_string())
        // It collects before it comes to the limit.
        .env("GOMEMLIMIT", (tool.memory / 10 * 9).to_string())
        // It can't read how much of the processors the container has.
        .env("GOMAXPROCS", processors().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let May::Read | May::Write = tool.may {
        let nowhere = |name| (name, "http://127.0.0.1:9");
        command.envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(nowhere));
    }
    command
}

/// A process group that is killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// Sets how many addresses each of them may have, and how long its files may be. They have only just begun, so that none
    /// has had more.
    fn limit(&self, memory: u64) -> io::Result<()> {
        let Some(leader) =
            self.0.and_then(|leader| rustix::process::Pid::from_raw(leader.as_raw()))
        else {
            return Ok(());
        };
        let addresses = memory.saturating_add(SET_APART);
        for (resource, most) in [(Resource::Fsize, FILE), (Resource::As, addresses)] {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            match prlimit(Some(leader), resource, limit) {
                // It may have ended.
                Ok(_) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Ends when the leader has taken more memory than that.
    async fn exceeds(&self, memory: u64) {
        loop {
            sleep(LOOK).await;
            let taken = self.0.and_then(taken).unwrap_or_default();
            if taken > memory {
                return;
            }
        }
    }

    /// Comes back when the leader is gone, or a zombie: it is not reaped by the look.
    async fn leader_ended(&self) {
        let Some(leader) = self.0 else { return };
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let wait = move |how| waitid(Id::Pid(leader), look | how);
        // Mostly it has ended by the time it is seen that its output has.
        if wait(WaitPidFlag::WNOHANG).is_ok_and(|status| status != WaitStatus::StillAlive) {
            return;
        }
        // The thread is not left behind: whatever drops this kills the group.
        let ended = move || while wait(WaitPidFlag::empty()) == Err(nix::errno::Errno::EINTR) {};
        spawn_blocking(ended).await.ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It fails where nobody is left.
            killpg(leader, Signal::SIGKILL).ok();
        }
    }
}

/// The memory that a process has, in bytes.
fn taken(process: Pid) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

async fn all(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Failure> {
    // As much as a pipe holds.
    let mut out = Vec::with_capacity(64 << 10);
    let Some(pipe) = pipe else { return Ok(out) };
    pipe.take(STDOUT as u64 + 1).read_to_end(&mut out).await.map_err(Failure::Start)?;
    if out.len() > STDOUT { Err(Failure::TooMuch) } else { Ok(out) }
}

/// The end of what comes, so that a long story does not hide its conclusion. Of one that was cut, that is what begins with
/// the word error: what else is left may be the rest of anything.
async fn end(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(out) };
    let (mut buffer, mut cut) = ([0; 8192], false);
    loop {
        let read = pipe.read(&mut buffer).await.map_err(Failure::Start)?;
        if read == 0 {
            return Ok(if cut {
                out.split_off(conclusion(&out).unwrap_or(out.len()))
            } else {
                out
            });
        }
        out.extend_from_slice(&buffer[..read]);
        if out.len() > 2 * STDERR {
            out.drain(..out.len() - STDERR);
            cut = true;
        }
    }
}

/// Where Helm and Kustomize begin to say why they failed. What they say before are warnings.
fn conclusion(stderr: &[u8]) -> Option<usize> {
    let word = b"Error: ";
    let begins = |at: usize| at == 0 || stderr[at - 1] == b'\n';
    stderr
        .windows(word.len())
        .enumerate()
        .find(|(at, w)| *w == word && begins(*at))
        .map(|(at, _)| at)
}

/// What the tool had to say, in the words it would use in the repository.
fn said(tool: &Tool<'_>, status: ExitStatus, stderr: &[u8]) -> String {
    let stderr = &stderr[conclusion(stderr).unwrap_or_default()..];
    let mut text = discreet::told(&String::from_utf8_lossy(stderr));
    for dir in [tool.dir, tool.home] {
        text = text
            .replace(&format!("{}/", dir.display()), "")
            .replace(&dir.display().to_string(), ".");
    }
    let text = text.trim().strip_prefix("Error: ").unwrap_or(text.trim());
    let from = text.len().saturating_sub(SHOWN);
    let from = (from..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let cut = if from > 0 { "… " } else { "" };
    if text.is_empty() { status.to_string() } else { format!("{cut}{}", &text[from..]) }
}

#[cfg(test)]
mod tests;
