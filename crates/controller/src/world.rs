//! What the workers share: the stores, who is woken by what, and what the workers have to tell one another.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use tokio::sync::Notify;
use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::{
    AUTHORIZED_STAGE, Freight, FreightOrigin, ProjectConfig, Promotion, Stage,
};
use wharfinger_core::claim::{Claim, Claimed, StageName, ours, the_stage};
use wharfinger_core::converge::{RenderFailure, render_failed};
use wharfinger_core::promotion::over;
use wharfinger_core::recover::{Failing, REFRESH};
use wharfinger_core::stage::is_control_flow;
use wharfinger_daemon::Clock;

use crate::application::Attempt;
use crate::apply::{self, Error};
use crate::fault::Faults;
use crate::queue::Waker;
use crate::stage::Memory;
use crate::store::{Change, Key, Store};

/// How long Argo CD is given to look at an Application, before it is asked again.
const PATIENCE: SignedDuration = SignedDuration::from_secs(2);

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) stages: Store<Stage>,
    pub(crate) promotions: Store<Promotion>,
    /// Those that name a Stage and our plugin.
    pub(crate) applications: Store<Application>,
    pub(crate) freights: Store<Freight>,
    pub(crate) configs: Store<ProjectConfig>,
    /// Whether all Freight has been seen once: until then what is not in the store may be there all the same.
    freights_listed: AtomicBool,
    pub(crate) stage_waker: Waker<Key>,
    pub(crate) application_waker: Waker<Key>,
    /// Patches that were sent, by Application.
    pub(crate) attempts: Table<Attempt>,
    /// What is remembered from one look at a Stage to the next.
    pub(crate) memory: Table<Memory>,
    asked: Table<Timestamp>,
    pub(crate) failing: Mutex<BTreeMap<Key, Failing>>,
    /// Something has changed in `failing`.
    pub(crate) failing_changed: Notify,
    /// One of `failing` came back.
    pub(crate) recovered: Notify,
    pub(crate) faults: Faults,
}

impl World {
    pub(crate) fn new(
        client: Client,
        clock: Clock,
        stage_waker: Waker<Key>,
        application_waker: Waker<Key>,
        faults: Faults,
    ) -> Self {
        Self {
            client,
            clock,
            stages: Store::new(groups_of_stage),
            promotions: Store::new(|p| vec![stage_of_promotion(p)]),
            applications: Store::new(|app| stage_of(app).map(|s| key(&s)).into_iter().collect()),
            freights: Store::new(groups_of_freight),
            configs: Store::new(|config| vec![Key::of(config)]),
            freights_listed: AtomicBool::new(false),
            stage_waker,
            application_waker,
            attempts: Table::default(),
            memory: Table::default(),
            asked: Table::default(),
            failing: Mutex::default(),
            failing_changed: Notify::new(),
            recovered: Notify::new(),
            faults,
        }
    }

    pub(crate) fn stage_changed(&self, change: &Change<Stage>) {
        let assignment = |stage: &Option<Arc<Stage>>| {
            stage.as_ref().and_then(|s| s.status.as_ref()).and_then(|s| s.assignment.clone())
        };
        if assignment(&change.old) != assignment(&change.new)
            || change.old.is_none() != change.new.is_none()
        {
            for app in self.applications.of_stage(&change.key) {
                self.note_failure(&app);
                self.application_waker.wake(Key::of(&*app));
            }
        }
        if change.new.is_none() {
            self.memory.take(&change.key);
        }
        self.stage_waker.wake(change.key.clone());
    }

    pub(crate) fn promotion_changed(&self, change: &Change<Promotion>) {
        let Some(any) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let stage = stage_of_promotion(any);
        let open = |p: &Option<Arc<Promotion>>| p.as_ref().is_some_and(|p| !over(p));
        if open(&change.old) != open(&change.new) {
            for app in self.applications.of_stage(&stage) {
                self.application_waker.wake(Key::of(&*app));
            }
        }
        self.stage_waker.wake(stage);
    }

    pub(crate) fn application_changed(&self, change: &Change<Application>) {
        for app in [&change.old, &change.new].into_iter().flatten() {
            if let Some(stage) = stage_of(app) {
                self.stage_waker.wake(key(&stage));
            }
        }
        match &change.new {
            Some(app) => {
                self.note_failure(app);
                self.application_waker.wake(change.key.clone());
            }
            None => {
                self.attempts.take(&change.key);
                self.asked.take(&change.key);
                self.failing().remove(&change.key);
                self.failing_changed.notify_one();
            }
        }
    }

    pub(crate) fn freight_changed(&self, change: &Change<Freight>) {
        for freight in [&change.old, &change.new].into_iter().flatten() {
            stages_of_freight(freight).for_each(|stage| self.stage_waker.wake(stage));
            let passing_on = self.stages.of_stage(&origin(freight));
            passing_on.iter().for_each(|stage| self.stage_waker.wake(Key::of(&**stage)));
        }
    }

    pub(crate) fn config_changed(&self, change: &Change<ProjectConfig>) {
        let stages = self.stages.keys().into_iter();
        stages
            .filter(|stage| stage.namespace == change.key.namespace)
            .for_each(|stage| self.stage_waker.wake(stage));
    }

    /// All Freight is in the store from now on: what waited for that may begin.
    pub(crate) fn freights_are_listed(&self) {
        self.freights_listed.store(true, Ordering::Release);
        self.stages.keys().into_iter().for_each(|stage| self.stage_waker.wake(stage));
    }

    pub(crate) fn freights_listed(&self) -> bool {
        self.freights_listed.load(Ordering::Acquire)
    }

