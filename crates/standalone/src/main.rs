use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = wharfinger_standalone::Args::parse().run().await else {
        return ExitCode::SUCCESS;
    };
    writeln!(io::stderr(), "{error:#}").ok();
    ExitCode::FAILURE
}
