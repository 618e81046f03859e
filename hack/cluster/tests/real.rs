//! The harness itself, on real parts: what it promises to the tests built on it.
//!
//! `cargo test -p wharfinger-cluster --features real`

mod processes;

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use processes::{gone_within, mentioning};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Identity, Instance, Options, Role};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: guest}
spec:
  replicas: 3
  selector: {matchLabels: {app: guest}}
  template:
    metadata: {labels: {app: guest}}
    spec: {containers: [{name: guest, image: example.com/guest:1.0.0}]}
";

#[test]
fn an_application_from_git_becomes_healthy_and_each_process_is_who_it_should_be() -> Result<()> {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(Options::default())?;

    // A Deployment becomes ready although there is no kubelet, and stays so: kwok keeps a Lease.
    cluster.kubectl_with_input(&["apply", "-f", "-"], DEPLOYMENT)?.ok()?;
    cluster.kubectl(&["rollout", "status", "deployment/guest", "--timeout=30s"])?.ok()?;
    cluster.until("the Node's Lease", || {
        cluster.kubectl(&["get", "lease", "berth", "-n", "kube-node-lease"])?.ok()
    })?;

    sync_an_application(&cluster, Instance::First)?;
    cluster.argocd(&["app", "get", "guest"])?.ok()?;

    let identity = Identity::APPLICATION_CONTROLLER;
    let who = cluster.kubectl_as(identity, &["auth", "whoami", "-o", "json"])?.ok()?;
    let who: Value = serde_json::from_str(&who)?;
    assert_eq!(who["status"]["userInfo"]["username"], identity.to_string());
    // What it may do is what Argo CD's own manifests say: repo-server's account may nothing.
    let nodes = ["auth", "can-i", "get", "nodes"];
    assert!(cluster.kubectl_as(identity, &nodes)?.success());
    assert!(!cluster.kubectl_as(Identity::SIDECAR, &nodes)?.success());
    Ok(())
}

