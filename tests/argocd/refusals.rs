//! What the sidecar refuses: the Application says why and what to do, and what is deployed stays deployed.

use std::{
    fs,
    io::{self, copy},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Instance, Process, Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project, refused};

use crate::owners::refresh;

const STAGE: &str = "kargo.akuity.io/authorized-stage";

#[test]
fn a_stage_that_holds_nothing_and_a_stage_that_is_not_there() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "nothing-yet")?;
    project.stage("dev")?;
    for (stage, code, fix) in [
        ("dev", "unassigned", "wharf promote --project nothing-yet --stage dev"),
        ("prod", "stage-missing", "Create it and promote Freight to it"),
    ] {
        let app = App::new(&project, stage, stage, Kind::Plain)?.auto_sync();
        app.create()?;
        let error = app.comparison_error()?;
        ensure!(error.contains(&format!("[{code}]")) && error.contains(fix), "{error}");
        let status = app.get()?["status"].clone();
        ensure!(
            status["sync"]["status"] == "Unknown" && status.get("history").is_none(),
            "{status:#}"
        );
        ensure!(app.image().is_err(), "nothing was deployed");
    }
    // What it said was true, and enough.
    project.promoted("dev", &project.freight("v1")?)?;
    Ok(())
}

#[test]
fn claims_that_came_past_the_webhook() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "refused")?;
    for stage in ["dev", "prod"] {
        project.stage(stage)?;
    }
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    App::new(&project, "prod", "prod", Kind::Plain)?.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    let older = project.claim("dev")?;
    project.promoted("prod", &v1)?;
    project.promoted("dev", &v2)?;
    app.runs("v2")?;
    let claim = project.claim("dev")?;
    let id = |claim: &str| claim.split_once('-').map(|(_, id)| id.to_owned()).unwrap_or_default();

    cluster.process(Role::Controller)?.stop()?;
    let unguarded = Unguarded::new(&cluster, &project)?;
    let env = |stage: &str, claim: &str| json!([{ "name": "WHARFINGER_STAGE", "value": stage }, { "name": "WHARFINGER_FREIGHT", "value": claim }]);
    for (row, annotation, env, code, text) in [
        (
            "older",
            json!("refused:dev"),
            env("refused:dev", &older),
            "claim-outdated",
            "no longer holds the assignment 1-",
        ),
        (
            "its number alone",
            json!("refused:dev"),
            env("refused:dev", &format!("1-{}", id(&claim))),
            "claim-outdated",
            "wharf promote",
        ),
        (
            "newer",
            json!("refused:dev"),
            env("refused:dev", &format!("3-{}", id(&older))),
            "claim-unknown",
            "never made the assignment 3-",
        ),
        (
            "another collection",
            json!("refused:dev"),
            env("refused:dev", &format!("2-{}", id(&older))),
            "claim-unknown",
            "wharf promote",
        ),
        (
            "of another Stage",
            json!("refused:dev"),
            env("refused:prod", &older),
            "claim-stage",
            "belongs to Stage refused:dev",
        ),
        (
            "for another Stage",
            json!("refused:prod"),
            env("refused:dev", &claim),
            "claim-stage",
            "belongs to Stage refused:prod",
        ),
        (
            "unreadable",
            json!("refused:dev"),
            env("refused:dev", "latest"),
            "claim-malformed",
            "<generation>-<FreightCollection id>",
        ),
        ("none", json!("refused:dev"), json!([]), "claim-missing", "the source carries no claim"),
        (
            "half",
            json!("refused:dev"),
            json!([{ "name": "WHARFINGER_STAGE", "value": "refused:dev" }]),
            "claim-missing",
            "no claim",
        ),
        (
            "no annotation",
            Value::Null,
            env("refused:dev", &claim),
            "authorized-stage",
            "<project>:<stage>",
        ),
        (
            "two Stages",
            json!("refused:dev,refused:prod"),
            env("refused:dev", &claim),
            "authorized-stage",
            "exactly one",
        ),
        (
            "a Stage that is not there",
            json!("refused:test"),
            env("refused:test", &claim),
            "stage-missing",
            "no Stage test",
        ),
    ] {
        // Hard: for a claim that was rendered before, Argo CD has the answer.
        let annotations = json!({ STAGE: annotation, "argocd.argoproj.io/refresh": "hard" });
        app.merge(&json!({ "metadata": { "annotations": annotations }, "spec": { "source": { "plugin": { "env": env } } } }))?;
        let (error, sync) = app.wait(&format!("be refused with [{code}] ({row})"), |a| {
            let error = error_with(code, a)?;
            let about_this =
                a["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_none();
            about_this.then(|| (error, a["status"]["sync"]["status"].clone()))
        })?;
        ensure!(error.contains(text), "{row}: it says what is the matter: {error}");
        ensure!(sync == "Unknown", "{row}: {sync}");
        ensure!(app.image()? == format!("{IMAGE}:v2"), "{row}: live objects stay");
    }
    // Left as it is found after an outage: the controller puts it right.
    app.merge(&json!({ "metadata": { "annotations": { STAGE: "refused:dev" } }, "spec": { "source": { "plugin": { "env": [] } } } }))?;
    drop(unguarded);
    cluster.process(Role::Controller)?.start()?;
    app.carries(&claim)?;
    app.wait("be synced again", |a| {
        let clean = a["status"]["conditions"]
            .as_array()
            .is_none_or(|c| c.iter().all(|c| c["type"] != "ComparisonError"));
        (clean && a["status"]["sync"]["status"] == "Synced").then_some(())
    })?;
    app.runs("v2")
}

