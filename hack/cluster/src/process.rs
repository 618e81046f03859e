//! Starting a process so that it cannot outlive us.
//!
//! Every process of a cluster is started here and nowhere else, with three properties:
//!
//! * It dies with us, however we die: `PR_SET_PDEATHSIG` is set by `setpriv`, because setting it
//!   between fork and exec in Rust would be unsafe code. The signal comes when the *thread* that
//!   forked ends, so one thread forks everything and lasts as long as we do.
//! * It is born dead if we died in between: a shell compares its parent with us before it becomes
//!   the program.
//! * It leads a process group of its own, so that what it starts can be ended with it and a Ctrl-C
//!   meant for us does not reach it.

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Sender},
    },
    thread,
};

/// Starts `program`. Its process id stays the same through `setpriv` and the shell.
pub(crate) fn start(program: &Program, streams: Streams) -> io::Result<Child> {
    let mut command = command("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "sh", "-c", r#"[ "$PPID" = "$0" ] && exec "$@""#])
        .arg(std::process::id().to_string())
        .arg(&program.path)
        .args(&program.args);
    if !program.keeps_our_environment {
        command.env_clear();
    }
    command.envs(&program.env);
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    command.process_group(0).stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    fork_on_the_lasting_thread(command)
}

/// Starts a process that is meant to live on without us.
pub(crate) fn start_free(program: &Program, streams: Streams) -> io::Result<Child> {
    let mut command = command(&program.path);
    command.args(&program.args).envs(&program.env).process_group(0);
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    command.spawn()
}

/// What to start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Where it starts; our own current folder if none.
    pub(crate) folder: Option<PathBuf>,
    /// For tools of the developer's machine (cargo, go). Parts of the cluster get only `env`, or
    /// they would behave differently on every machine.
    pub(crate) keeps_our_environment: bool,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    pub(crate) fn keeps_our_environment(mut self) -> Self {
        self.keeps_our_environment = true;
        self
    }
}

pub(crate) struct Streams {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

#[expect(clippy::disallowed_methods, reason = "the one place of the harness that starts processes")]
fn command(program: impl AsRef<Path>) -> Command {
    Command::new(program.as_ref())
}

type Fork = (Command, Sender<io::Result<Child>>);

fn fork_on_the_lasting_thread(command: Command) -> io::Result<Child> {
    static FORKS: OnceLock<Sender<Fork>> = OnceLock::new();
    let forks = FORKS.get_or_init(|| {
        let (forks, requests) = mpsc::channel::<Fork>();
        thread::spawn(move || {
            // Never ends: the sender lives in a static.
            for (mut command, reply) in requests {
                // A caller that no longer listens is a caller that ends; its child is in the group list.
                drop(reply.send(command.spawn()));
            }
        });
        forks
    });
    let (reply, child) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    forks.send((command, reply)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
