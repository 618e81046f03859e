//! What is kept at hand: the Stages, how Projects work, and which Application names which Stage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use futures::{Stream, StreamExt as _, pin_mut};
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tracing::{info, warn};
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, ProjectConfig, Stage, StageSpec};
use wharfinger_core::admission::Named;
use wharfinger_core::claim::{self, StageName};
use wharfinger_core::freight::holds;
use wharfinger_daemon::{Gate, Readiness, Shutdown, Tasks, Unreadable, watch_readable};

use crate::page::gather;

pub(crate) struct Caches {
    stages: Cache<Stage>,
    configs: Cache<ProjectConfig>,
    applications: Cache<PartialObjectMeta<Application>>,
}

struct Cache<K: Lookup + 'static>
where
    K::DynamicType: std::hash::Hash + Eq,
{
    store: Store<K>,
    /// Filled once. From then on it may be behind, but it is never without what there was.
    filled: Arc<AtomicBool>,
    /// There, and not in the store.
    unreadable: Unreadable,
}

impl Caches {
    /// Caches that tasks fill from now on; each is a gate that stays closed until it was filled.
    pub(crate) fn fill(
        client: &Client,
        readiness: &Readiness,
        tasks: &mut Tasks,
        #[cfg(feature = "fault-points")] hold: &crate::fault::Hold,
    ) -> Self {
        let [no_stages, no_configs] = [Unreadable::default(), Unreadable::default()];
        let bare = |metadata| Stage { metadata, ..Stage::new("", StageSpec::default()) };
        let stages = watch_readable(Api::all(client.clone()), bare, no_stages.clone());
        let stages = stages.default_backoff().modify(|stage| stage.managed_fields_mut().clear());
        let bare =
            |metadata| ProjectConfig { metadata, ..ProjectConfig::new("", Default::default()) };
        let configs = watch_readable(Api::all(client.clone()), bare, no_configs.clone());
        let configs = configs.default_backoff().modify(|config| {
            config.managed_fields_mut().clear();
            config.status = None;
        });
        let applications = watcher(
            Api::<PartialObjectMeta<Application>>::all(client.clone()),
            watcher::Config::default(),
        );
        let applications = applications.default_backoff().modify(prune);
        Self {
            stages: Cache::fill(
                "stages",
                stages,
                no_stages,
                readiness,
                tasks,
                #[cfg(feature = "fault-points")]
                hold.clone(),
            ),
            configs: Cache::fill(
                "projectconfigs",
                configs,
                no_configs,
                readiness,
                tasks,
                #[cfg(feature = "fault-points")]
                crate::fault::Hold::default(),
            ),
            applications: Cache::fill(
                "applications",
                applications,
                Unreadable::default(),
                readiness,
                tasks,
                #[cfg(feature = "fault-points")]
                crate::fault::Hold::default(),
            ),
        }
    }

    /// A Stage, or that there is none; nothing before the cache was filled, nor about one that can't be read.
    #[expect(clippy::option_option, reason = "no cache and no Stage are two things")]
    pub(crate) fn stage(&self, name: &StageName) -> Option<Option<Arc<Stage>>> {
        self.stages.get(&name.project, &name.stage)
    }

    /// How a Project works, or that nothing says so; nothing before the cache was filled, nor where it can't be read.
    #[expect(clippy::option_option, reason = "no cache and no ProjectConfig are two things")]
    pub(crate) fn config(&self, project: &str) -> Option<Option<Arc<ProjectConfig>>> {
        self.configs.get(project, project)
    }

    /// The Stages that hold a piece of Freight; nothing before the cache was filled.
    pub(crate) fn holding(&self, project: &str, freight: &str) -> Option<Vec<String>> {
        let stages = self.stages.filled()?.state();
        let here = stages.iter().filter(|s| s.metadata.namespace.as_deref() == Some(project));
        Some(here.filter(|s| holder(s, freight)).map(|s| s.name_any()).collect())
    }

    /// `<namespace>/<name>` of each; nothing before the cache was filled.
    pub(crate) fn applications_naming(&self, named: &Named) -> Option<Vec<String>> {
        let applications = self.applications.filled()?.state();
        Some(naming(applications.iter().map(AsRef::as_ref), named))
    }
}

impl<K: Lookup + Clone + Send + Sync + 'static> Cache<K>
where
    K::DynamicType: Default + std::hash::Hash + Eq + Clone + Send + Sync,
{
    fn fill(
        kind: &'static str,
        events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
        unreadable: Unreadable,
        readiness: &Readiness,
        tasks: &mut Tasks,
        #[cfg(feature = "fault-points")] hold: crate::fault::Hold,
    ) -> Self {
        let (store, writer) = store();
        let filled = Arc::default();
        let filler = Filler {
            writer,
            filled: Arc::clone(&filled),
            gate: readiness.gate(kind),
            #[cfg(feature = "fault-points")]
            hold,
        };
        // What is judged while the process ends is judged by what is known then.
        tasks.support(kind, |last| filler.run(kind, events, last));
        Self { store, filled, unreadable }
    }

    #[expect(clippy::option_option, reason = "no cache and no object are two things")]
    fn get(&self, namespace: &str, name: &str) -> Option<Option<Arc<K>>> {
        if self.unreadable.contains(namespace, name) {
            return None;
        }
        let key = ObjectRef::new(name).within(namespace);
        self.filled().map(|store| store.get(&key))
    }

    fn filled(&self) -> Option<&Store<K>> {
        self.filled.load(Ordering::Acquire).then_some(&self.store)
    }
}

