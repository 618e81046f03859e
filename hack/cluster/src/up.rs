//! The developer's commands: `hack/up`, `hack/up --status`, `hack/down`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::{
    Options,
    named::Named,
    process::{self, Program, Streams},
    progress,
    serve::{self, LIVE, READY},
};

/// A real cluster on this machine: Kubernetes, Argo CD, Git and Wharfinger as plain processes
#[derive(Debug, Parser)]
#[command(name = "cluster")]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

impl Command {
    /// Runs to the end and says what went wrong, without the backtrace that `main` would print.
    pub fn run(self) -> ExitCode {
        match self.outcome() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                progress::line(&format!("error: {error:#}"));
                ExitCode::FAILURE
            }
        }
    }

    fn outcome(self) -> Result<()> {
        match self.verb {
            Verb::Up(Up { status: true, .. }) => status(),
            Verb::Up(up) => start(&up),
            Verb::Serve(Up { name, status: _, delay_git, second_argocd, without_wharfinger }) => {
                let git_delay = delay_git.map(Duration::from_millis);
                let options = Options { git_delay, second_argocd, ..Options::default() };
                serve::serve(&name, options, !without_wharfinger)
            }
            Verb::Down { name } => down(&name),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts a cluster that lives on
    Up(Up),
    /// Ends a cluster and removes its folder
    Down {
        #[arg(default_value = "default")]
        name: String,
    },
    /// Owns a cluster; started by `up`
    #[command(hide = true)]
    Serve(Up),
}

#[derive(Args, Debug)]
struct Up {
    /// Clusters of different names run side by side
    #[arg(default_value = "default")]
    name: String,

    /// Only show which clusters there are
    #[arg(long)]
    status: bool,

    /// Makes the first byte of each request to Git late by so many milliseconds
    #[arg(long, value_name = "MS")]
    delay_git: Option<u64>,

    /// A second Argo CD in namespace argocd-b
    #[arg(long)]
    second_argocd: bool,

    /// Leaves Wharfinger out
    #[arg(long)]
    without_wharfinger: bool,
}

fn start(up: &Up) -> Result<()> {
    let Up { name, status: _, delay_git, second_argocd, without_wharfinger } = up;
    let named = Named::of(name)?;
    if named.is_alive() {
        return match named.state().map(|state| state.summary).filter(|text| !text.is_empty()) {
            Some(summary) => print(&format!("cluster {name} is up already\n\n{summary}")),
            None => bail!("cluster {name} is being started by someone else"),
        };
    }
    // What a dead owner of that name left behind.
    named.end()?;

    let mut program = Program::new(std::env::current_exe()?).args(["serve", name]);
    if let Some(delay) = delay_git {
        program = program.args(["--delay-git".to_owned(), delay.to_string()]);
    }
    if *second_argocd {
        program = program.args(["--second-argocd"]);
    }
    if *without_wharfinger {
        program = program.args(["--without-wharfinger"]);
    }
    let streams =
        Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::inherit() };
    let mut owner =
        process::start_free(&program, streams).context("starting the cluster's owner")?;
    // While we hold this and have not said `live`, our end is the cluster's end.
    let mut pipe = owner.stdin.take().context("no stdin")?;
    let said = BufReader::new(owner.stdout.take().context("no stdout")?).lines().next();
    if !matches!(&said, Some(Ok(line)) if line == READY) {
        let status = owner.wait()?;
        bail!("the cluster did not come up ({status})");
    }
    let summary = named.state().context("the cluster left no state")?.summary;
    writeln!(pipe, "{LIVE}").context("the cluster ended just now")?;
    print(&format!("\n{summary}\n\nhack/down {name} ends it"))
}

fn down(name: &str) -> Result<()> {
    let was_there = Named::of(name)?.end()?;
    progress::line(&if was_there {
        format!("cluster {name} is gone")
    } else {
        format!("there is no cluster {name}")
    });
    Ok(())
}

fn status() -> Result<()> {
    let all = Named::all()?;
    if all.is_empty() {
        return print("there is no cluster; hack/up starts one");
    }
    for named in all {
        let name = named.name();
        let text = match (named.is_alive(), named.state()) {
            (true, Some(state)) if !state.summary.is_empty() => {
                let groups = std::fs::read_to_string(state.run.join("groups")).unwrap_or_default();
                format!(
                    "{name}: up, {} processes, owner {}\n{}\n",
                    groups.lines().count(),
                    state.owner,
                    state.summary
                )
            }
            (true, _) => format!("{name}: being started"),
            (false, _) => format!("{name}: dead; hack/down {name} removes what it left"),
        };
        print(&text)?;
    }
    Ok(())
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("writing to stdout")
}
