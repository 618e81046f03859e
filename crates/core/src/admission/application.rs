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
mod written;

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde::de::value::MapDeserializer;
use serde_json::Value;
use wharfinger_api::additions::BREAK_GLASS;
use wharfinger_api::argocd::{ApplicationSpec, Sources as _};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::{Allowed, Context, Object, Review, Stop, sent, stored, unreadable};
use crate::claim::{StageName, ours, the_stage};
use fields::{Class, changed, class};
use written::{Written, after, annotations, before};

pub(super) use inject::mutate;

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    if is_harmless(context)? {
        return Ok(Allowed::default());
    }
    // Deleting an Application takes what it deploys with it; it does not change what it deploys.
    let Some(new) = after(context)? else { return Ok(Allowed::default()) };
    let change = Change { context, old: before(context)?, new };
    // What is new is read, whether a rule looks at it or not: what nobody can read is not let in.
    if !old_says(context, &["status"]) {
        change.new.status()?;
    }
    let (stays, renders) = (change.stays(), change.renders()?);
    if !stays {
        if renders {
            ask_first(&change)?;
        }
        annotation::judge(&change)?;
    }
    let lifted = glass::judge(&change)?;
    let mut allowed = Allowed::default();
    if !lifted {
        if !stays {
            consent::judge(&change)?;
        }
        source::judge_names(&change)?;
    }
    if renders {
        let stage = the_stage(change.new.annotation(AUTHORIZED_STAGE))?;
        if !lifted {
            allowed.warnings.extend(rules(&change, &stage, stays)?);
        }
    }
    allowed.events.extend(glass::event(&change, renders));
    Ok(allowed)
}

/// Whether a write changes nothing but what is everybody's to change, and no rules were lifted. The rest was judged when it
/// was written.
fn is_harmless(context: &Context<'_>) -> Result<bool, Stop> {
    let Review { old: Some(old), new: Some(new), .. } = *context.review else { return Ok(false) };
    if !old_says(context, &["operation"]) || !old_says(context, &["status"]) {
        return Ok(false);
    }
    let annotations = annotations(context)?;
    let [stage, glass] = [AUTHORIZED_STAGE, BREAK_GLASS]
        .map(|key| annotations.map(|annotations| annotations.and_then(|all| all.get(key))));
    if stage[0] != stage[1] || glass != [None, None] {
        return Ok(false);
    }
    let unlike = unlike(old, new, "spec")?;
    let sent = unlike.iter().filter_map(|(name, [_, new])| Some((name.as_str(), (*new)?)));
    ApplicationSpec::deserialize(MapDeserializer::new(sent))
        .map_err(|e: serde_json::Error| unreadable("as it was sent", &e.to_string()))?;
    let harmless = |path: String| matches!(class(&path), Some(Class::Harmless(_)));
    let mut changes = unlike.iter().flat_map(|(name, values)| {
        let [old, new] = values.map(|value| value.unwrap_or(&Value::Null));
        changed(&format!("spec.{name}"), old, new)
    });
    Ok(changes.all(harmless))
}

/// Whether what was before says the same at a place, to the letter: then it was judged when it was written.
fn old_says(context: &Context<'_>, path: &[&str]) -> bool {
    let Review { old, new, .. } = *context.review;
    old.zip(new).is_some_and(|(old, new)| old.says_as(new, path))
}

/// The fields of a part that are not the same before and after, as they were and as they are.
fn unlike<'a>(old: &'a Object, new: &'a Object, part: &str) -> Result<Unlike<'a>, Stop> {
    let was = old.unlike(new, part).map_err(|e| unreadable("as it is stored", &e))?;
    let is = new.unlike(old, part).map_err(|e| unreadable("as it was sent", &e))?;
    let mut unlike = Unlike::new();
    for (at, side) in [was, is].into_iter().enumerate() {
        for (name, value) in side {
            unlike.entry(name).or_default()[at] = Some(value);
        }
    }
    Ok(unlike)
}

type Unlike<'a> = BTreeMap<String, [Option<&'a Value>; 2]>;

/// Asks for the Stage that nearly every rule takes where the spec is new, so that nothing is judged twice.
fn ask_first(change: &Change<'_>) -> Result<(), Stop> {
    if change.is(BREAK_GLASS).is_none()
        && let Ok(stage) = the_stage(change.is(AUTHORIZED_STAGE))
    {
        change.context.facts.stage(&stage)?;
    }
    Ok(())
}

/// The rules that break-glass lifts. What is returned is a warning.
fn rules(change: &Change<'_>, stage: &StageName, stays: bool) -> Result<Option<String>, Stop> {
    source::judge(change, stage)?;
    if !stays {
        guard::judge(change, stage)?;
    }
    operation::judge(change, stage)?;
    evidence::judge(change, stage)?;
    operation::judge_state(change, stage)?;
    // Where it was missing already, that was told when the spec was written.
    let missing = !stays && change.context.facts.stage_if_any(stage)?.is_none();
    Ok(missing.then(|| format!("there is no Stage {stage} yet: the Application can't be rendered before the Stage holds Freight")))
}

/// An Application before and after.
struct Change<'a> {
    context: &'a Context<'a>,
    old: Option<Written<'a>>,
    new: Written<'a>,
}

impl<'a> Change<'a> {
    /// Whether anything in it is to be rendered with Freight.
    fn renders(&self) -> Result<bool, Stop> {
        let sync = self.new.operation()?.and_then(|o| o.sync.as_ref());
        Ok(self.new.renders || sync.is_some_and(|s| ours(s.sources()).next().is_some()))
    }

    fn was(&self, annotation: &str) -> Option<&'a str> {
        self.old?.annotation(annotation)
    }

    fn is(&self, annotation: &str) -> Option<&'a str> {
        self.new.annotation(annotation)
    }

    /// The spec is as it was, and so is the Stage: as in nearly every write of Argo CD's own. No rule about what joins,
    /// leaves or is guarded has anything to say then.
    fn stays(&self) -> bool {
        old_says(self.context, &["spec"])
            && self.was(AUTHORIZED_STAGE) == self.is(AUTHORIZED_STAGE)
            && self.was(BREAK_GLASS).is_none()
    }

    /// The rules apply again: to all there is, not only to what changes now.
    fn glass_mended(&self) -> bool {
        self.was(BREAK_GLASS).is_some() && self.is(BREAK_GLASS).is_none()
    }

    /// What the object said and says at a place. As it was sent: our types drop what they don't know.
    fn at(&self, path: &[&str]) -> Result<(Option<&'a Value>, Option<&'a Value>), Stop> {
        let Review { old, new, .. } = *self.context.review;
        let old = stored(old, |object| object.at(path))?.flatten();
        Ok((old, sent(new, |object| object.at(path))?.flatten()))
    }
}
