//! Taking Wharfinger out again.

use anyhow::{Result, ensure};
use serde_json::json;
use wharfinger_cluster::{Cluster, Options};
use wharfinger_tests::{App, IMAGE, Kind, Project};

use crate::owners::{native, refresh};

#[test]
fn what_is_not_ours_works_on_and_what_is_ours_stays_deployed() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.install_wharfinger()?;
    let project = Project::new(&cluster, "shop")?;
    project.stage("dev")?;
    let ours = App::new(&project, "ours", "dev", Kind::Plain)?.auto_sync();
    let theirs = App::new(&project, "theirs", "dev", Kind::Plain)?.auto_sync().with(native);
    let leaves = App::new(&project, "leaves", "dev", Kind::Plain)?.auto_sync();
    for app in [&ours, &theirs, &leaves] {
        app.create()?;
    }
    project.promoted("dev", &project.freight("v1")?)?;
    for (app, tag) in [(&ours, "v1"), (&theirs, "in-git"), (&leaves, "v1")] {
        app.runs(tag)?;
    }

    cluster.uninstall_wharfinger()?;
    let left = cluster.kubectl(&["get", "crd,mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings", "-o", "name"])?.ok()?;
    ensure!(!left.contains("wharfinger") && !left.contains("kargo.akuity.io"), "{left}");

    let revision = project.commit(&[(
        &format!("{}/web.yaml", theirs.name),
        &theirs.web().replace("in-git", "later"),
    )])?;
    theirs.merge(&refresh())?;
    theirs.runs("later")?;
    ensure!(theirs.get()?["status"]["sync"]["revision"] == revision.as_str());
    let late = App::new(&project, "late", "dev", Kind::Plain)?.auto_sync().with(native);
    late.create()?;
    late.runs("in-git")?;
    project.admin.delete("application", "argocd", &late.name)?;

    ours.merge(
        &json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" } } }),
    )?;
    ours.comparison_error()?;
    ensure!(ours.image()? == format!("{IMAGE}:v1"), "what was deployed stays");
    // And nothing holds an Application back from going home.
    leaves.merge(&json!({ "metadata": { "annotations": { "kargo.akuity.io/authorized-stage": null } }, "spec": { "source": { "plugin": null } } }))?;
    leaves.runs("in-git")
}
