//! The webhook's certificate from cert-manager.
//!
//! Its controllers and its cainjector are the real ones. The kubelet's part, to write a Secret into the files that a Pod
//! mounts, is the cluster's.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Identity, Options, Role};
use wharfinger_tests::{App, Kind, Project, refused};

use crate::reviews::{KINDS, Reviews, bundles, shake, webhooks};

const NAMESPACE: &str = "wharfinger";
const CERTIFICATE: &str = "wharfinger-webhook";
const AUTHORITY: &str = "wharfinger-webhook-ca";

#[test]
fn no_review_fails_while_cert_manager_renews_the_certificate() -> Result<()> {
    let options = Options { cert_manager: true, fault_points: true, ..Options::default() };
    let cluster = Cluster::start(options)?;
    cluster.install_wharfinger()?;
    it_needs_no_permission_for_that(&cluster)?;
    the_webhooks_are_asked_as_they_were_applied(&cluster)?;

    let project = Project::new(&cluster, "issued")?;
    project.stage("dev")?;
    project.stage_after("prod", &json!({ "stages": ["dev"] }))?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    refused(project.promote("prod", &v2).map(Value::from), "verified")?;

    let webhook = cluster.process(Role::Webhook)?;
    let (process, port) = (webhook.pid(), webhook.port("https")?);
    let first = bundles(&cluster)?;
    ensure!(first.len() == 1, "one authority for all: {}", first.len());
    let often = Reviews::during(&cluster, &app, port, |reviews| {
        reviews.certificates(1)?;
        renewed(&project, CERTIFICATE)?;
        reviews.certificates(2)?;
        project.admin.delete("secret", NAMESPACE, "wharfinger-webhook-tls")?;
        reviews.certificates(3)?;
        renewed(&project, AUTHORITY)?;
        renewed(&project, CERTIFICATE)?;
        reviews.certificates(4)?;
        cluster.until("the new authority to be trusted", || {
            let now = bundles(&cluster)?;
            ensure!(now.len() == 1 && now != first, "not yet");
            Ok(())
        })
    })?;
    println!("{often}");
    ensure!(webhook.pid() == process, "it was not started again");
    // There is more than one API server, and each hears of it when it does.
    for bundle in &first {
        shake(port, bundle).context("who has not heard of the new authority must be served")?;
    }

    a_stolen_key_is_trusted_no_longer(&project, &app, port)?;
    refused(project.promote("prod", &v2).map(Value::from), "verified").map(drop)
}

/// Neither to read its Secret nor to write a configuration.
fn it_needs_no_permission_for_that(cluster: &Cluster) -> Result<()> {
    let configurations = KINDS.map(|kind| ("patch", format!("{kind}/wharfinger")));
    let secret = ("get", "secret/wharfinger-webhook-tls".to_owned());
    for (verb, what) in configurations.into_iter().chain([secret]) {
        let ask = ["auth", "can-i", verb, &what, "-n", NAMESPACE];
        let may = cluster.kubectl_as(Identity::WEBHOOK, &ask)?;
        ensure!(may.stdout.trim() == "no", "the webhook may {verb} {what}: {may:?}");
    }
    Ok(())
}

/// The cainjector writes into the configurations, and writes nothing but the authority.
fn the_webhooks_are_asked_as_they_were_applied(cluster: &Cluster) -> Result<()> {
    for kind in KINDS {
        let all = webhooks(cluster, kind)?;
        let applications = all.iter().find(|one| one["name"] == "applications.wharfinger.dev");
        let applications = applications.context("nobody is asked about Applications")?;
        let conditions = applications["matchConditions"].as_array().map_or(0, Vec::len);
        ensure!(conditions > 0, "the matchConditions are gone: {applications:#}");
    }
    Ok(())
}

/// As `cmctl renew` asks for it. Returns when there is a new one.
fn renewed(project: &Project<'_>, certificate: &str) -> Result<()> {
    let mut now = issued_since(project, certificate, 0)?;
    let before = now["status"]["revision"].as_i64().context("a certificate was issued")?;
    let issuing = json!({ "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "Certificate re-issuance manually triggered" });
    let mut conditions = now["status"]["conditions"].take();
    conditions.as_array_mut().context("it has conditions")?.push(issuing);
    let status = json!({ "status": { "conditions": conditions } });
    project.admin.merge_status("certificate", NAMESPACE, certificate, &status)?;
    issued_since(project, certificate, before).map(drop)
}

fn issued_since(project: &Project<'_>, certificate: &str, revision: i64) -> Result<Value> {
    project.admin.wait("certificate", NAMESPACE, certificate, "be issued again", |c| {
        let ready = c["status"]["conditions"].as_array()?;
        let is = |kind, status| ready.iter().any(|c| c["type"] == kind && c["status"] == status);
        let newer = c["status"]["revision"].as_i64()? > revision;
        (newer && is("Ready", "True") && !is("Issuing", "True")).then(|| c.clone())
    })
}

/// What docs/install.md says to do then. Until it is done, reviews may fail.
fn a_stolen_key_is_trusted_no_longer(
    project: &Project<'_>,
    app: &App<'_>,
    port: u16,
) -> Result<()> {
    let cluster = project.cluster;
    let stolen = bundles(cluster)?;
    let authority = project.admin.get("certificate", NAMESPACE, AUTHORITY)?;
    let before = authority["status"]["revision"].as_i64().context("it was issued")?;
    project.admin.delete("secret", NAMESPACE, AUTHORITY)?;
    issued_since(project, AUTHORITY, before)?;
    renewed(project, CERTIFICATE)?;
    cluster.until("the webhook to show the new certificate", || {
        let old = stolen.iter().any(|bundle| shake(port, bundle).is_ok());
        ensure!(!old, "it shows one that the old authority signed");
        Ok(())
    })?;
    for kind in KINDS {
        let out: Vec<Value> = (0..webhooks(cluster, kind)?.len())
            .map(|n| json!({ "op": "remove", "path": format!("/webhooks/{n}/clientConfig/caBundle") }))
            .collect();
        let out = Value::from(out).to_string();
        cluster.kubectl(&["patch", kind, "wharfinger", "--type=json", "-p", &out])?.ok()?;
    }
    cluster.until("the new authority alone to be trusted", || {
        let now = bundles(cluster)?;
        let one =
            now.iter().all(|bundle| String::from_utf8_lossy(bundle).matches("BEGIN").count() == 1);
        ensure!(now.len() == 1 && one && now.is_disjoint(&stolen), "not yet");
        for bundle in &now {
            shake(port, bundle)?;
        }
        app.merge(&json!({ "spec": { "info": [{ "name": "number", "value": "last" }] } }))
    })?;
    Ok(())
}
