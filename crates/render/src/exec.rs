//! The one place that starts a process.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, prlimit};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout_at};

use crate::discreet;

/// As much as Argo CD takes from a plugin.
const STDOUT: usize = 100 << 20;
const STDERR: usize = 64 << 10;
/// What of stderr is worth showing: the end of it.
const SHOWN: usize = 2000;

pub(crate) struct Tool<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [OsString],
    /// Where it runs.
    pub(crate) dir: &'a Path,
    /// For whatever it wants to write; nobody else's.
    pub(crate) home: &'a Path,
    pub(crate) deadline: Instant,
    /// How much it may take, in bytes.
    pub(crate) memory: u64,
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
/// *Guarantees*: it is given no input and no environment but a home and a way to nowhere: proxies that refuse, since a
/// Kustomize base or a values file may be a URL. It is the head of a process group that dies as a whole with the future:
/// at the end, at the deadline, when the caller goes away. Its memory is bounded.
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
        while !group.leader_ended() {
            sleep(Duration::from_millis(1)).await;
        }
        drop(group);
        let status = child.wait().await.map_err(Failure::Start)?;
        Ok((status, stdout, stderr))
    });
    let (status, stdout, stderr) = ended.await.map_err(|_| Failure::Deadline)??;
    if status.success() {
        return Ok(stdout);
    }
    // Go's last words. What follows them is its stacks.
    let out_of_memory = stderr.windows(OUT_OF_MEMORY.len()).any(|words| words == OUT_OF_MEMORY);
    Err(match out_of_memory {
        true => Failure::Memory(tool.memory),
        false => Failure::Exit(said(tool, status, &stderr)),
    })
}

