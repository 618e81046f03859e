//! Argo CD's Applications: nothing changes which Freight one deploys, except a promotion of its Stage.
//!
//! The promise is made where a source names our plugin. An Application with native sources that only names a Stage has given
//! that Stage its consent, so only the annotation is looked after.

mod annotation;
mod consent;
mod evidence;
pub(super) mod fields;
mod glass;
pub(super) mod guard;
mod inject;
mod operation;
mod source;

use serde_json::Value;
use wharfinger_api::additions::{BREAK_GLASS, PLUGIN};
use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::{Allowed, Context, Stop};
use crate::claim::{StageName, ours, the_stage};

pub(super) use inject::mutate;

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    ask_first(context)?;
    // Deleting an Application takes what it deploys with it; it does not change what it deploys.
    let Some(new) = context.after()? else { return Ok(Allowed::default()) };
    let change = Change { context, old: context.before()?, new };
    annotation::judge(&change)?;
    let lifted = glass::judge(&change)?;
    let mut allowed = Allowed::default();
    if !lifted {
        consent::judge(&change)?;
        source::judge_names(&change)?;
    }
    if change.renders() {
        let stage = the_stage(change.new.annotation(AUTHORIZED_STAGE))?;
        if !lifted {
            allowed.warnings.extend(rules(&change, &stage)?);
        }
    }
    allowed.events.extend(glass::event(&change));
    Ok(allowed)
}

/// Asks for the Stage that nearly every rule takes, unless the rules are lifted. To be asked for it when the Applications
/// are understood means to understand them twice, which is most of the work.
fn ask_first(context: &Context<'_>) -> Result<(), Stop> {
    let new = context.review.new;
    let Some(spec) = new.and_then(|new| new.get("spec")) else { return Ok(()) };
    let several = spec.get("sources").and_then(Value::as_array).into_iter().flatten();
    let mut names =
        spec.get("source").into_iter().chain(several).map(|s| s.pointer("/plugin/name"));
    if names.any(|name| name.and_then(Value::as_str) == Some(PLUGIN))
        && Context::annotation(new, BREAK_GLASS).is_none()
        && let Ok(stage) = the_stage(Context::annotation(new, AUTHORIZED_STAGE))
    {
        context.facts.stage(&stage)?;
    }
    Ok(())
}

/// The rules that break-glass lifts. What is returned is a warning.
fn rules(change: &Change<'_>, stage: &StageName) -> Result<Option<String>, Stop> {
    source::judge(change, stage)?;
    guard::judge(change, stage)?;
    operation::judge(change, stage)?;
    evidence::judge(change, stage)?;
    operation::judge_state(change, stage)?;
    let missing = change.context.facts.stage_if_any(stage)?.is_none();
    Ok(missing.then(|| format!("there is no Stage {stage} yet: the Application can't be rendered before the Stage holds Freight")))
}

/// An Application before and after.
struct Change<'a> {
    context: &'a Context<'a>,
    old: Option<Application>,
    new: Application,
}

impl<'a> Change<'a> {
    /// Whether anything in it is to be rendered with Freight.
    fn renders(&self) -> bool {
        let sync = self.new.operation.as_ref().and_then(|o| o.sync.as_ref());
        ours(self.new.spec.sources())
            .chain(sync.into_iter().flat_map(|s| ours(s.sources())))
            .next()
            .is_some()
    }

    fn was(&self, annotation: &str) -> Option<&str> {
        self.old.as_ref()?.annotation(annotation)
    }

    fn is(&self, annotation: &str) -> Option<&str> {
        self.new.annotation(annotation)
    }

    /// The rules apply again: to all there is, not only to what changes now.
    fn glass_mended(&self) -> bool {
        self.was(BREAK_GLASS).is_some() && self.is(BREAK_GLASS).is_none()
    }

    /// What the object said and says at a place. As it was sent: our types drop what they don't know.
    fn at(&self, path: &[&str]) -> (Option<&'a Value>, Option<&'a Value>) {
        let review = self.context.review;
        let at = |object: Option<&'a Value>| {
            let value = path.iter().try_fold(object?, |value, key| value.get(key));
            value.filter(|v| !v.is_null())
        };
        (at(review.old), at(review.new))
    }
}
