//! The owner of a cluster that lives on: a process of its own, started by `hack/up`.
//!
//! Until the handshake it lives no longer than `hack/up`: that holds a pipe to our stdin, and its end,
//! before the word `live`, means that nobody waits for this cluster any more.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use anyhow::{Context as _, Result, bail};
use nix::unistd::dup2_stderr;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    Cluster, Options, Role,
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
        Event::Started(started) => started.and_then(|cluster| {
            named.write(&state(summary(&cluster)?))?;
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
    Started(Box<Result<Cluster>>),
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
            if with_wharfinger {
                cluster.install_wharfinger()?;
            }
            prepare_demo(&cluster)?;
            Ok(cluster)
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

// Something in Git, so that the commands we propose do something.
fn prepare_demo(cluster: &Cluster) -> Result<()> {
    const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: demo, image: example.com/demo:1.0.0}]}
";
    cluster.git().create("demo")?;
    cluster.git().commit("demo", &[("deployment.yaml", DEPLOYMENT)], "A Deployment")?;
    fs::write(cluster.file("demo.yaml"), demo_application(&cluster.git().url("demo")))?;
    let tools = cluster.folder("tools")?;
    let kubeconfig = cluster.kubeconfig_admin();
    let server = cluster.process(Role::ArgoCdServer)?.port("http")?;
    write_script(
        &tools.join("kubectl"),
        &format!(
            "KUBECONFIG={} exec {}",
            kubeconfig.display(),
            cluster.part("kubectl").path.display()
        ),
    )?;
    write_script(
        &tools.join("argocd"),
        &format!(
            "ARGOCD_BINARY_NAME=argocd ARGOCD_CONFIG_DIR={} exec {} --plaintext --server 127.0.0.1:{server}",
            cluster.folder("argocd-client")?.display(),
            cluster.part("argocd").path.display()
        ),
    )
}

fn demo_application(url: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: demo, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {url}, path: .}}
  destination: {{server: https://kubernetes.default.svc, namespace: default}}
  syncPolicy: {{automated: {{}}}}
"
    )
}

fn write_script(path: &Path, command: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{command} \"$@\"\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))
}

fn summary(cluster: &Cluster) -> Result<String> {
    let tools = cluster.folder("tools")?;
    let tools = tools.display();
    Ok(format!(
        "kubeconfig  {}
Git         {}/<repository>.git   (no login, push allowed)
logs        {}

Three commands to try:
  {tools}/kubectl apply -f {}
  {tools}/argocd app wait demo --sync --health
  {tools}/kubectl get applications,pods -A",
        cluster.kubeconfig_admin().display(),
        cluster.git().base_url(),
        cluster.logs().display(),
        cluster.file("demo.yaml").display(),
    ))
}