const OUT_OF_MEMORY: &[u8] = b"out of memory";
/// Addresses that Go sets apart at its start and hardly ever uses: a limit on addresses, which alone comes before the memory
/// is taken, has to leave it these.
const SET_APART: u64 = 2 << 30;
/// How often it is looked at how much memory a tool has taken.
const LOOK: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn spawn(tool: &Tool<'_>) -> io::Result<Child> {
    Command::new(tool.program)
        .args(tool.args)
        .current_dir(tool.dir)
        .env_clear()
        .env("HOME", tool.home)
        .env("TMPDIR", tool.home)
        // It collects its garbage before it comes to the limit.
        .env("GOMEMLIMIT", (tool.memory / 10 * 9).to_string())
        .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// A process group that is killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// Sets how many addresses each of them may have. They have only just begun, so that none has had more.
    fn limit(&self, memory: u64) -> io::Result<()> {
        let Some(leader) =
            self.0.and_then(|leader| rustix::process::Pid::from_raw(leader.as_raw()))
        else {
            return Ok(());
        };
        let addresses = Some(memory.saturating_add(SET_APART));
        let limit = Rlimit { current: addresses, maximum: addresses };
        match prlimit(Some(leader), Resource::As, limit) {
            // It may have ended.
            Ok(_) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
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

    /// Whether the leader is gone, or a zombie. It is not reaped by the look.
    fn leader_ended(&self) -> bool {
        let Some(leader) = self.0 else { return true };
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        !matches!(waitid(Id::Pid(leader), look), Ok(WaitStatus::StillAlive))
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
    let mut out = Vec::new();
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
mod tests {
    use tempfile::TempDir;

    use super::*;

    async fn shell(dir: &TempDir, script: &str, limit: Duration) -> Result<String, Failure> {
        let args = ["-c", script].map(OsString::from);
        let deadline = Instant::now() + limit;
        let tool = Tool {
            program: Path::new("/bin/sh"),
            args: &args,
            dir: dir.path(),
            home: dir.path(),
            deadline,
            memory: 64 << 20,
        };
        output(&tool).await.map(|out| String::from_utf8(out).unwrap())
    }

    const LONG: Duration = Duration::from_secs(20);

    /// How many processes have `marker` among their arguments.
    fn alive(marker: &str) -> usize {
        let running = |entry: std::fs::DirEntry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).split('\0').any(|arg| arg == marker)
        };
        std::fs::read_dir("/proc").unwrap().flatten().map(running).filter(|r| *r).count()
    }

    async fn none_left(marker: &str) {
        for _ in 0..100 {
            if alive(marker) == 0 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{} left", alive(marker));
    }

    #[tokio::test]
    async fn it_gets_no_environment_and_its_failure_is_told_without_folders() {
        let dir = TempDir::new().unwrap();
        let out =
            shell(&dir, "echo $HOME; echo ${KUBECONFIG-none} ${CARGO-none}", LONG).await.unwrap();
        assert_eq!(out, format!("{}\nnone none\n", dir.path().display()));
        let failed = shell(&dir, "echo x; echo \"Error: $HOME/a.yaml: bad\" >&2; exit 3", LONG)
            .await
            .unwrap_err();
        assert_eq!(failed.to_string(), "a.yaml: bad");
        let warned =
            "echo 'warning: (hunter2)' >&2; echo 'Error: parsing \"hunter2\": bad' >&2; exit 3";
        let failed = shell(&dir, warned, LONG).await.unwrap_err();
        assert_eq!(failed.to_string(), "parsing \"…\": bad");
        assert_eq!(shell(&dir, "exit 3", LONG).await.unwrap_err().to_string(), "exit status: 3");
        assert!(matches!(shell(&dir, "exec /nowhere/at/all", LONG).await, Err(Failure::Exit(_))));
    }

    #[tokio::test]
    async fn its_environment_is_what_we_say_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let tool = Tool {
            program: Path::new("/usr/bin/env"),
            args: &[],
            dir: dir.path(),
            home: dir.path(),
            deadline: Instant::now() + LONG,
            memory: 64 << 20,
        };
        let out = String::from_utf8(output(&tool).await.unwrap()).unwrap();
        let mut names: Vec<&str> = out.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        let known = ["ALL_PROXY", "GOMEMLIMIT", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "TMPDIR"];
        assert_eq!(names, known, "{out}");
    }

    #[tokio::test]
    async fn what_it_prints_is_bounded() {
        let dir = TempDir::new().unwrap();
        let flood = shell(&dir, "exec /bin/cat /dev/zero", LONG).await;
        assert!(matches!(flood, Err(Failure::TooMuch)));
        let loud = "i=0; while [ $i -lt 30000 ]; do echo abcdefghij >&2; i=$((i+1)); done; echo $last >&2; exit 1";
        let said = async |last: &str| {
            let script = format!("last='{last}'; {loud}");
            shell(&dir, &script, LONG).await.unwrap_err().to_string()
        };
        assert_eq!(said("Error: last").await, "last");
        // What it is the rest of, nobody knows.
        assert_eq!(said("last").await, "exit status: 1");
        let long = format!("Error: {}last", "x".repeat(3000));
        let text = said(&long).await;
        assert!(text.len() < SHOWN + 10 && text.ends_with("xlast"), "{}", text.len());
    }

    #[tokio::test]
    async fn what_it_and_its_children_allocate_is_bounded() {
        let dir = TempDir::new().unwrap();
        let limits = "while [ $(ulimit -v) = unlimited ]; do :; done; ulimit -v; (ulimit -v)";
        assert_eq!(shell(&dir, limits, LONG).await.unwrap(), "2162688\n2162688\n");
        // What a shell remembers, it takes.
        let more =
            "b=bbbbbbbb; while [ ${#b} -lt 500000 ]; do b=$b$b; done; while :; do a=$a$b; done";
        let taken = shell(&dir, more, LONG).await.unwrap_err();
        assert!(matches!(taken, Failure::Memory(_)), "{taken}");
        let go = "echo 'fatal error: runtime: out of memory' >&2; echo goroutine 1 >&2; exit 2";
        let text = shell(&dir, go, LONG).await.unwrap_err().to_string();
        assert!(
            text.contains("more memory than the 64 MiB") && !text.contains("goroutine"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_deadline_takes_everything_it_started_with_it() {
        let dir = TempDir::new().unwrap();
        let script = "/bin/sleep 311.25 & /bin/sleep 311.25 & wait";
        let late = shell(&dir, script, Duration::from_millis(300)).await;
        assert!(matches!(late, Err(Failure::Deadline)));
        none_left("311.25").await;
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_everything_with_it() {
        let dir = TempDir::new().unwrap();
        {
            let run = shell(&dir, "/bin/sleep 312.25 & /bin/sleep 312.25 & wait", LONG);
            tokio::select! {
                _ = run => panic!("it must not end"),
                () = async { while alive("312.25") < 2 { sleep(Duration::from_millis(5)).await } } => {}
            }
        }
        none_left("312.25").await;
    }

    #[tokio::test]
    async fn a_good_end_leaves_nobody_behind_either() {
        let dir = TempDir::new().unwrap();
        let script = "/bin/sleep 313.25 >/dev/null 2>&1 </dev/null & echo done";
        assert_eq!(shell(&dir, script, LONG).await.unwrap(), "done\n");
        none_left("313.25").await;
    }
}
