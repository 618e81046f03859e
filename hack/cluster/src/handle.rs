//! One long-running process of a cluster, and what a test may do to it.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use crate::{
    groups::Groups,
    process::{Program, Streams},
    ready::Ready,
    run::Run,
};

// Loaded machines are slow; a part that needs longer than this is stuck.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);
const ATTEMPTS: usize = 5;

/// A process that can be stopped, killed, paused and started again. Clones are the same process.
///
/// It keeps its ports and its log over every restart.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

/// How a process is started, and how one sees that it is up.
pub(crate) struct Spec {
    pub(crate) program: Program,
    pub(crate) ready: Ready,
    pub(crate) ports: BTreeMap<&'static str, u16>,
}

struct Inner {
    name: String,
    log: PathBuf,
    groups: Arc<Groups>,
    ready: Ready,
    ports: BTreeMap<&'static str, u16>,
    program: Mutex<Program>,
    state: Mutex<State>,
    changed: Condvar,
    // One start or stop at a time.
    turn: Mutex<()>,
}

enum State {
    Running { pid: Pid, log_from: u64 },
    Ended { how: Option<ExitStatus>, log_from: u64 },
}

impl Process {
    /// Starts a process and waits until it is up. If a port was taken, `spec` is asked for another.
    pub(crate) fn launch(run: &Run, name: &str, spec: impl Fn() -> Result<Spec>) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let Spec { program, ready, ports } = spec()?;
            let process = Self(Arc::new(Inner {
                name: name.to_owned(),
                log: run.logs().join(format!("{name}.log")),
                groups: Arc::clone(run.groups()),
                ready,
                ports,
                program: Mutex::new(program),
                state: Mutex::new(State::Ended { how: None, log_from: 0 }),
                changed: Condvar::new(),
                turn: Mutex::new(()),
            }));
            match process.start() {
                Ok(()) => return Ok(process),
                Err(error) if attempt < ATTEMPTS && process.port_was_taken() => {
                    run.say(&format!("{name}: a port was taken, trying others ({error:#})"));
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts the process if it is not running, and waits until it is up.
    pub fn start(&self) -> Result<()> {
        let _turn = lock(&self.0.turn);
        self.spawn()?;
        self.wait_ready()
    }

    /// Ends the process with SIGTERM and waits until it is gone.
    ///
    /// # Errors
    /// If it takes longer than 30 s; it is killed then.
    pub fn stop(&self) -> Result<()> {
        let _turn = lock(&self.0.turn);
        self.signal(Signal::SIGTERM)?;
        self.signal_group(Signal::SIGCONT)?;
        if self.gone_within(STOP_LIMIT) {
            return Ok(());
        }
        self.signal_group(Signal::SIGKILL)?;
        self.gone_within(STOP_LIMIT);
        bail!(
            "{} did not end within {} s after SIGTERM and was killed; log: {}",
            self.0.name,
            STOP_LIMIT.as_secs(),
            self.0.log.display()
        )
    }

    /// Kills the process, with everything it started, and waits until it is gone.
    pub fn kill(&self) -> Result<()> {
        let _turn = lock(&self.0.turn);
        self.signal_group(Signal::SIGKILL)?;
        if self.gone_within(STOP_LIMIT) {
            return Ok(());
        }
        bail!("{} is still there {} s after SIGKILL", self.0.name, STOP_LIMIT.as_secs())
    }

    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Freezes the process and what it started: it keeps its connections and answers nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal_group(Signal::SIGSTOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.signal_group(Signal::SIGCONT)
    }

    /// Sets an environment variable for the next start.
    pub fn set_env(&self, key: &str, value: &str) {
        lock(&self.0.program).env.insert(key.to_owned(), value.to_owned());
    }

    /// Removes an environment variable for the next start.
    pub fn unset_env(&self, key: &str) {
        lock(&self.0.program).env.remove(key);
    }

    pub fn env(&self, key: &str) -> Option<String> {
        lock(&self.0.program).env.get(key).cloned()
    }

    /// The arguments of the next start.
    pub fn args(&self) -> Vec<String> {
        lock(&self.0.program).args.clone()
    }

    /// Replaces the arguments for the next start. Ports must stay as they are.
    pub fn set_args(&self, args: Vec<String>) {
        lock(&self.0.program).args = args;
    }

    pub fn is_running(&self) -> bool {
        matches!(*lock(&self.0.state), State::Running { .. })
    }

    pub fn pid(&self) -> Option<u32> {
        match *lock(&self.0.state) {
            State::Running { pid, .. } => Some(pid.as_raw().cast_unsigned()),
            State::Ended { .. } => None,
        }
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn log(&self) -> &Path {
        &self.0.log
    }

    /// What the process has written since it was last started.
    pub fn log_text(&self) -> String {
        let from = match *lock(&self.0.state) {
            State::Running { log_from, .. } | State::Ended { log_from, .. } => log_from,
        };
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.0.log)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// A port of this process by the name of what is served there.
    pub fn port(&self, name: &str) -> Result<u16> {
        self.0
            .ports
            .get(name)
            .copied()
            .with_context(|| format!("{} has no port {name:?}: {:?}", self.0.name, self.0.ports))
    }

    fn spawn(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let program = lock(&self.0.program).clone();
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0.log)
            .with_context(|| format!("opening {}", self.0.log.display()))?;
        writeln!(log, "# {} {}", program.path.display(), program.args.join(" "))?;
        let log_from = fs::metadata(&self.0.log)?.len();
        let streams =
            Streams { stdin: Stdio::null(), stdout: log.try_clone()?.into(), stderr: log.into() };
        let child = self.0.groups.start(&program, streams)?;
        let pid = Pid::from_raw(child.id().cast_signed());
        *lock(&self.0.state) = State::Running { pid, log_from };
        let inner = Arc::clone(&self.0);
        thread::Builder::new().name(format!("wait {}", self.0.name)).spawn(move || {
            inner.wait_for_the_end(child, log_from);
        })?;
        Ok(())
    }

    fn wait_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let up = self.0.ready.check();
            // Looked at after the check: who answered may have been a stranger on our port.
            let state = lock(&self.0.state);
            if let State::Ended { how, .. } = *state {
                drop(state);
                let how = how.map_or_else(|| "ended".to_owned(), |how| how.to_string());
                bail!("{} ended before it was up ({how}){}", self.0.name, self.last_words());
            }
            if up {
                return Ok(());
            }
            if Instant::now() > deadline {
                drop(state);
                self.signal_group(Signal::SIGKILL)?;
                bail!(
                    "{} was not up within {} s: no answer from {}{}",
                    self.0.name,
                    START_LIMIT.as_secs(),
                    self.0.ready,
                    self.last_words()
                );
            }
            // Its end wakes us at once.
            drop(self.0.changed.wait_timeout(state, GLANCE));
        }
    }

