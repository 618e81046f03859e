//! See the library.

use clap::Parser as _;
use wharfinger_sidecar::args::Args;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Args::parse().run().await
}
