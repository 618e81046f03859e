//! One promotion: what Wharfinger adds to the patch that Argo CD has to be sent in any case, and what it saves against a
//! script that rewrites Git.
//!
//! 3,000 files in one repository, 50 ms of latency to Git. Ours and by hand take turns, so that both meet the same machine.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use wharfinger_api::{argocd::Application, v1alpha1::Stage};
use wharfinger_cluster::{Cluster, Options, Role};
use wharfinger_core::{claim::StageName, converge, freight};
use wharfinger_tests::{App, Kind, Kubernetes, Project, fault, on_runtime};

use crate::line::{line, percentile};
use crate::script;
use crate::watched::Watched;

const ROUNDS: usize = 50;
const SCRIPTED: usize = 10;
pub(crate) const GIT_LATENCY: Duration = Duration::from_millis(50);
const FILES: usize = 3_000;

pub(crate) fn run() -> Result<()> {
    let cluster = Cluster::start(Options {
        git_delay: Some(GIT_LATENCY),
        fault_points: true,
        ..Options::default()
    })?;
    cluster.install_wharfinger()?;
    let project = Project::new(&cluster, "bench")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    let commit = fill(&project)?;
    app.create()?;
    let commits = json!([{ "repoURL": cluster.git().url(&project.name), "id": commit }]);
    let freight = [project.freight_with("v1", &commits)?, project.freight_with("v2", &commits)?];
    for warm_up in &freight {
        project.promoted("dev", warm_up)?;
    }

    let hand = Hand::new(&cluster, &project)?;
    let (mut ours, mut by_hand, mut succeeded) = (Times::default(), Times::default(), vec![]);
    for round in 0..ROUNDS {
        let freight = &freight[round % 2];
        let claim = hand.next_claim("dev", freight)?;
        let mut watched = on_runtime(Watched::application(&project.admin, &app.name))?;
        if round % 2 == 0 {
            let from = Instant::now();
            let promotion = project.promote("dev", freight)?;
            ours.add(from, on_runtime(watched.deployed(&claim))?);
            project.ended(&promotion)?;
            succeeded.push(from.elapsed());
        } else {
            fault(&cluster, Role::Controller, "stop-applications")?;
            let promotion = project.promote("dev", freight)?;
            hand.assigned("dev", &claim)?;
            let patch = hand.patch(&app, &promotion)?;
            let from = Instant::now();
            hand.send(&app, &promotion, patch)?;
            by_hand.add(from, on_runtime(watched.deployed(&claim))?);
            fault(&cluster, Role::Controller, "resume-applications")?;
            project.ended(&promotion)?;
        }
    }
    for (percent, goal) in [(50, 1.3), (99, 2.0)] {
        let pair =
            |a: &[Duration], b: &[Duration]| (percentile(a, percent), percentile(b, percent));
        let (a, b) = pair(&ours.begun, &by_hand.begun);
        line(&format!("promotion-started-p{percent}"), a, "patch-by-hand", b, goal);
        let (a, b) = pair(&ours.done, &by_hand.done);
        line(&format!("promotion-done-p{percent}"), a, "patch-by-hand", b, goal);
    }
    line(
        "promotion-succeeded-p50",
        percentile(&succeeded, 50),
        "patch-by-hand",
        percentile(&by_hand.done, 50),
        1.3,
    );

    let scripted = script::run(&cluster, &project, SCRIPTED)?;
    line(
        "promotion-started-against-script",
        percentile(&ours.begun, 50),
        "rewrite-by-script",
        percentile(&scripted.begun, 50),
        0.1,
    );
    line(
        "promotion-done-against-script",
        percentile(&ours.done, 50),
        "rewrite-by-script",
        percentile(&scripted.done, 50),
        0.1,
    );
    Ok(())
}

/// How long it took until a sync was seen to have begun, and until it was done.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) begun: Vec<Duration>,
    pub(crate) done: Vec<Duration>,
}

