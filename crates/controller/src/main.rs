use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    wharfinger_controller::Args::parse().run().await
}
