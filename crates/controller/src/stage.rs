//! One Stage: its Promotions, one after the other, and what is known about it.
//!
//! *Flow*: what the stores say → `core::promotion::next` → one write → again, until there is nothing to do but wait.
//! *Guarantees*: the Stage's status is written before anything that follows from it; whatever is written carries the
//! resourceVersion of what it was worked out from. So the process may die between any two writes: what is there says how to
//! go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{info, warn};
use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::{Freight, Promotion, PromotionStatus, Stage, StageStatus};
use wharfinger_core::availability;
use wharfinger_core::check::Code;
use wharfinger_core::claim::{Claim, StageName, carry};
use wharfinger_core::converge::{self, Progress};
use wharfinger_core::policy::auto_promotion;
use wharfinger_core::promotion::{self, Ended, Member, Next, Phase, Plan};
use wharfinger_core::stage::{self, Freshness, Glimpse};

use crate::application::{promotion as at_work, situation};
use crate::apply::{self, Error};
use crate::clock;
use crate::event;
use crate::passage;
use crate::queue::Again;
use crate::residence;
use crate::store::Key;
use crate::world::World;

/// How many writes may follow one another before other Stages get a turn.
const ROUNDS: usize = 50;
/// How often a Promotion is looked at while it waits, though nothing changes: some checks hang on time alone.
const TICK: Duration = Duration::from_secs(1);
/// How long the first news of a Promotion at work waits for its Applications to be patched: the patches are what somebody waits
/// for, and a hundred Stages at once leave little room beside them.
const COURTESY: SignedDuration = SignedDuration::from_millis(200);
/// How long Argo CD is given to look at an Application, before the Stage is looked at again.
const LAG: SignedDuration = SignedDuration::from_secs(2);
/// Before what is not urgent is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// Between two writes of nothing but progress.
const PROGRESS: Duration = Duration::from_millis(500);

/// What is remembered from one look at a Stage to the next. It may be lost at any time.
#[derive(Default)]
pub(crate) struct Memory {
    glimpses: HashMap<Key, Glimpse>,
    progress_written: Option<Instant>,
}

pub(crate) async fn reconcile(world: Arc<World>, key: Key) -> Again {
    let mut memory = world.memory.take(&key).unwrap_or_default();
    let again = match Look::new(&world, &key).work(&mut memory).await {
        Ok(again) => again,
        Err(error) => {
            warn!(stage = %key, error = &error as &dyn std::error::Error, "Working on the Stage failed");
            Again::Failed
        }
    };
    if world.stages.get(&key).is_some() {
        world.memory.put(&key, memory);
    }
    again
}

/// One look at a Stage.
struct Look<'w> {
    world: &'w World,
    key: &'w Key,
    name: StageName,
}

impl<'w> Look<'w> {
    fn new(world: &'w World, key: &'w Key) -> Self {
        Self {
            world,
            key,
            name: StageName { project: key.namespace.clone(), stage: key.name.clone() },
        }
    }