    fn last_words(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
        format!("; log: {}\n  {last}", self.0.log.display())
    }

    fn port_was_taken(&self) -> bool {
        self.log_text().to_lowercase().contains("address already in use")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.with_pid(|pid| kill(pid, signal))
    }

    fn signal_group(&self, signal: Signal) -> Result<()> {
        self.with_pid(|pid| killpg(pid, signal))
    }

    // Under the lock that is taken before a process is buried, so the number is still its own.
    fn with_pid(&self, send: impl Fn(Pid) -> Result<(), Errno>) -> Result<()> {
        match *lock(&self.0.state) {
            State::Running { pid, .. } => match send(pid) {
                // The group is gone although its leader's end is not yet seen.
                Ok(()) | Err(Errno::ESRCH) => Ok(()),
                Err(error) => Err(error).with_context(|| format!("signalling {}", self.0.name)),
            },
            State::Ended { .. } => Ok(()),
        }
    }

    fn gone_within(&self, limit: Duration) -> bool {
        let state = lock(&self.0.state);
        let (state, _) = self
            .0
            .changed
            .wait_timeout_while(state, limit, |state| matches!(state, State::Running { .. }))
            .unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Ended { .. })
    }
}

impl Inner {
    fn wait_for_the_end(&self, mut child: Child, log_from: u64) {
        let pid = Pid::from_raw(child.id().cast_signed());
        // Without reaping it: its number must stay taken until nobody can signal it any more.
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR)
        {
        }
        let mut state = lock(&self.state);
        let how = self.groups.bury(&mut child).ok();
        *state = State::Ended { how, log_from };
        self.changed.notify_all();
    }
}

// A panic of one test must not hide the cluster from the clean-up of the next.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
