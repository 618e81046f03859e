//! Two Argo CD installations in one cluster.

use anyhow::{Result, ensure};
use serde_json::json;
use wharfinger_cluster::{Cluster, Options};
use wharfinger_tests::{App, Kind, Project, refused};

#[test]
fn two_argo_cds_side_by_side() -> Result<()> {
    let cluster = Cluster::start(Options { second_argocd: true, ..Options::default() })?;
    cluster.install_wharfinger()?;
    one_promotion_moves_the_applications_of_both(&cluster)?;
    applications_of_one_name_belong_to_their_own_stages(&cluster)?;
    the_record_of_an_operation_is_its_own_controllers(&cluster)
}

fn one_promotion_moves_the_applications_of_both(cluster: &Cluster) -> Result<()> {
    let project = Project::new(cluster, "both")?;
    project.stage("dev")?;
    let first = App::new(&project, "first", "dev", Kind::Plain)?;
    let second = App::new(&project, "second", "dev", Kind::Kustomize)?.in_namespace("argocd-b");
    for app in [&first, &second] {
        app.create()?;
    }
    for tag in ["v1", "v2"] {
        let promotion = project.promoted("dev", &project.freight(tag)?)?;
        let apps = &promotion["status"]["state"]["step-1"]["applications"];
        ensure!(apps.as_array().map(Vec::len) == Some(2), "{promotion:#}");
        for app in [&first, &second] {
            app.runs(tag)?;
            ensure!(app.history()?.last() == Some(&project.claim("dev")?));
        }
    }
    ensure!(second.get()?["status"]["controllerNamespace"] == "argocd-b");
    Ok(())
}

/// Argo CD tells a plugin the bare name of an Application in its own namespace.
fn applications_of_one_name_belong_to_their_own_stages(cluster: &Cluster) -> Result<()> {
    let (one, other) = (Project::new(cluster, "same")?, Project::new(cluster, "same-name")?);
    let in_first = App::new(&one, "name-web", "dev", Kind::Plain)?;
    let in_second = App::new(&other, "web", "dev", Kind::Plain)?.in_namespace("argocd-b");
    ensure!(in_first.name == in_second.name);
    for (project, app) in [(&one, &in_first), (&other, &in_second)] {
        project.stage("dev")?;
        app.create()?;
    }
    one.promoted("dev", &one.freight("v1")?)?;
    other.promoted("dev", &other.freight("v2")?)?;
    in_first.runs("v1")?;
    in_second.runs("v2")
}

fn the_record_of_an_operation_is_its_own_controllers(cluster: &Cluster) -> Result<()> {
    let project = Project::new(cluster, "installed")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.in_namespace("argocd-b");
    app.create()?;
    // That this ends says that the account of the second is known: its controller keeps the record.
    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;
    // An account is not known by what it is called, but because its Argo CD is installed.
    let stranger = project.account("argocd-c", "argocd-application-controller")?;
    stranger.may(&["patch"], "application", "argocd-b")?;
    let record = json!({ "status": { "operationState": { "phase": "Running" } } });
    refused(stranger.api.merge("application", "argocd-b", &app.name, &record), "operation-state")?;
    Ok(())
}
