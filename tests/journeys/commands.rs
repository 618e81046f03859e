//! The commands that the demo shows do what it says they do.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use clap::Parser as _;
use jiff::Timestamp;
use wharfinger_cli::Args;
use wharfinger_cli::exit::Exit;
use wharfinger_cli::output::Console;
use wharfinger_cli::session::Session;
use wharfinger_localapi::User;
use wharfinger_standalone::{Demo, Options, World};

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn that_readme_shows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::start(folder.path(), Options::default()).await?;
    Demo::prepare(&world).await?;
    let commands = README.lines().filter_map(|line| line.strip_prefix("   $ wharf "));
    let mut ended = vec![];
    for command in commands {
        let (exit, told) = wharf(&world, command).await?;
        if exit == Exit::Blocked {
            ensure!(told.contains("[verified]"), "{told}");
        } else {
            ensure!(exit == Exit::Done, "wharf {command} ended with {exit:?}: {told}");
        }
        ended.push(exit);
    }
    let blocked = ended.iter().filter(|exit| **exit == Exit::Blocked).count();
    ensure!((ended.len(), blocked) == (6, 1), "{ended:?}");

    // And what else there is to ask of the demo's world.
    for (command, part) in [
        ("status", "staging"),
        ("get freight", "v2"),
        ("history dev", "v2 is slow"),
        ("why v2 --to prod", "verified"),
        ("status prod", "web-prod"),
    ] {
        let (exit, told) = wharf(&world, command).await?;
        ensure!(exit == Exit::Done && told.contains(part), "wharf {command}: {exit:?} {told}");
    }
    world.stop().await
}

/// Runs a command as Ana, and returns how it ended and what it printed.
async fn wharf(world: &World, command: &str) -> Result<(Exit, String)> {
    let out = Shared::default();
    let args = Args::try_parse_from(
        ["wharf", "-p", "shop"].map(String::from).into_iter().chain(words(command)),
    )?;
    let console = Console::new(Box::new(out.clone()), Box::new(out.clone()));
    let session = Session::new(args.global().clone(), console, Timestamp::now)
        .over(world.client(&User::new("ana", [])));
    let exit = args.run_in(&session).await;
    let told = out.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((exit, String::from_utf8(told)?))
}

/// As a shell splits them; of its quotes, it knows these: '.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