impl Times {
    pub(crate) fn add(&mut self, from: Instant, (begun, done): (Instant, Instant)) {
        self.begun.push(begun - from);
        self.done.push(done - from);
    }
}

/// Somebody who sends the controller's patch in its place.
pub(crate) struct Hand<'p> {
    project: &'p Project<'p>,
    controller: Kubernetes,
}

impl<'p> Hand<'p> {
    pub(crate) fn new(cluster: &Cluster, project: &'p Project<'p>) -> Result<Self> {
        Ok(Self {
            project,
            controller: Kubernetes::account(cluster, "wharfinger", "wharfinger-controller")?,
        })
    }

    /// The claim that the next promotion of a Stage will make, so that nothing has to be read while the clock runs.
    pub(crate) fn next_claim(&self, stage: &str, freight: &str) -> Result<String> {
        let status = &self.project.admin.get("stage", &self.project.name, stage)?["status"];
        let generation = status["assignment"]["generation"].as_u64().unwrap_or(0) + 1;
        Ok(format!("{generation}-{}", freight::collection_id([freight])))
    }

    /// Waits until the Stage holds what the claim stands for.
    pub(crate) fn assigned(&self, stage: &str, claim: &str) -> Result<()> {
        self.project.admin.wait(
            "stage",
            &self.project.name,
            stage,
            &format!("be assigned {claim}"),
            |stage| {
                let assignment = &stage["status"]["assignment"];
                let held = format!(
                    "{}-{}",
                    assignment["generation"],
                    assignment["collection"].as_str().unwrap_or_default()
                );
                (held == claim).then_some(())
            },
        )
    }

    /// The patch that the controller would send.
    pub(crate) fn patch(&self, app: &App<'_>, promotion: &str) -> Result<Value> {
        on_runtime(self.patching(app, promotion))
    }

    async fn patching(&self, app: &App<'_>, promotion: &str) -> Result<Value> {
        let admin = &self.project.admin;
        let seen = admin.of("application", &app.namespace).get(&app.name).await?;
        let seen: Application = serde_json::from_value(serde_json::to_value(seen)?)?;
        let annotation = seen.annotation("kargo.akuity.io/authorized-stage").unwrap_or_default();
        let name: StageName = annotation.parse()?;
        let stage = admin.of("stage", &name.project).get(&name.stage).await?;
        let stage: Stage = serde_json::from_value(serde_json::to_value(stage)?)?;
        let status = stage.status.context("the Stage must have a status")?;
        let actor = status.assignment.as_ref().map(|a| a.actor.clone()).unwrap_or_default();
        let promotion = Some(converge::Promotion { name: promotion, actor: &actor });
        let now = jiff::Timestamp::now();
        let situation =
            converge::Situation { app: &seen, stage: &name, status: &status, promotion, now };
        match converge::next(&situation) {
            converge::Next::Patch(patch) => Ok(patch),
            other => bail!("a patch is what was expected, not {other:?}"),
        }
    }

    pub(crate) fn send(&self, app: &App<'_>, promotion: &str, patch: Value) -> Result<()> {
        on_runtime(self.sending(app, promotion, patch))
    }

    /// Where Argo CD wrote in between, the patch is made again, as the controller does it.
    pub(crate) async fn sending(
        &self,
        app: &App<'_>,
        promotion: &str,
        mut patch: Value,
    ) -> Result<()> {
        let api = self.controller.of("application", &app.namespace);
        loop {
            match api.patch(&app.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    patch = self.patching(app, promotion).await?;
                }
                other => return other.map(|_| ()).map_err(Into::into),
            }
        }
    }
}

/// Puts thousands of files beside the Application, as a real repository has.
pub(crate) fn fill(project: &Project<'_>) -> Result<String> {
    let text = "# some configuration of another team\n".repeat(100);
    let files: Vec<String> = (0..FILES).map(|n| format!("others/{}/{n}.yaml", n % 60)).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|path| (path.as_str(), text.as_str())).collect();
    project.commit(&files)
}
