//! How a verb ends: a code for scripts, and for people what went wrong and what to do next.

use std::{fmt, io, process::ExitCode};

use kube::core::Status;
use wharfinger_core::check::Check;

/// The codes are part of the product: scripts match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; `diff`: no change; `why`: available.
    Done = 0,
    /// Something failed that has no code of its own; `diff`: changes; `doctor`: failures.
    Failed = 1,
    /// It was asked for wrongly. An error of `diff` too, whose 1 is taken.
    Usage = 2,
    /// The Promotion that was waited for ended Failed, Errored or Aborted.
    Unsuccessful = 3,
    /// Not logged in, or not allowed.
    NotAllowed = 4,
    /// The Freight is not available to the Stage, or something else is in the way. The checks are printed.
    Blocked = 5,
    /// The object has changed since it was looked at.
    Conflict = 6,
    /// The cluster can't be reached.
    Unreachable = 7,
    /// `--timeout` is over. The Promotion goes on.
    TimedOut = 124,
    /// Ctrl-C. The Promotion goes on.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb could not do what was asked. Every one says what is the matter, and what to do next where that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub exit: Exit,
    pub what: String,
    /// Commands or changes that help, the likeliest first.
    pub next: Vec<String>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), next: vec![] }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(what).exit(Exit::Usage)
    }

    /// What a check says.
    pub fn of(check: &Check, exit: Exit) -> Self {
        let next = if check.fix.is_empty() { vec![] } else { vec![check.fix.clone()] };
        Self { exit, what: format!("{} [{}]", check.text, check.code), next }
    }

    /// The Kubernetes API did not do `attempt` (`read Stage prod`).
    pub fn api(attempt: impl fmt::Display, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => answered(&attempt, status),
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                Self::new(format!("can't {attempt}: the cluster can't be reached"))
                    .because(error)
                    .exit(Exit::Unreachable)
                    .next("Check the server of your kubeconfig: kubectl cluster-info")
            }
            kube::Error::Auth(_) => Self::new(format!("can't {attempt}: no credentials"))
                .because(error)
                .exit(Exit::NotAllowed)
                .next("Log in to the cluster again, as for kubectl"),
            _ => Self::new(format!("can't {attempt}")).because(error),
        }
    }

    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// Adds the causes of an error, the outermost first.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors repeat their source in their own text.
            if !self.what.contains(&text) {
                self.what.push_str(": ");
                self.what.push_str(&text);
            }
            cause = error.source();
        }
        self
    }
}

impl From<io::Error> for Failure {
    /// Of writing what was found: nothing else here does I/O of its own.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever read has seen enough: `wharf get freight | head`.
            return Self::new("").exit(Exit::Done);
        }
        Self::new("can't write the result").because(&error)
    }
}

/// What an answer of the API server that is no success means.
fn answered(attempt: &impl fmt::Display, status: &Status) -> Failure {
    if let Some(denial) = denial(&status.message) {
        return denial;
    }
    let text = status.message.trim();
    let failure = Failure::new(format!("can't {attempt}: {text}"));
    match status.code {
        401 => failure.exit(Exit::NotAllowed).next("Log in to the cluster again, as for kubectl"),
        403 => {
            failure.exit(Exit::NotAllowed).next("Ask whoever looks after the Project for a Role")
        }
        409 => failure.exit(Exit::Conflict).next("Look again, and repeat it if you still want to"),
        500 if text.contains("failed calling webhook") => failure
            .exit(Exit::Unreachable)
            .next("Look at the webhook: kubectl -n wharfinger get pods,endpointslices"),
        502..=504 => failure.exit(Exit::Unreachable).next("Try again when the cluster is up"),
        _ => failure,
    }
}

/// A refusal by Wharfinger's webhook: `… denied the request: wharfinger: <text>. <fix> [<code>]`.
fn denial(message: &str) -> Option<Failure> {
    let (_, said) = message.split_once("denied the request: wharfinger: ")?;
    let said = said.trim();
    let code = said.strip_suffix(']').and_then(|s| s.rsplit_once('[')).map(|(_, code)| code);
    let exit = if code == Some("permission") { Exit::NotAllowed } else { Exit::Blocked };
    Some(Failure::new(format!("refused: {said}")).exit(exit))
}
