//! Programs that run to their end: kubectl, git, argocd, cargo.

use std::{
    io::{Read, Write as _},
    process::{ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use crate::{
    groups::Groups,
    process::{self, Program, Streams},
};

/// What a program printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    what: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// What it printed on stdout; an error with what it said on stderr if it failed.
    pub fn ok(self) -> Result<String> {
        if self.success() {
            return Ok(self.stdout);
        }
        bail!("{}: {}\n{}{}", self.what, self.status, self.stderr, self.stdout)
    }
}

/// Runs `program` with `input` on its stdin.
pub(crate) fn run(program: &Program, input: &[u8], limit: Duration) -> Result<Output> {
    let what = format!("{} {}", program.path.display(), program.args.join(" "));
    let streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::piped() };
    let mut child = process::start(program, streams).with_context(|| format!("starting {what}"))?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let stdout = read(child.stdout.take().context("no stdout")?);
    let stderr = read(child.stderr.take().context("no stderr")?);
    let written = thread::scope(|scope| {
        // Beside the readers, or both sides could wait for each other on full pipes.
        let writer = scope.spawn(move || stdin.write_all(input));
        let texts = (stdout.recv_timeout(limit), stderr.recv_timeout(limit));
        if texts.0.is_err() || texts.1.is_err() {
            let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        }
        // A program that does not read its input to the end may be right.
        drop(writer.join());
        texts
    });
    let status = child.wait()?;
    match written {
        (Ok(stdout), Ok(stderr)) => Ok(Output { status, stdout, stderr, what }),
        (Err(RecvTimeoutError::Timeout), _) | (_, Err(RecvTimeoutError::Timeout)) => {
            bail!("{what}: no end within {} s, killed", limit.as_secs())
        }
        _ => bail!("{what}: reading what it printed failed"),
    }
}

fn read(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if stream.read_to_end(&mut bytes).is_ok() {
            drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
        }
    });
    receiver
}

/// Runs a long build: what it says goes to our stderr, and it ends with the run. Gives its stdout.
pub(crate) fn build(groups: &Groups, program: &Program) -> Result<String> {
    let streams =
        Streams { stdin: Stdio::null(), stdout: Stdio::piped(), stderr: Stdio::inherit() };
    let mut child = groups.start(program, streams)?;
    let mut text = String::new();
    let read = child.stdout.take().context("no stdout")?.read_to_string(&mut text);
    let pid = Pid::from_raw(child.id().cast_signed());
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let status = groups.bury(&mut child)?;
    read?;
    if !status.success() {
        bail!("{} {}: {status}", program.path.display(), program.args.join(" "));
    }
    Ok(text)
}
