use clap::Parser as _;
use wharfinger_webhook::Args;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Args::parse().run().await
}
