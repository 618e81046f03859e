use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    wharfinger_cli::Args::parse().run()
}
