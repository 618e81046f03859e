use std::process::ExitCode;

use clap::Parser as _;
use wharfinger_cluster::up::Command;

fn main() -> ExitCode {
    Command::parse().run()
}