    async fn work(&self, memory: &mut Memory) -> Result<Again, Error> {
        for _ in 0..ROUNDS {
            let Some(object) = self.world.stages.get(self.key) else { return Ok(Again::Done) };
            let promotions = self.world.promotions.of_stage(self.key);
            let status = object.status.clone().unwrap_or_default();
            let now = self.world.clock.now();
            match promotion::next(&status, &promotions, now) {
                Next::End(promotion, ended) => self.end(promotion, &ended, now).await?,
                // What goes away starts nothing.
                Next::Start(..) if object.metadata.deletion_timestamp.is_some() => {
                    return Ok(Again::Done);
                }
                Next::Start(promotion, _) => {
                    self.start(&object, &promotions, promotion, now).await?;
                }
                Next::Work { promotion, plan, until } => {
                    let progress = self.progress(&object, memory, now);
                    self.ask(&progress, now).await;
                    let (next, deadline) = advance(promotion, &status, &plan, &progress, now);
                    let over = wharfinger_core::assignment::is_terminal(&next.phase);
                    let began = promotion.status.as_ref().is_some_and(|s| s.phase == "Running");
                    let wait = match began {
                        _ if over => None,
                        true => memory.progress_written.map(|at| at + PROGRESS),
                        false => self
                            .unpatched(&status, &progress)
                            .filter(|until| now < *until)
                            .map(|until| clock::instant(until, now)),
                    };
                    let mut times = vec![Instant::now() + TICK];
                    times.extend(
                        until.into_iter().chain(deadline).map(|at| clock::instant(at, now)),
                    );
                    if promotion.status.as_ref() != Some(&next) {
                        match wait.filter(|at| Instant::now() < *at) {
                            Some(at) => times.push(at),
                            None => {
                                memory.progress_written = Some(Instant::now());
                                self.write(promotion, next, now).await?;
                                continue;
                            }
                        }
                    }
                    if self.observe(&object, &promotions, None, now).await? {
                        continue;
                    }
                    let mut rest = self.queued(&promotions, promotion).await;
                    if rest.is_ok() {
                        rest = residence::settle(self.world, self.key, &status, &promotions, now)
                            .await;
                    }
                    times.extend(self.later(rest));
                    return Ok(times.into_iter().min().map_or(Again::Done, Again::At));
                }
                Next::Idle => {
                    let progress = self.progress(&object, memory, now);
                    let waits = self.ask(&progress, now).await;
                    let health = status.assignment.is_some().then(|| health(&progress));
                    if self.observe(&object, &promotions, health, now).await? {
                        continue;
                    }
                    let mut times: Vec<_> =
                        waits.into_iter().map(|at| clock::instant(at, now)).collect();
                    let rest =
                        residence::settle(self.world, self.key, &status, &promotions, now).await;
                    times.extend(self.later(rest));
                    if stage::is_control_flow(&object) {
                        match passage::pass_on(self.world, &object, now).await {
                            Ok(more) => times.extend(more.map(|at| clock::instant(at, now))),
                            Err(error) => times.extend(self.later(Err(error))),
                        }
                    }
                    return Ok(times.into_iter().min().map_or(Again::Done, Again::At));
                }
            }
        }
        // What is written is not what is read back, or somebody writes against us.
        warn!(stage = %self.key, "The Stage does not come to rest");
        Ok(Again::Failed)
    }

    /// What fails here is tried again later, and keeps no Promotion waiting.
    fn later(&self, result: Result<(), Error>) -> Option<Instant> {
        let error = result.err()?;
        warn!(stage = %self.key, error = &error as &dyn std::error::Error, "Keeping account of the Stage failed");
        Some(Instant::now() + PAUSE)
    }

    /// Commits a Promotion's assignment: the one write that decides.
    async fn start(
        &self,
        stage: &Stage,
        promotions: &[Arc<Promotion>],
        promotion: &Promotion,
        now: Timestamp,
    ) -> Result<(), Error> {
        let freights = self.freights(stage, promotion).await?;
        let freights: Vec<_> = freights.iter().collect();
        let upstream = freights.iter().flat_map(|f| availability::upstream_of(stage, f));
        let upstream: Vec<_> = upstream
            .map(|s| (s, self.world.stages.get(&Key::new(&self.key.namespace, s))))
            .collect();
        let upstream = upstream.iter().map(|(name, known)| (*name, known.as_deref())).collect();
        let status = match promotion::commit(stage, promotion, &freights, &upstream, now) {
            Ok(status) => status,
            Err(check) => {
                return self.end(promotion, &Ended::by(Phase::Errored, check, None), now).await;
            }
        };
        // The same write says how the one before it ended, and what it means for the conditions.
        let committed = Stage { status: Some(status), ..stage.clone() };
        let status = self.observed(&committed, promotions, None, now);
        let assignment = status.assignment.clone();
        self.world.faults.before_assign();
        if self.put(stage, status).await? {
            self.world.faults.after_assign();
            if let Some(a) = assignment {
                let promotion = &a.promotion;
                info!(stage = %self.key, promotion, generation = a.generation, collection = a.collection, "Assigned");
            }
        }
        Ok(())
    }

