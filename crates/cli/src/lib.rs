//! `wharf`: Wharfinger for the person at the keyboard, over a kubeconfig.
//!
//! One file a verb in [`verb`]; each looks at the cluster through a [`Session`], asks `wharfinger-core`, and prints. What
//! is written to stdout is the result; progress, questions and refusals go to stderr.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod actor;
pub mod argocd;
pub mod ask;
pub mod compare;
pub mod doctor;
pub mod exit;
pub mod find;
pub mod follow;
pub mod freight;
pub mod held;
pub mod membership;
pub mod near;
pub mod output;
pub mod pipeline;
pub mod rendering;
pub mod session;
pub mod verb;
pub mod wait;

use exit::{Exit, Failure};
use session::{Global, Session};

/// Promotes software through Argo CD: see what each Stage holds, why Freight may go there or not, and place it
#[derive(Debug, Parser)]
#[command(name = "wharf", version, max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Args {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(verb::Status),
    Get(verb::Get),
    Why(verb::Why),
    Promote(verb::Promote),
    Approve(verb::Approve),
    Rollback(verb::Rollback),
    History(verb::History),
    Watch(verb::Watch),
    Render(verb::Render),
    Diff(verb::Diff),
    Adopt(verb::Adopt),
    Release(verb::Release),
    Doctor(verb::Doctor),
    Completion(verb::Completion),
}

impl Args {
    /// Does what was asked, on this process's own terminal.
    pub fn run(self) -> ExitCode {
        let session = Session::of_process(self.global.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(self.verb.run(&session)),
            Err(error) => Err(Failure::new("can't start").because(&error)),
        };
        session.conclude(done).into()
    }

    /// Does what was asked, in a session that is given.
    pub async fn run_in(self, session: &Session) -> Exit {
        session.conclude(self.verb.run(session).await)
    }

    pub fn global(&self) -> &Global {
        &self.global
    }
}

impl Verb {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Status(verb) => verb.run(session).await,
            Self::Get(verb) => verb.run(session).await,
            Self::Why(verb) => verb.run(session).await,
            Self::Promote(verb) => verb.run(session).await,
            Self::Approve(verb) => verb.run(session).await,
            Self::Rollback(verb) => verb.run(session).await,
            Self::History(verb) => verb.run(session).await,
            Self::Watch(verb) => verb.run(session).await,
            Self::Render(verb) => verb.run(session).await,
            Self::Diff(verb) => verb.run(session).await,
            Self::Adopt(verb) => verb.run(session).await,
            Self::Release(verb) => verb.run(session).await,
            Self::Doctor(verb) => verb.run(session).await,
            Self::Completion(verb) => verb.run(session).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Args::command().debug_assert();
    }
}
