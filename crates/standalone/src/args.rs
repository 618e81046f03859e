//! The command line.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use ulid::Ulid;
use wharfinger_daemon::{Clock, Shutdown, Tasks};
use wharfinger_localapi::User;
use wharfinger_render::Tools;

use crate::demo::Demo;
use crate::folder::Folder;
use crate::serve::serve;
use crate::world::{Options, World};

/// Shows Wharfinger's main job step by step, in one process, and stays up to be played with
#[derive(Debug, Parser)]
#[command(name = "wharfinger-standalone", version)]
pub struct Args {
    /// End after the last step; fail if one did not happen
    #[arg(long)]
    once: bool,

    /// Draw every name from this number: what is printed is the same each time, but for times
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Where to keep the repository, the socket and the kubeconfig; removed in the end
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

impl Args {
    pub async fn run(self) -> Result<()> {
        let Self { once, seed, folder } = self;
        let folder = folder.unwrap_or_else(|| {
            let name =
                seed.map_or_else(|| std::process::id().to_string(), |seed| format!("seed-{seed}"));
            env::temp_dir().join(format!("wharfinger-demo-{name}"))
        });
        // First, so that no signal finds a folder and nobody to remove it.
        let mut tasks = Tasks::until_signalled();
        let folder = Folder::make(&folder)?;

        let [ana, bo] = Demo::people();
        let people = [("ana", ana), ("bo", bo), ("admin", User::admin())]
            .map(|(name, user)| (name, Ulid::generate().to_string(), user));
        let tokens: BTreeMap<_, _> =
            people.iter().map(|(_, token, user)| (token.clone(), user.clone())).collect();
        let tools = Tools::find(&env::var_os("PATH").unwrap_or_default()).await;
        let world =
            World::start(folder.path(), Options { clock: Clock::system(), seed, tools, tokens })
                .await?;
        let contexts: Vec<_> =
            people.iter().map(|(name, token, _)| (*name, token.clone())).collect();
        let kubeconfig = serve(&world.api, folder.path(), &contexts, &mut tasks).await?;

        tasks.spawn("demo", show(world, once, kubeconfig, tasks.shutdown()));
        tasks.run().await
    }
}

/// Plays the demo, and stays until the shutdown if it is to.
async fn show(world: World, once: bool, kubeconfig: PathBuf, shutdown: Shutdown) -> Result<()> {
    let mut out = io::stdout();
    let played = tokio::select! {
        () = shutdown.cancelled() => {
            world.stop().await?;
            ensure!(!once, "ended before the last step");
            return Ok(());
        }
        () = world.ended() => return world.stop().await,
        played = Demo::play(&world, &mut out) => played,
    };
    if let Err(error) = played {
        world.stop().await?;
        return Err(error);
    }
    if once {
        shutdown.cancel();
        return world.stop().await;
    }
    // `wharf` is built beside this program.
    let programs = env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default();
    writeln!(
        out,
        "\nAll steps happened. It stays up until Ctrl-C; in another shell:\n\
         \n   export KUBECONFIG={} PATH={}:$PATH\
         \n   wharf status\
         \n   wharf why v2 --to dev\
         \n   kubectl get stages,freights,promotions",
        kubeconfig.display(),
        programs.display()
    )?;
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = world.ended() => {}
    }
    world.stop().await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Args::command().debug_assert();
    }
}
