use clap::Parser as _;
use mimalloc::MiMalloc;
use wharfinger_webhook::Args;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Args::parse().run().await
}