#[test]
fn a_sidecar_that_starts_without_the_api_server() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "no-api")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;

    let sidecar = cluster.process(Role::Sidecar(Instance::First))?;
    let road = Road::new(&cluster, &sidecar)?;
    sidecar.stop()?;
    thread::scope(|scope| -> Result<()> {
        let started = scope.spawn(|| sidecar.start());
        // A new commit: for the one before, Argo CD has the answer.
        project.commit(&[(
            &format!("{}/more.yaml", app.name),
            "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n",
        )])?;
        app.merge(&refresh())?;
        let error = app.wait("be refused with [unavailable]", |a| error_with("unavailable", a))?;
        ensure!(error.contains("can't reach the Kubernetes API"), "{error}");
        ensure!(app.image()? == format!("{IMAGE}:v1"), "live objects stay");
        road.open()?;
        started.join().expect("starting does not panic")
    })?;
    app.wait("be synced again", |a| (a["status"]["sync"]["status"] == "Synced").then_some(()))?;
    drop(road);
    sidecar.start()?;
    app.runs("v1")
}

/// The text of the condition by which Argo CD passes on a refusal of ours.
fn error_with(code: &str, app: &Value) -> Option<String> {
    let conditions = app["status"]["conditions"].as_array()?;
    let error = conditions.iter().find(|c| c["type"] == "ComparisonError")?["message"].as_str()?;
    error.contains(&format!("[{code}]")).then(|| error.to_owned())
}

/// A cluster without our webhooks, as before the installation. Put back at the end, whatever comes.
struct Unguarded<'c> {
    cluster: &'c Cluster,
    project: &'c Project<'c>,
    configurations: String,
}

const CONFIGURATIONS: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations";

impl<'c> Unguarded<'c> {
    fn new(cluster: &'c Cluster, project: &'c Project<'c>) -> Result<Self> {
        let found = cluster.kubectl(&["get", CONFIGURATIONS, "-o", "json"])?.ok()?;
        let mut found: Value = serde_json::from_str(&found)?;
        for item in found["items"].as_array_mut().into_iter().flatten() {
            item["metadata"] =
                json!({ "name": item["metadata"]["name"], "labels": item["metadata"]["labels"] });
        }
        let unguarded = Self { cluster, project, configurations: found.to_string() };
        cluster.kubectl(&["delete", CONFIGURATIONS, "--all"])?.ok()?;
        cluster.until("the API server not to ask us", || unguarded.forbidden().map(drop))?;
        Ok(unguarded)
    }

    /// Something that only we forbid.
    fn forbidden(&self) -> Result<Value> {
        let app = App::new(self.project, "probe", "dev", Kind::Plain)?
            .with(|_, annotations| *annotations = json!({}));
        let done = self.cluster.kubectl_with_input(
            &["create", "--dry-run=server", "-o", "json", "-f", "-"],
            &app.manifest().to_string(),
        )?;
        Ok(serde_json::from_str(&done.ok()?)?)
    }
}

impl Drop for Unguarded<'_> {
    fn drop(&mut self) {
        let put_back = || {
            self.cluster.kubectl_with_input(&["create", "-f", "-"], &self.configurations)?.ok()?;
            self.cluster.until("the API server to ask us again", || {
                refused(self.forbidden(), "authorized-stage")
            })
        };
        let done = put_back();
        assert!(done.is_ok() || thread::panicking(), "{done:?}");
    }
}

/// A way from a process to the API server that is closed at first. The process takes it from its next start on.
struct Road<'p> {
    process: &'p Process,
    before: String,
    from: u16,
    to: u16,
}

impl<'p> Road<'p> {
    fn new(cluster: &Cluster, process: &'p Process) -> Result<Self> {
        let before = process.env("KUBECONFIG").context("it must have a KUBECONFIG")?;
        let to = cluster.process(Role::KubeApiserver)?.port("https")?;
        let from = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = cluster.folder_of_run().join("road.kubeconfig");
        fs::write(
            &path,
            fs::read_to_string(&before)?
                .replace(&format!("127.0.0.1:{to}"), &format!("127.0.0.1:{from}")),
        )?;
        process.set_env("KUBECONFIG", &path.display().to_string());
        Ok(Self { process, before, from, to })
    }

    fn open(&self) -> Result<()> {
        let (listener, to) = (TcpListener::bind(("127.0.0.1", self.from))?, self.to);
        thread::spawn(move || -> io::Result<()> {
            for near in listener.incoming() {
                let (near, far) = (near?, TcpStream::connect(("127.0.0.1", to))?);
                for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
                    thread::spawn(move || {
                        // A connection that breaks off is one that ends.
                        drop(copy(&mut from, &mut to));
                        drop(to.shutdown(Shutdown::Both));
                    });
                }
            }
            Ok(())
        });
        Ok(())
    }
}

impl Drop for Road<'_> {
    fn drop(&mut self) {
        self.process.set_env("KUBECONFIG", &self.before);
        let gone = self.process.kill();
        assert!(gone.is_ok() || thread::panicking(), "{gone:?}");
    }
}
