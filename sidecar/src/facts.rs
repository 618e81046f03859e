//! What is known of Applications and Stages: from a watch where one is kept, else read when asked.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, pin_mut};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt as _};
use tracing::{info, warn};
use wharfinger_api::additions::Assignment;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, Promotion, Stage, StageSpec, StageStatus};
use wharfinger_core::assignment::Evidence;
use wharfinger_core::claim::{Claim, StageName};
use wharfinger_core::paths::MANIFEST_GENERATE_PATHS;
use wharfinger_daemon::{Gate, Readiness, Shutdown, Tasks};

use crate::asked::AppName;
use crate::cluster::Cluster;
use crate::refusal::Refusal;

pub struct Facts {
    cluster: Cluster,
    caches: Option<Caches>,
}

/// Kept small: of an Application its annotation, of a Stage its assignment and history.
struct Caches {
    apps: Store<PartialObjectMeta<Application>>,
    stages: Store<Stage>,
}

/// What an Application says about its Stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenApp {
    pub annotation: Option<String>,
    /// The paths that it declares.
    pub paths: Option<String>,
    pub live: bool,
}

/// The annotations of an Application that are read.
const READ: [&str; 2] = [AUTHORIZED_STAGE, MANIFEST_GENERATE_PATHS];

/// What a Stage holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenStage {
    pub name: StageName,
    /// Nothing where there is no such Stage.
    pub status: Option<StageStatus>,
    pub live: bool,
}

impl Facts {
    /// Everything is read when it is asked for: for a process that answers once.
    pub fn live(cluster: Cluster) -> Self {
        Self { cluster, caches: None }
    }

    /// Kept by watches, which `tasks` runs. `readiness` waits for both.
    pub fn watched(cluster: Cluster, readiness: &Readiness, tasks: &mut Tasks) -> Self {
        let (apps, writer) = store();
        let seen = cluster.watch().modify(|app: &mut PartialObjectMeta<Application>| {
            let meta = app.meta_mut();
            if let Some(annotations) = &mut meta.annotations {
                annotations.retain(|name, _| READ.contains(&name.as_str()));
            }
            (meta.managed_fields, meta.labels, meta.owner_references) = (None, None, None);
        });
        let seen = seen.default_backoff().reflect(writer);
        tasks.spawn(
            "watch of Applications",
            follow(seen, readiness.gate("applications"), tasks.shutdown()),
        );

        let (stages, writer) = store();
        let seen = cluster.watch_readable(bare).modify(|stage: &mut Stage| {
            stage.meta_mut().managed_fields = None;
            stage.spec = StageSpec::default();
            if let Some(status) = &mut stage.status {
                *status = StageStatus {
                    assignment: status.assignment.take(),
                    freight_history: std::mem::take(&mut status.freight_history),
                    ..StageStatus::default()
                };
                status.freight_history.iter_mut().for_each(|c| c.verification_history.clear());
            }
        });
        let seen = seen.default_backoff().reflect(writer);
        tasks.spawn("watch of Stages", follow(seen, readiness.gate("stages"), tasks.shutdown()));

        Self { cluster, caches: Some(Caches { apps, stages }) }
    }

    /// What the watch knows of an Application, if it knows it.
    pub fn app(&self, app: &AppName) -> Option<SeenApp> {
        let key = ObjectRef::new(&app.name).within(&app.namespace);
        let known: Arc<PartialObjectMeta<Application>> = self.caches.as_ref()?.apps.get(&key)?;
        Some(SeenApp::of(&*known, false))
    }

    pub async fn live_app(&self, app: &AppName) -> Result<SeenApp, Refusal> {
        let found =
            self.cluster.get::<PartialObjectMeta<Application>>(&app.namespace, &app.name).await?;
        let found = found.ok_or_else(|| absent(app))?;
        Ok(SeenApp::of(&found, true))
    }

    /// What the watch knows of a Stage.
    pub fn stage(&self, name: &StageName) -> SeenStage {
        let key = ObjectRef::new(&name.stage).within(&name.project);
        let known = self.caches.as_ref().and_then(|caches| caches.stages.get(&key));
        let status = known.map(|stage: Arc<Stage>| stage.status.clone().unwrap_or_default());
        SeenStage { name: name.clone(), status, live: false }
    }

    pub async fn live_stage(&self, name: &StageName) -> Result<SeenStage, Refusal> {
        let stage = self.cluster.get::<Stage>(&name.project, &name.stage).await?;
        let status = stage.map(|stage| stage.status.unwrap_or_default());
        Ok(SeenStage { name: name.clone(), status, live: true })
    }

    /// What speaks for a claim that `assignment` has replaced, and what the Application says about its Stage.
    pub async fn evidence(
        &self,
        app: &AppName,
        stage: &StageName,
        claim: &Claim,
        assignment: &Assignment,
    ) -> Result<(SeenApp, Evidence), Refusal> {
        let promotion = async {
            if assignment.promotion.is_empty() {
                return Ok(None);
            }
            self.cluster.get::<Promotion>(&stage.project, &assignment.promotion).await
        };
        let (found, promotion) = futures::try_join!(
            self.cluster.get::<Application>(&app.namespace, &app.name),
            promotion
        )?;
        let found = found.ok_or_else(|| absent(app))?;
        let phase = promotion.map(|p| p.status.map(|s| s.phase).unwrap_or_default());
        let evidence = Evidence::of(&found, stage, claim, assignment, phase.as_deref());
        Ok((SeenApp::of(&found, true), evidence))
    }
}

fn bare(metadata: ObjectMeta) -> Stage {
    Stage { metadata, ..Stage::new("", StageSpec::default()) }
}

impl SeenApp {
    fn of(app: &impl Resource, live: bool) -> Self {
        let [annotation, paths] = READ.map(|name| app.annotations().get(name).cloned());
        Self { annotation, paths, live }
    }
}

fn absent(app: &AppName) -> Refusal {
    let AppName { namespace, name } = app;
    Refusal::NotFound(format!(
        "there is no Application {name} in the namespace {namespace}, so nothing says which Stage it belongs to. Create it without validation (--validate=false), or through kubectl or an ApplicationSet"
    ))
}

/// Keeps a watch going. A watch that fails is begun again, for ever; what it has told stays known meanwhile.
async fn follow<K: Resource<DynamicType = ()>>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    gate: Gate,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    pin_mut!(events);
    let kind = K::kind(&());
    let mut failing = false;
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            event = events.next() => event,
        };
        match event {
            Some(Ok(event)) => {
                if matches!(event, Event::InitDone) {
                    gate.open();
                }
                if std::mem::take(&mut failing) {
                    info!(%kind, "Watch goes on");
                }
            }
            Some(Err(error)) => {
                // Once, and not at every attempt.
                if !std::mem::replace(&mut failing, true) {
                    warn!(%kind, error = &error as &dyn std::error::Error, "Watch interrupted");
                }
            }
            None => anyhow::bail!("the watch ended"),
        }
    }
}