/// As [`Caches::applications_naming`], without a cache: metadata only.
pub(crate) async fn list_applications_naming(
    client: &Client,
    named: &Named,
) -> kube::Result<Vec<String>> {
    let api: Api<PartialObjectMeta<Application>> = Api::all(client.clone());
    let mut found =
        gather(&api, |application| names(&application, named).then(|| place(&application))).await?;
    found.sort_unstable();
    Ok(found)
}

/// As [`Caches::holding`], without a cache.
pub(crate) async fn list_holding(
    client: &Client,
    project: &str,
    freight: &str,
) -> kube::Result<Vec<String>> {
    let api: Api<Stage> = Api::namespaced(client.clone(), project);
    gather(&api, |stage| holder(&stage, freight).then(|| stage.name_any())).await
}

fn holder(stage: &Stage, freight: &str) -> bool {
    stage.status.as_ref().is_some_and(|status| holds(status, freight))
}

/// Those that name it, in order.
fn naming<'a>(
    applications: impl Iterator<Item = &'a PartialObjectMeta<Application>>,
    named: &Named,
) -> Vec<String> {
    let mut found: Vec<_> = applications.filter(|a| names(a, named)).map(place).collect();
    found.sort_unstable();
    found
}

fn names(application: &PartialObjectMeta<Application>, named: &Named) -> bool {
    let annotation =
        application.annotations().get(AUTHORIZED_STAGE).map(String::as_str).unwrap_or_default();
    claim::named(annotation).any(|stage| match named {
        Named::Stage(name) => stage == *name,
        Named::Project(project) => stage.project == *project,
    })
}

fn place(application: &PartialObjectMeta<Application>) -> String {
    let namespace = application.meta().namespace.as_deref().unwrap_or_default();
    format!("{namespace}/{}", application.name_any())
}

/// Keeps of ten thousand Applications what is asked for.
fn prune(application: &mut PartialObjectMeta<Application>) {
    let metadata = application.meta_mut();
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key == AUTHORIZED_STAGE);
    }
}

struct Filler<K: Lookup + Clone + 'static>
where
    K::DynamicType: std::hash::Hash + Eq + Clone,
{
    writer: Writer<K>,
    filled: Arc<AtomicBool>,
    gate: Gate,
    #[cfg(feature = "fault-points")]
    hold: crate::fault::Hold,
}

impl<K: Lookup + Clone + 'static> Filler<K>
where
    K::DynamicType: std::hash::Hash + Eq + Clone,
{
    async fn run(
        mut self,
        kind: &'static str,
        events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
        last: Shutdown,
    ) -> anyhow::Result<()> {
        pin_mut!(events);
        loop {
            let event = tokio::select! {
                () = last.cancelled() => return Ok(()),
                event = events.next() => event,
            };
            match event {
                Some(Ok(event)) => {
                    #[cfg(feature = "fault-points")]
                    let _turn = tokio::select! {
                        () = last.cancelled() => return Ok(()),
                        turn = self.hold.turn() => turn,
                    };
                    self.writer.apply_watcher_event(&event);
                    if matches!(event, watcher::Event::InitDone)
                        && !self.filled.swap(true, Ordering::AcqRel)
                    {
                        info!(kind, "Cache filled");
                        self.gate.open();
                    }
                }
                // It goes on by itself, more slowly each time.
                Some(Err(error)) => warn!(kind, %error, "Watch interrupted"),
                None => bail!("the watch of {kind} ended"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_application_names_what_its_annotation_lists() {
        let app = |name: &str, annotation: &str| -> PartialObjectMeta<Application> {
            let metadata = json!({ "name": name, "namespace": "argocd", "labels": {}, "annotations": { AUTHORIZED_STAGE: annotation, "x": "y" } });
            let mut app = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
            prune(&mut app);
            assert_eq!(app.annotations().len(), 1);
            app
        };
        let apps = [
            app("b", "shop:prod"),
            app("a", "x, shop:prod,other:dev"),
            app("c", "shop:prod-eu"),
            app("d", "shop:dev"),
            app("e", ""),
        ];
        let stage = |text: &str| Named::Stage(text.parse().unwrap());
        assert_eq!(naming(apps.iter(), &stage("shop:prod")), ["argocd/a", "argocd/b"]);
        assert_eq!(naming(apps.iter(), &stage("shop:none")), [""; 0]);
        assert_eq!(naming(apps.iter(), &Named::Project("other".into())), ["argocd/a"]);
        assert_eq!(naming(apps.iter(), &Named::Project("shop".into())).len(), 4);
    }
}
