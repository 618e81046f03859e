//! Installing Wharfinger on a running cluster, taking it out, and sharing the cluster between tests.
//!
//! `cargo test -p wharfinger-cluster --features real --test install`

use std::{fs, thread};

use anyhow::{Context as _, Result, ensure};
use wharfinger_cluster::{Cluster, Instance, Options, Role, shared};

const OURS: [Role; 3] = [Role::Sidecar(Instance::First), Role::Webhook, Role::Controller];

#[test]
fn what_is_installed_can_be_taken_out_and_installed_again() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let before = state(&cluster)?;
    for _ in 0..2 {
        cluster.install_wharfinger()?;
        for role in OURS {
            ensure!(cluster.process(role)?.is_running(), "{role}");
        }
        let installed = state(&cluster)?;
        ensure!(installed.contains("wharfinger"), "{installed}");
        ensure!(
            installed.contains("ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS=2147483647"),
            "{installed}"
        );

        cluster.uninstall_wharfinger()?;
        for role in OURS {
            ensure!(cluster.process(role).is_err(), "{role}");
        }
        assert_eq!(state(&cluster)?, before);
    }
    Ok(())
}

#[test]
fn who_is_alone_waits_for_users_and_leaves_everything_up() -> Result<()> {
    let user = shared()?.use_it()?;
    let alone = thread::spawn(|| -> Result<()> {
        let alone = shared()?.alone()?;
        alone.process(Role::Webhook)?.kill()?;
        alone.process(Role::Git)?.pause()?;
        Ok(())
    });
    // Not while we use it.
    for (role, process) in user.processes() {
        assert!(process.is_running(), "{role}");
    }
    drop(user);
    alone.join().map_err(|_| anyhow::anyhow!("panicked"))??;
    let user = shared()?.use_it()?;
    for (role, process) in user.processes() {
        assert!(process.is_running(), "{role}");
    }
    Ok(())
}

/// Everything an installation changes.
fn state(cluster: &Cluster) -> Result<String> {
    let kinds = "namespaces,clusterroles,clusterrolebindings,crds,\
                 validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let objects = cluster.kubectl(&["get", kinds, "-o", "name"])?.ok()?;
    let config = cluster
        .kubectl(&["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "jsonpath={.data}"])?
        .ok()?;
    let repo_server = cluster.process(Role::RepoServer(Instance::First))?;
    let environment = fs::read(format!("/proc/{}/environ", repo_server.pid().context("pid")?))?;
    let environment = String::from_utf8_lossy(&environment).replace('\0', "\n");
    Ok(format!("{objects}\n{config}\n{environment}"))
}