    /// Asks Argo CD to look at an Application, unless it has been asked a moment ago and has not looked yet.
    pub(crate) async fn refresh(&self, app: &Key, hard: bool, now: Timestamp) -> Result<(), Error> {
        let recent = |at: Timestamp| now.duration_since(at) < PATIENCE;
        let pending = self.applications.get(app).is_none_or(|a| a.annotation(REFRESH).is_some());
        if pending || self.asked.get(app).is_some_and(recent) {
            return Ok(());
        }
        self.asked.put(app, now);
        let answer = apply::refresh(&self.client, app, hard).await?;
        self.application_answered(answer);
        Ok(())
    }

    pub(crate) fn stage_answered(&self, stage: Stage) {
        if let Some(change) = self.stages.answered(stage) {
            self.stage_changed(&change);
        }
    }

    pub(crate) fn promotion_answered(&self, promotion: Promotion) {
        if let Some(change) = self.promotions.answered(promotion) {
            self.promotion_changed(&change);
        }
    }

    pub(crate) fn application_answered(&self, mut app: Application) {
        prune_application(&mut app);
        if let Some(change) = self.applications.answered(app) {
            self.application_changed(&change);
        }
    }

    pub(crate) fn freight_answered(&self, mut freight: Freight) {
        prune_freight(&mut freight);
        if let Some(change) = self.freights.answered(freight) {
            self.freight_changed(&change);
        }
    }

    pub(crate) fn failing(&self) -> MutexGuard<'_, BTreeMap<Key, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps account of the Applications that can't be rendered.
    fn note_failure(&self, app: &Application) {
        let key = Key::of(app);
        let mut failing = self.failing();
        let before = failing.remove(&key);
        let after = render_failed(app).map(|failure| Failing {
            failure,
            asked: app.annotation(REFRESH).is_some(),
            about: self.about(app),
        });
        let back =
            after.is_none() && before.as_ref().is_some_and(|b| b.failure != RenderFailure::Refused);
        let changed = before != after;
        if let Some(after) = after {
            failing.insert(key, after);
        }
        drop(failing);
        if back {
            self.recovered.notify_one();
        }
        if changed {
            self.failing_changed.notify_one();
        }
    }

    /// What a refusal to render an Application is about.
    fn about(&self, app: &Application) -> String {
        let claims: Vec<_> = ours(app.spec.sources()).map(Claimed::of).collect();
        let stage = stage_of(app).and_then(|s| self.stages.get(&key(&s)));
        let assignment =
            stage.as_ref().and_then(|s| s.status.as_ref()?.assignment.as_ref()).map(Claim::of);
        format!("{claims:?} {assignment:?}")
    }
}

/// Values by key, shared.
pub(crate) struct Table<V>(Mutex<HashMap<Key, V>>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Table<V> {
    pub(crate) fn put(&self, key: &Key, value: V) {
        self.lock().insert(key.clone(), value);
    }

    pub(crate) fn take(&self, key: &Key) -> Option<V> {
        self.lock().remove(key)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<V>
    where
        V: Clone,
    {
        self.lock().get(key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one Stage of an Application that names it and our plugin.
pub(crate) fn stage_of(app: &Application) -> Option<StageName> {
    ours(app.spec.sources()).next()?;
    the_stage(app.annotation(AUTHORIZED_STAGE)).ok()
}

pub(crate) fn key(stage: &StageName) -> Key {
    Key::new(&stage.project, &stage.stage)
}

fn stage_of_promotion(promotion: &Promotion) -> Key {
    Key::new(promotion.metadata.namespace.clone().unwrap_or_default(), &promotion.spec.stage)
}

/// A Stage belongs to itself; one that passes Freight on, to the origins of that Freight too.
fn groups_of_stage(stage: &Stage) -> Vec<Key> {
    let mut groups = vec![Key::of(stage)];
    if is_control_flow(stage) {
        let namespace = stage.metadata.namespace.as_deref().unwrap_or_default();
        let origins = stage.spec.requested_freight.iter().map(|r| &r.origin);
        groups.extend(origins.map(|origin| origin_key(namespace, origin)));
    }
    groups
}

/// Freight belongs to the Stages that it is in, and to its origin.
fn groups_of_freight(freight: &Freight) -> Vec<Key> {
    stages_of_freight(freight).chain([origin(freight)]).collect()
}

fn stages_of_freight(freight: &Freight) -> impl Iterator<Item = Key> {
    let namespace = freight.metadata.namespace.as_deref().unwrap_or_default();
    let stages = freight.status.iter().flat_map(|s| s.currently_in.keys());
    stages.map(move |stage| Key::new(namespace, stage))
}

fn origin(freight: &Freight) -> Key {
    origin_key(freight.metadata.namespace.as_deref().unwrap_or_default(), &freight.origin)
}

/// With its slash it can't be taken for the name of a Stage.
pub(crate) fn origin_key(namespace: &str, origin: &FreightOrigin) -> Key {
    Key::new(namespace, origin.to_string())
}

/// Drops what nobody here reads: with ten thousand Applications it would be most of the memory.
pub(crate) fn prune_application(app: &mut Application) {
    app.metadata.managed_fields = None;
    app.metadata.labels = None;
    app.spec.destination = None;
    app.spec.source_hydrator = None;
    if let Some(annotations) = &mut app.metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Of Freight only where it comes from and where it is matters here; what it holds is read when it is promoted.
pub(crate) fn prune_freight(freight: &mut Freight) {
    freight.metadata.managed_fields = None;
    freight.metadata.annotations = None;
    freight.metadata.labels = None;
    freight.metadata.owner_references = None;
    freight.commits.clear();
    freight.images.clear();
    freight.charts.clear();
    freight.artifacts.clear();
    if let Some(status) = &mut freight.status {
        status.metadata.clear();
    }
}
