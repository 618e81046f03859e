//! Processes that die at the worst moment.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use wharfinger_cluster::{Instance, Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project, fault};

#[test]
fn the_controller_dies_between_assignment_and_patch() -> Result<()> {
    dies("dies-after-assign", "exit-after-assign")
}

#[test]
fn the_controller_dies_between_patch_and_sync() -> Result<()> {
    dies("dies-after-patch", "exit-after-patch")
}

fn dies(project: &str, fault: &str) -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, project)?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;

    let controller = cluster.process(Role::Controller)?;
    controller.set_env("WHARFINGER_FAULT", fault);
    controller.restart()?;
    let promotion = project.promote("dev", &v2)?;
    cluster.until("the controller to die", || {
        let _: () = ensure!(!controller.is_running(), "it still runs");
        Ok(())
    })?;
    let generation =
        &project.admin.get("stage", &project.name, "dev")?["status"]["assignment"]["generation"];
    ensure!(*generation == 2, "the assignment was committed: {generation}");

    controller.unset_env("WHARFINGER_FAULT");
    controller.start()?;
    let promotion = project.ended(&promotion)?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    let generation =
        &project.admin.get("stage", &project.name, "dev")?["status"]["assignment"]["generation"];
    ensure!(*generation == 2, "it was assigned once: {generation}");
    app.runs("v2")
}

#[test]
fn the_sidecar_dies_in_mid_render() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "sidecar-dies")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Helm)?.auto_sync();
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;

    // A Helm that does not come to an end, so that the sidecar dies while it renders.
    let sidecar = cluster.process(Role::Sidecar(Instance::First))?;
    let path = sidecar.env("PATH").context("the sidecar must have a PATH")?;
    let slow = cluster.folder_of_run().join("slow");
    std::fs::create_dir_all(&slow)?;
    std::fs::write(slow.join("helm"), SLOW_HELM)?;
    std::fs::set_permissions(slow.join("helm"), std::fs::Permissions::from_mode(0o755))?;
    sidecar.set_env("PATH", &format!("{}:{path}", slow.display()));
    sidecar.restart()?;
    let promotion = project.promote("dev", &v2)?;
    let template = format!("{}\0template\0", slow.join("helm").display());
    cluster.until("Helm to be at work", || {
        let processes = std::fs::read_dir("/proc")?.flatten();
        let mut running = processes.map(|p| std::fs::read(p.path().join("cmdline")));
        let at_work = |line: Vec<u8>| String::from_utf8_lossy(&line).contains(&template);
        ensure!(running.any(|line| line.is_ok_and(at_work)), "it is not");
        Ok(())
    })?;
    sidecar.kill()?;
    sidecar.set_env("PATH", &path);
    sidecar.start()?;
    let back = std::time::Instant::now();
    let claim = wait_for_generation(&project, "dev", 2)?;
    app.wait("be right again", |a| {
        let compared = a["status"]["sync"]["comparedTo"]["source"]["plugin"]["env"].as_array()?;
        let right = compared.iter().any(|e| e["value"] == claim.as_str())
            && a["status"]["sync"]["status"] == "Synced";
        right.then_some(())
    })?;
    ensure!(back.elapsed().as_secs() < 10, "right again within 10 s, not {:?}", back.elapsed());
    let promotion = project.ended(&promotion)?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    app.runs("v2")
}

/// A Helm that takes half a minute for a chart. It is given no file of ours to write a sign into.
const SLOW_HELM: &str = "#!/bin/sh
[ \"$1\" = template ] || { echo v3.22.0; exit; }
sleep 30
";

#[test]
fn the_sidecar_is_down_for_ten_failed_renders() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "sidecar-down")?;
    project.stage("dev")?;
    let apps = ["one", "two", "three"]
        .map(|name| App::new(&project, name, "dev", Kind::Plain).map(App::auto_sync));
    let apps: Vec<App<'_>> = apps.into_iter().collect::<Result<_>>()?;
    for app in &apps {
        app.create()?;
    }
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;

    let sidecar = cluster.process(Role::Sidecar(Instance::First))?;
    sidecar.stop()?;
    let repo_server = cluster.process(Role::RepoServer(Instance::First))?;
    let failures = |log: String| {
        log.lines()
            .filter(|l| l.contains("grpc.error") && l.contains("could not find cmp-server plugin"))
            .count()
    };
    let before = failures(repo_server.log_text());
    let promotion = project.promote("dev", &v2)?;
    cluster.until("ten renders to fail", || {
        let failed = failures(repo_server.log_text()) - before;
        let _: () = ensure!(failed >= 10, "{failed} renders have failed");
        Ok(())
    })?;
    for app in &apps {
        ensure!(app.image()? == format!("{IMAGE}:v1"), "live objects stay");
    }
    sidecar.start()?;
    let back = std::time::Instant::now();
    for app in &apps {
        app.wait("be right again", |a| {
            let clean = a["status"]["conditions"]
                .as_array()
                .is_none_or(|c| c.iter().all(|c| c["type"] != "ComparisonError"));
            (clean && a["status"]["sync"]["status"] == "Synced").then_some(())
        })?;
    }
    let took = back.elapsed();
    ensure!(took.as_secs() < 10, "right again within 10 s of the sidecar's return, not {took:?}");
    let promotion = project.ended(&promotion)?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    for app in &apps {
        app.runs("v2")?;
    }
    Ok(())
}

#[test]
fn a_webhook_whose_cache_is_held_back_never_reverts_a_promotion() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "held-back")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;

    let before = project.claim("dev")?;
    fault(&cluster, Role::Webhook, "hold-cache")?;
    project.promoted("dev", &v2)?;
    let claim = project.claim("dev")?;
    ensure!(
        app.claims()? == [claim.clone()],
        "the promotion itself went through the stale replica"
    );
    // So do the writes of others: with the claim of now, with none, with the one before.
    let env = |claim: &str| json!([{ "name": "WHARFINGER_STAGE", "value": "held-back:dev" }, { "name": "WHARFINGER_FREIGHT", "value": claim }]);
    for (row, spec) in [
        ("leaves the claim alone", json!({ "info": [{ "name": "team", "value": "a" }] })),
        ("takes it out", json!({ "source": { "plugin": { "env": [] } } })),
        ("puts the old one in", json!({ "source": { "plugin": { "env": env(&before) } } })),
    ] {
        app.merge(&json!({ "spec": spec }))?;
        ensure!(
            app.claims()? == [claim.clone()],
            "a write that {row}: {:?} is not {claim}",
            app.claims()?
        );
    }
    fault(&cluster, Role::Webhook, "release-cache")?;
    app.runs("v2")
}

#[test]
fn everything_is_restarted_and_goes_on() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "restarted")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Kustomize)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    for role in [
        Role::Controller,
        Role::Webhook,
        Role::Sidecar(Instance::First),
        Role::RepoServer(Instance::First),
        Role::ApplicationController(Instance::First),
    ] {
        cluster.process(role)?.restart()?;
    }
    project.promoted("dev", &project.freight("v2")?)?;
    app.runs("v2")
}

fn wait_for_generation(project: &Project<'_>, stage: &str, generation: u64) -> Result<String> {
    project.admin.wait(
        "stage",
        &project.name,
        stage,
        &format!("have assignment {generation}"),
        |s| {
            let assignment = &s["status"]["assignment"];
            (assignment["generation"] == generation).then(|| {
                format!("{generation}-{}", assignment["collection"].as_str().unwrap_or_default())
            })
        },
    )
}