#[test]
fn every_process_can_be_stopped_killed_paused_and_brought_up_again() -> Result<()> {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(Options::default())?;
    cluster.git().create("guest")?;

    let git = cluster.process(Role::Git)?;
    git.stop()?;
    assert!(!git.is_running() && git.pid().is_none());
    assert!(list_refs(&cluster).is_err());
    git.start()?;
    list_refs(&cluster)?;

    let server = cluster.process(Role::ArgoCdServer)?;
    server.pause()?;
    assert!(server.is_running());
    server.resume()?;
    server.restart()?;

    let repo_server = cluster.process(Role::RepoServer(Instance::First))?;
    let before = repo_server.pid();
    repo_server.set_env("SOMETHING", "new");
    repo_server.restart()?;
    assert_ne!(repo_server.pid(), before);
    let environment = fs::read(format!("/proc/{}/environ", repo_server.pid().context("pid")?))?;
    assert!(String::from_utf8_lossy(&environment).contains("SOMETHING=new"));

    for (role, process) in cluster.processes() {
        let start = Instant::now();
        process.kill()?;
        assert!(!process.is_running(), "{role}");
        assert!(start.elapsed() < Duration::from_secs(2), "{role}");
    }
    cluster.all_up()?;
    for (role, process) in cluster.processes() {
        assert!(process.is_running(), "{role}");
    }
    // etcd kept its data, and everyone found everyone again on the same ports.
    sync_an_application(&cluster, Instance::First)?;

    for (role, process) in cluster.processes().into_iter().rev() {
        let start = Instant::now();
        process.stop().with_context(|| format!("stopping {role}"))?;
        println!("{role} stopped in {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

#[test]
fn two_clusters_side_by_side_are_strangers_and_leave_nothing() -> Result<()> {
    let _turn = one_at_a_time();
    let (one, two) = thread::scope(|scope| {
        let other = scope.spawn(|| Cluster::start(Options::default()));
        let one = Cluster::start(Options::default());
        (one, other.join())
    });
    let (one, two) = (one?, two.map_err(|_| anyhow::anyhow!("panicked"))??);
    one.kubectl(&["create", "namespace", "only-in-one"])?.ok()?;
    assert!(!two.kubectl(&["get", "namespace", "only-in-one"])?.success());

    let folder = one.folder_of_run().to_owned();
    assert!(mentioning(&folder).len() >= one.processes().len());
    one.end()?;
    assert!(!folder.exists());
    assert_eq!(mentioning(&folder), Vec::<String>::new());
    sync_an_application(&two, Instance::First)
}

#[test]
fn a_second_argo_cd_works_beside_the_first() -> Result<()> {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(Options { second_argocd: true, ..Options::default() })?;
    sync_an_application(&cluster, Instance::Second)?;
    assert_ne!(cluster.plugin_folder(Instance::First)?, cluster.plugin_folder(Instance::Second)?);
    // The first leaves the second's Applications alone.
    let log = cluster.process(Role::ApplicationController(Instance::First))?.log_text();
    assert!(!log.contains("\"application\":\"guest\""));
    Ok(())
}

#[test]
fn git_can_be_far_away() -> Result<()> {
    let _turn = one_at_a_time();
    let delay = Duration::from_millis(300);
    let options = Options { argocd: false, git_delay: Some(delay), ..Options::default() };
    let cluster = Cluster::start(options)?;
    cluster.git().create("guest")?;
    cluster.git().commit("guest", &[("a", "1\n")], "one")?;
    let time = || -> Result<Duration> {
        let start = Instant::now();
        list_refs(&cluster)?;
        Ok(start.elapsed())
    };
    // Two requests: the refs are announced, then asked for.
    assert!(time()? >= delay * 2);
    cluster.git().set_delay(Duration::ZERO)?;
    assert!(time()? < delay);
    Ok(())
}

#[test]
fn an_up_killed_at_any_moment_leaves_nothing() -> Result<()> {
    let _turn = one_at_a_time();
    for millis in [1, 20, 100, 500, 1500, 3000, 4500, 6000, 7500] {
        let name = format!("killed-{}", std::process::id());
        let mut up = up(&name, &[])?;
        thread::sleep(Duration::from_millis(millis));
        let folder = owner(&name).map(|(_, folder)| folder);
        up.kill()?;
        if up.wait()?.success() {
            // It was faster: what is up stays up. All that comes before was killed.
            ensure!(millis >= 3000, "up within {millis} ms");
            ensure!(
                command(env!("CARGO_BIN_EXE_cluster")).args(["down", &name]).status()?.success()
            );
            break;
        }
        let left = gone_within(Duration::from_secs(10), || {
            // The owner has the name in its command line; the state may have come after our look.
            let mut left = mentioning(Path::new(&name));
            left.extend(state_folder(&name).exists().then(|| name.clone()));
            if let Some(folder) = &folder {
                left.extend(mentioning(folder));
                left.extend(folder.exists().then(|| folder.display().to_string()));
            }
            left
        });
        ensure!(left.is_empty(), "killed after {millis} ms, left: {left:#?}");
        println!(
            "killed after {millis} ms: nothing left{}",
            if folder.is_some() { "" } else { " (no folder yet)" }
        );
    }
    Ok(())
}

#[test]
fn an_owner_killed_leaves_no_process_not_even_what_its_processes_started() -> Result<()> {
    let _turn = one_at_a_time();
    let name = format!("owner-{}", std::process::id());
    let mut up = up(&name, &[])?;
    let said = BufReader::new(up.stdout.take().context("stdout")?).lines();
    let said: Vec<String> = said.map_while(Result::ok).collect();
    ensure!(up.wait()?.success(), "{said:#?}");
    let (owner, folder) = owner(&name).context("no state")?;

    // repo-server's `git fetch` now waits for a host that never answers, as long as it may.
    let host = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/never.git", host.local_addr()?);
    let application = application("argocd", &url, "0123456789012345678901234567890123456789");
    let file = folder.join("never.json");
    fs::write(&file, application.to_string())?;
    let kubectl =
        command(folder.join("tools/kubectl")).arg("apply").arg("-f").arg(&file).status()?;
    ensure!(kubectl.success());
    let _waiting = host.accept()?;
    let before = mentioning(&folder);
    ensure!(before.iter().any(|process| process.contains("git-remote-http")), "{before:#?}");

    kill(Pid::from_raw(owner), Signal::SIGKILL)?;
    let left = gone_within(Duration::from_secs(5), || mentioning(&folder));
    ensure!(left.is_empty(), "left of {} processes: {left:#?}", before.len());

    // Its logs are still there for whoever wants to know why, until it is taken down.
    assert!(folder.join("logs/kube-apiserver.log").exists());
    for _ in 0..2 {
        let down = command(env!("CARGO_BIN_EXE_cluster")).args(["down", &name]).status()?;
        assert!(down.success());
        assert!(!folder.exists() && !state_folder(&name).exists());
    }
    Ok(())
}

fn sync_an_application(cluster: &Cluster, instance: Instance) -> Result<()> {
    let url = cluster.git().url("guest");
    if cluster.git().head("guest").is_err() {
        drop(cluster.git().create("guest"));
        cluster.git().commit("guest", &[("guest/deployment.yaml", DEPLOYMENT)], "A guest")?;
    }
    let namespace = instance.namespace();
    let application = application(namespace, &url, "main");
    cluster.kubectl_with_input(&["apply", "-f", "-"], &application.to_string())?.ok()?;
    cluster.until("the Application to be Synced and Healthy", || {
        let args = ["get", "application", "guest", "-n", namespace, "-o", "json"];
        let now: Value = serde_json::from_str(&cluster.kubectl(&args)?.ok()?)?;
        let status = &now["status"];
        ensure!(
            status["sync"]["status"] == "Synced" && status["health"]["status"] == "Healthy",
            "{status:#}"
        );
        Ok(())
    })
}

fn application(namespace: &str, url: &str, revision: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "guest", "namespace": namespace},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "guest", "targetRevision": revision},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
            "syncPolicy": {"automated": {}},
        },
    })
}

fn list_refs(cluster: &Cluster) -> Result<()> {
    let listed = command("git").args(["ls-remote", &cluster.git().url("guest")]).output()?;
    ensure!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test is its own owner")]
fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

fn up(name: &str, args: &[&str]) -> Result<Child> {
    command(env!("CARGO_BIN_EXE_cluster"))
        .args(["up", name, "--without-wharfinger"])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cluster up")
}

/// The owner of a named cluster and its run folder, if it has got that far.
fn owner(name: &str) -> Option<(i32, PathBuf)> {
    let text = fs::read_to_string(state_folder(name).join("state.json")).ok()?;
    let state: Value = serde_json::from_str(&text).ok()?;
    Some((state["owner"].as_i64()?.try_into().ok()?, state["run"].as_str()?.into()))
}

fn state_folder(name: &str) -> PathBuf {
    let cache = std::env::var_os("WHARFINGER_CACHE").map(PathBuf::from);
    let cache = cache
        .or_else(|| Some(PathBuf::from(std::env::var_os("XDG_CACHE_HOME")?).join("wharfinger")));
    let cache =
        cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/wharfinger")));
    cache.expect("HOME is set").join("clusters").join(name)
}

// A cluster each: together they would only be slow.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
