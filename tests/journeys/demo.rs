//! The demo, and what README says of it.

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use wharfinger_daemon::Clock;
use wharfinger_standalone::{Demo, Options, World};

const README: &str = include_str!("../../README.md");

#[tokio::test(start_paused = true)]
async fn it_is_the_same_each_time_but_for_times() -> Result<()> {
    let (first, second) = (played(1).await?, played(1).await?);
    ensure!(first == second, "{first}\n{second}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn readme_shows_what_it_prints() -> Result<()> {
    let shown = README.split("$ make demo\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = without_times(shown.context("README must show the demo")?)?;
    let played = played(1).await?;
    ensure!(shown.trim() == played.trim(), "README shows\n{shown}\nand the demo prints\n{played}");
    Ok(())
}

/// What it prints, without times.
async fn played(seed: u64) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let clock = Clock::with_timers("2026-01-01T00:00:00Z".parse()?);
    let options = Options { clock, seed: Some(seed), ..Options::default() };
    let world = World::start(folder.path(), options).await?;
    let mut out = vec![];
    Demo::play(&world, &mut out).await?;
    world.stop().await?;
    without_times(&String::from_utf8(out)?)
}

fn without_times(text: &str) -> Result<String> {
    Ok(Regex::new(r"\d+\.\d ms")?.replace_all(text, "… ms").into_owned())
}
