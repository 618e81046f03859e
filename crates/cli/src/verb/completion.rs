//! `wharf completion`: the script by which a shell completes `wharf`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Print the completion script of a shell
///
/// For bash: `source <(wharf completion bash)` in ~/.bashrc
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    #[expect(clippy::unused_async, reason = "as every verb")]
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut crate::Args::command(), "wharf", &mut script);
        session.console.raw(&script)?;
        Ok(Exit::Done)
    }
}
