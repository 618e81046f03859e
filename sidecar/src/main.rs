//! See the library.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use wharfinger_sidecar::args::Args;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = Args::parse().run().await else { return ExitCode::SUCCESS };
    // One line, and no backtrace whatever RUST_BACKTRACE says: a stock argocd-cmp-server shows it to users.
    writeln!(io::stderr(), "{error:#}").ok();
    ExitCode::FAILURE
}