    /// The Freight that a Promotion is judged by, from the Stage's own namespace and no other.
    async fn freights(&self, stage: &Stage, promotion: &Promotion) -> Result<Vec<Freight>, Error> {
        // What no object can be called becomes no part of a path.
        let sound = |n: &&str| {
            n.starts_with(|c: char| c.is_ascii_alphanumeric())
                && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        };
        let mut found = vec![];
        for name in availability::needed(stage, promotion).into_iter().filter(sound) {
            match apply::live(&self.world.client, &Key::new(&self.key.namespace, name)).await {
                Ok(freight) => found.push(freight),
                Err(Error::Gone) => {}
                // A refusal too: that we may not read it now is no reason to end the Promotion.
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }

    /// How far every Application of the Stage is.
    fn progress(&self, object: &Stage, memory: &mut Memory, now: Timestamp) -> Vec<Seen> {
        let held = object.status.as_ref().and_then(converge::held).map(|(claim, _)| claim);
        let promotion = at_work(self.world, object);
        let apps = self.world.applications.of_stage(self.key);
        let mut before = std::mem::take(&mut memory.glimpses);
        let seen = apps.into_iter().map(|app| {
            let key = Key::of(&*app);
            let mut progress =
                converge::progress(&situation(&app, &self.name, object, promotion.as_deref(), now));
            let refused = self.world.attempts.get(&key).and_then(|a| a.refused);
            if let Some(refused) = refused.filter(|_| !progress.done() && !progress.failed()) {
                progress.check = refused;
            }
            let fresh = match &held {
                Some(claim) if progress.done() => {
                    self.fresh(&key, &app, claim, &mut before, memory, now)
                }
                _ => Freshness::Ask,
            };
            Seen { key, app, progress, fresh }
        });
        seen.collect()
    }

    fn fresh(
        &self,
        key: &Key,
        app: &Application,
        claim: &Claim,
        before: &mut HashMap<Key, Glimpse>,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Freshness {
        let (glimpse, freshness) = stage::freshness(app, claim, before.remove(key), now);
        memory.glimpses.insert(key.clone(), glimpse);
        freshness
    }

    /// Until when the patches of Applications have precedence, while some are missing.
    fn unpatched(&self, status: &StageStatus, progress: &[Seen]) -> Option<Timestamp> {
        let (claim, _) = converge::held(status)?;
        let missing = progress.iter().any(|s| !carry(s.app.spec.sources(), &self.name, &claim));
        status.assignment.as_ref().filter(|_| missing).map(|a| a.assigned_at + COURTESY)
    }

    /// Asks Argo CD to look at Applications it lags behind with. Says when to see whether it has.
    async fn ask(&self, progress: &[Seen], now: Timestamp) -> Option<Timestamp> {
        let late = progress
            .iter()
            .filter(|s| s.progress.refresh || (s.progress.done() && s.fresh == Freshness::Ask));
        let asked = join_all(late.map(|seen| async {
            if let Err(error) = self.world.refresh(&seen.key, false, now).await {
                warn!(application = %seen.key, error = &error as &dyn std::error::Error, "Asking Argo CD to look again failed");
            }
        }));
        asked.await;
        let waits = progress.iter().filter_map(|s| match s.fresh {
            Freshness::Wait(until) => Some(until),
            Freshness::Ask if s.progress.done() || s.progress.check.code == Code::Comparing => {
                Some(now + LAG)
            }
            Freshness::Fresh | Freshness::Ask => None,
        });
        waits.min()
    }

    async fn end(&self, promotion: &Promotion, ended: &Ended, now: Timestamp) -> Result<(), Error> {
        self.write(promotion, ended.status(promotion, now), now).await
    }

    /// Says of those that wait for their turn that they do.
    async fn queued(
        &self,
        promotions: &[Arc<Promotion>],
        working: &Promotion,
    ) -> Result<(), Error> {
        let phase = |p: &Promotion| p.status.as_ref().map_or(String::new(), |s| s.phase.clone());
        for waiting in
            promotions.iter().filter(|p| phase(p).is_empty() && Key::of(&***p) != Key::of(working))
        {
            let status = PromotionStatus {
                phase: "Pending".into(),
                ..waiting.status.clone().unwrap_or_default()
            };
            self.write(waiting, status, self.world.clock.now()).await?;
        }
        Ok(())
    }

    /// Writes a Promotion's status. If it has changed meanwhile, it is read, and the next round decides anew.
    async fn write(
        &self,
        promotion: &Promotion,
        status: PromotionStatus,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = Key::of(promotion);
        let over = wharfinger_core::assignment::is_terminal(&status.phase);
        let (phase, message) = (status.phase.clone(), status.message.clone());
        let mut object = Promotion { status: Some(status), ..promotion.clone() };
        let asked = object
            .metadata
            .annotations
            .as_ref()
            .and_then(|a| a.get(wharfinger_api::v1alpha1::REFRESH))
            .cloned();
        if let (Some(status), Some(asked)) = (&mut object.status, asked) {
            status.last_handled_refresh = asked;
        }
        let (written, recorded) = join(apply::status(&self.world.client, &object), async {
            if over { event::record(&self.world.client, &object, now).await } else { Ok(()) }
        })
        .await;
        if let Err(error) = recorded {
            warn!(promotion = %key, error = &error as &dyn std::error::Error, "An event was lost");
        }
        match written {
            Ok(answer) => {
                if over {
                    info!(promotion = %key, stage = %self.key, phase, why = message, "Ended");
                }
                self.world.promotion_answered(answer);
                Ok(())
            }
            Err(Error::Stale) => match apply::live(&self.world.client, &key).await {
                Ok(answer) => {
                    self.world.promotion_answered(answer);
                    Ok(())
                }
                Err(Error::Gone) => self.forget_promotion(&key),
                Err(e) => Err(e),
            },
            Err(Error::Gone) => self.forget_promotion(&key),
            Err(e) => Err(e),
        }
    }

    fn forget_promotion(&self, key: &Key) -> Result<(), Error> {
        self.world
            .promotions
            .gone(key)
            .iter()
            .for_each(|change| self.world.promotion_changed(change));
        Ok(())
    }

    /// What is known about the Stage.
    fn observed(
        &self,
        object: &Stage,
        promotions: &[Arc<Promotion>],
        health: Option<wharfinger_api::v1alpha1::Health>,
        now: Timestamp,
    ) -> StageStatus {
        let mut status = stage::observe(object, promotions, health, now);
        let project = &self.key.namespace;
        let config = self.world.configs.get(&Key::new(project, project));
        let automatic = auto_promotion(config.as_deref(), object);
        if let Err(broken) = &automatic {
            warn!(stage = %self.key, %broken, "Whether promotion is automatic can't be told");
        }
        stage::hold(object, promotions, automatic.ok(), &mut status);
        status
    }

    /// Writes what is known about the Stage, if it is news. Says whether it was.
    async fn observe(
        &self,
        object: &Stage,
        promotions: &[Arc<Promotion>],
        health: Option<wharfinger_api::v1alpha1::Health>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let status = self.observed(object, promotions, health, now);
        if object.status.as_ref() == Some(&status) {
            return Ok(false);
        }
        self.put(object, status).await?;
        Ok(true)
    }

    /// Writes the Stage's status as worked out from `stage`. If that is no longer what is there, nothing is written, and the
    /// next round decides anew.
    async fn put(&self, stage: &Stage, status: StageStatus) -> Result<bool, Error> {
        let object = Stage { status: Some(status), ..stage.clone() };
        match apply::status(&self.world.client, &object).await {
            Ok(answer) => {
                self.world.stage_answered(answer);
                Ok(true)
            }
            Err(Error::Stale) => {
                match apply::live(&self.world.client, self.key).await {
                    Ok(answer) => self.world.stage_answered(answer),
                    Err(Error::Gone) => self.forget_stage(),
                    Err(e) => return Err(e),
                }
                Ok(false)
            }
            Err(Error::Gone) => {
                self.forget_stage();
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    fn forget_stage(&self) {
        self.world.stages.gone(self.key).iter().for_each(|change| self.world.stage_changed(change));
    }
}

/// An Application of the Stage, as it is.
struct Seen {
    key: Key,
    app: Arc<Application>,
    progress: Progress,
    fresh: Freshness,
}

fn advance(
    promotion: &Promotion,
    status: &StageStatus,
    plan: &Plan,
    progress: &[Seen],
    now: Timestamp,
) -> (PromotionStatus, Option<Timestamp>) {
    let members = progress.iter().map(|seen| Member {
        namespace: seen.key.namespace.clone(),
        name: seen.key.name.clone(),
        progress: seen.progress.clone(),
    });
    promotion::advance(promotion, status, plan, &members.collect::<Vec<_>>(), now)
}

fn health(progress: &[Seen]) -> wharfinger_api::v1alpha1::Health {
    let members =
        progress.iter().map(|s| (&*s.app, s.progress.clone(), s.fresh == Freshness::Fresh));
    stage::health(&members.collect::<Vec<_>>())
}
