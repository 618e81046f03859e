//! The owner of a cluster that lives on: a process of its own, started by `hack/up`.
//!
//! Until the handshake it lives no longer than `hack/up`: that holds a pipe to our stdin, and its end,
//! before the word `live`, means that nobody waits for this cluster any more.

use std::{
    fs::File,
    io::{self, BufRead as _, Write as _},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use anyhow::{Result, bail};
use nix::unistd::dup2_stderr;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    Cluster, Options, demo,
    named::{Named, State},
    run::Run,
};

pub(crate) const READY: &str = "ready";
pub(crate) const LIVE: &str = "live";

pub(crate) fn serve(name: &str, options: Options, with_wharfinger: bool) -> Result<()> {
    let (sender, events) = mpsc::channel();
    listen(&sender)?;
    let named = Named::of(name)?;
    let _owned = named.own()?;
    let run = Run::new()?;
    let state = |summary| State {
        owner: std::process::id().cast_signed(),
        run: run.path().to_owned(),
        summary,
    };
    named.write(&state(String::new()))?;

    start(&run, options, with_wharfinger, sender);
    let served = match events.recv()? {
        // If it failed, what is left is logs, and where they are is said.
        Event::Started(started) => started.and_then(|(cluster, commands)| {
            named.write(&state(summary(&cluster, &commands)))?;
            let lived = live(&events, &cluster);
            cluster.end().and(lived)
        }),
        // The start goes on for a moment on its thread, and finds that nothing starts any more.
        Event::Told | Event::Alone | Event::Live => run.end_and_remove(),
    };
    named.forget()?;
    served
}

enum Event {
    /// SIGTERM (`hack/down`) or SIGINT.
    Told,
    /// `hack/up` said that the cluster shall live on.
    Live,
    /// `hack/up` is gone.
    Alone,
    /// The cluster, with the commands to try on it.
    Started(Box<Result<(Cluster, Vec<String>)>>),
}

fn listen(events: &Sender<Event>) -> Result<()> {
    // Handlers, not a blocked mask and sigwait: children inherit a mask, and redis and lighttpd with
    // SIGTERM blocked cannot be stopped.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let told = events.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            // The terminal of hack/up closing is none of our business; its end we hear from the pipe.
            if signal != SIGHUP {
                drop(told.send(Event::Told));
            }
        }
    });
    let heard = events.clone();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if line == LIVE {
                drop(heard.send(Event::Live));
            }
        }
        drop(heard.send(Event::Alone));
    });
    Ok(())
}

fn start(run: &Arc<Run>, options: Options, with_wharfinger: bool, events: Sender<Event>) {
    let run = Arc::clone(run);
    thread::spawn(move || {
        let started = Cluster::start_in(&run, options).and_then(|cluster| {
            demo::tools(&cluster)?;
            let mut commands = vec![];
            if with_wharfinger {
                cluster.install_wharfinger()?;
                commands.extend(demo::prepare(&cluster)?);
            }
            Ok((cluster, commands))
        });
        drop(events.send(Event::Started(Box::new(started))));
    });
}

fn live(events: &Receiver<Event>, cluster: &Cluster) -> Result<()> {
    writeln!(io::stdout(), "{READY}")?;
    match events.recv()? {
        Event::Live => {}
        Event::Told => return Ok(()),
        Event::Alone | Event::Started(_) => bail!("hack/up ended before it saw the cluster up"),
    }
    // The terminal of hack/up is none of ours any more.
    dup2_stderr(File::create(cluster.logs().join("owner.log"))?)?;
    loop {
        if let Event::Told = events.recv()? {
            return Ok(());
        }
    }
}

fn summary(cluster: &Cluster, commands: &[String]) -> String {
    let mut summary = format!(
        "kubeconfig  {}
Git         {}/<repository>.git   (no login, push allowed)
logs        {}",
        cluster.kubeconfig_admin().display(),
        cluster.git().base_url(),
        cluster.logs().display(),
    );
    if !commands.is_empty() {
        summary += "\n\nThree commands to try:";
    }
    for command in commands {
        summary += &format!("\n  {command}");
    }
    summary
}
