//! One Application: brought to what its Stage holds, whoever or whatever took it away from there.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tracing::{info, warn};
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{Promotion, Stage, StageStatus};
use wharfinger_core::check::Check;
use wharfinger_core::claim::StageName;
use wharfinger_core::converge::{self, Next, Situation};
use wharfinger_core::promotion::over;
use wharfinger_core::recover::Attempts;

use crate::apply::{self, Error};
use crate::clock;
use crate::queue::Again;
use crate::store::Key;
use crate::world::{World, key, stage_of};

/// How often an Application may change under our hands before somebody else gets a turn.
const ROUNDS: usize = 10;

/// A patch that was sent, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Which patch, resourceVersion aside.
    patch: u64,
    attempts: Attempts,
    /// Why it was not taken.
    pub(crate) refused: Option<Check>,
}

pub(crate) async fn reconcile(world: Arc<World>, app_key: Key) -> Again {
    if world.faults.held() {
        return Again::Done;
    }
    for _ in 0..ROUNDS {
        let Some(app) = world.applications.get(&app_key) else { return Again::Done };
        let Some(name) = stage_of(&app) else { return Again::Done };
        let Some(stage) = world.stages.get(&key(&name)) else { return Again::Done };
        let now = world.clock.now();
        let promotion = promotion(&world, &stage);
        let next = converge::next(&situation(&app, &name, &stage, promotion.as_deref(), now));
        let (patch, what) = match next {
            Next::Leave => {
                forget(&world, &app_key, now);
                return Again::Done;
            }
            Next::Wait { until, .. } => {
                return until.map_or(Again::Done, |at| Again::At(clock::instant(at, now)));
            }
            Next::Patch(patch) => (patch, "Patching"),
            Next::Terminate(patch) => (patch, "Ending an operation"),
        };
        let id = id(&patch);
        let mut attempt = world
            .attempts
            .get(&app_key)
            .filter(|a| a.patch == id)
            .unwrap_or_else(|| Attempt { patch: id, attempts: Attempts::default(), refused: None });
        let due = attempt.attempts.due(now);
        if now < due {
            return Again::At(clock::instant(due, now));
        }
        info!(application = %app_key, stage = %name, what, "Converging");
        match apply::application(&world.client, &app_key, &patch).await {
            Ok(app) => {
                world.faults.after_patch();
                attempt.attempts.sent(now);
                attempt.refused = None;
                world.attempts.put(&app_key, attempt);
                world.application_answered(app);
                return Again::Done;
            }
            Err(Error::Stale) => match apply::live(&world.client, &app_key).await {
                Ok(app) => world.application_answered(app),
                Err(Error::Gone) => gone(&world, &app_key),
                Err(error) => return failed(&app_key, &error),
            },
            Err(Error::Gone) => gone(&world, &app_key),
            Err(Error::Refused { code, why }) => {
                warn!(application = %app_key, stage = %name, why, "The patch was refused");
                attempt.attempts.sent(now);
                let check = Check::waiting(code, format!("the patch was refused: {why}"));
                let news = attempt.refused.replace(check.clone()) != Some(check);
                let due = attempt.attempts.due(now);
                world.attempts.put(&app_key, attempt);
                if news {
                    world.stage_waker.wake(key(&name));
                }
                return Again::At(clock::instant(due, now));
            }
            Err(error @ Error::Unavailable(_)) => return failed(&app_key, &error),
        }
    }
    Again::Failed
}

/// The Promotion that made the Stage's assignment, while it is at work.
pub(crate) fn promotion(world: &World, stage: &Stage) -> Option<Arc<Promotion>> {
    let name = &stage.status.as_ref()?.assignment.as_ref()?.promotion;
    let key = Key::new(stage.metadata.namespace.clone()?, name);
    world.promotions.get(&key).filter(|p| !over(p))
}

pub(crate) fn situation<'a>(
    app: &'a Application,
    stage: &'a StageName,
    object: &'a Stage,
    promotion: Option<&'a Promotion>,
    now: Timestamp,
) -> Situation<'a> {
    static NOTHING: std::sync::LazyLock<StageStatus> =
        std::sync::LazyLock::new(StageStatus::default);
    let status = object.status.as_ref().unwrap_or(&NOTHING);
    let promotion = promotion.map(|p| converge::Promotion {
        name: p.metadata.name.as_deref().unwrap_or_default(),
        actor: status.assignment.as_ref().map_or("", |a| &a.actor),
    });
    Situation { app, stage, status, promotion, now }
}

/// All is as it should be. What was tried is kept for a while: somebody may undo it again and again.
fn forget(world: &World, app: &Key, now: Timestamp) {
    if let Some(mut attempt) = world.attempts.take(app).filter(|a| !a.attempts.forgotten(now)) {
        attempt.refused = None;
        world.attempts.put(app, attempt);
    }
}

fn gone(world: &World, app: &Key) {
    if let Some(change) = world.applications.gone(app) {
        world.application_changed(&change);
    }
}

fn failed(app: &Key, error: &Error) -> Again {
    warn!(application = %app, error = error as &dyn std::error::Error, "Converging failed");
    Again::Failed
}

/// What a patch does, as a number.
fn id(patch: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (field, value) in
        patch.as_object().into_iter().flatten().filter(|(field, _)| *field != "metadata")
    {
        (field, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}
