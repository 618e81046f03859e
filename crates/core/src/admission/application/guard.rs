//! What an Application deploys besides its Freight, and where: without a promotion it changes only as its Project lets it.
//!
//! Two Applications are compared whole, and what differs is looked up in the table of fields. So a field that Argo CD gets
//! tomorrow is guarded before anybody has heard of it.

use serde_json::Value;
use wharfinger_api::additions::{Freedom, PLUGIN};
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::fields::{Class, changed, class};
use super::source::{lean, lean_value, same};
use super::{Change, StageName, Written, unlike};
use crate::admission::facts::status;
use crate::admission::{Review, Stop, Verb, lacking};
use crate::check::Check;
use crate::claim::the_stage;
use crate::converge::{held, pinned};

/// A change that is not everybody's to make.
struct Guarded {
    path: String,
    /// What would let everybody make it.
    freedom: Option<Freedom>,
}

pub(super) fn judge(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    let Some(old) = belonged(change, stage) else { return Ok(()) };
    // What our controller writes is part of a promotion.
    if change.context.by_controller() {
        return Ok(());
    }
    let guarded = guarded(change, old, stage)?;
    if guarded.is_empty() {
        return Ok(());
    }
    // With the Stage gone there is nothing to be promoted, and the Application has to be put right.
    if change.context.facts.stage_if_any(stage)?.is_none() {
        return Ok(());
    }
    let freely = freely(change, stage)?;
    let Some(first) = guarded.iter().find(|g| !g.freedom.is_some_and(|f| freely.contains(&f)))
    else {
        return Ok(());
    };
    if change.context.may(Verb::Promote, stage)? {
        return Ok(());
    }
    Err(denied(change, stage, first).into())
}

/// Allows an operation all of whose fields somebody has looked at, and whoever may promote.
pub(super) fn known(change: &Change<'_>, stage: &StageName, operation: &Value) -> Result<(), Stop> {
    let guarded = |operation: &Value| {
        changed("operation", &Value::Null, operation).into_iter().find_map(guard)
    };
    // Mostly there is nothing, and so nothing to be left out of it.
    let Some(first) = guarded(operation).and_then(|_| guarded(&lean_value(operation))) else {
        return Ok(());
    };
    if change.context.by_controller()
        || change.context.facts.stage_if_any(stage)?.is_none()
        || change.context.may(Verb::Promote, stage)?
    {
        return Ok(());
    }
    Err(denied(change, stage, &first).into())
}

/// What a Project lets everybody change. As it is now: what was free a moment ago may be free no more.
fn freely<'f>(change: &Change<'f>, stage: &StageName) -> Result<&'f [Freedom], Stop> {
    let config = change.context.facts.config_live(&stage.project)?;
    let rules = config.and_then(|config| config.spec.wharfinger.as_ref());
    Ok(rules.map_or(&[], |rules| &rules.freely))
}

/// The Application before, if the same Stage's Freight was in it. Whoever joins brings what they have.
fn belonged<'a>(change: &Change<'a>, stage: &StageName) -> Option<Written<'a>> {
    let old = change.old?;
    let both = old.renders && change.new.renders;
    let belonged = the_stage(old.annotation(AUTHORIZED_STAGE)).is_ok_and(|was| was == *stage);
    (both && belonged).then_some(old)
}

fn guarded(change: &Change<'_>, old: Written<'_>, stage: &StageName) -> Result<Vec<Guarded>, Stop> {
    let mut paths = sources(change, old, stage)?;
    let Review { old: Some(old), new: Some(new), .. } = *change.context.review else {
        return Ok(vec![]);
    };
    let mut rest = unlike(old, new, "spec")?;
    rest.retain(|name, _| !["source", "sources"].contains(&name.as_str()));
    let [old, new] = [0, 1].map(|side| {
        let values = rest.iter().filter_map(|(name, values)| Some((name.clone(), values[side]?)));
        lean_value(&values.map(|(name, value)| (name, value.clone())).collect())
    });
    paths.extend(changed("spec", &old, &new));
    Ok(paths.into_iter().filter_map(guard).collect())
}

fn guard(path: String) -> Option<Guarded> {
    match class(&path) {
        Some(Class::Harmless(_) | Class::Pinned(_) | Class::Rule(..)) => None,
        Some(Class::Freely(freedom)) => Some(Guarded { path, freedom: Some(freedom) }),
        // Nobody has looked at it yet.
        Some(Class::Evidence) | None => Some(Guarded { path, freedom: None }),
    }
}

/// In the table: how many sources there are, and in which order.
const SOURCES: &str = "spec.sources";

fn sources(change: &Change<'_>, old: Written<'_>, stage: &StageName) -> Result<Vec<String>, Stop> {
    let (was, is) = (old.sources(), change.new.sources());
    let moved = || is.iter().all(|source| was.iter().any(|w| alike(w, source)));
    if was.len() != is.len() || (!was.iter().zip(is).all(|(w, i)| alike(w, i)) && moved()) {
        return Ok(vec![SOURCES.into()]);
    }
    let mut paths = vec![];
    for (was, is) in was.iter().zip(is) {
        match (rendered(was), rendered(is)) {
            // It leaves: whether it may has been judged.
            (true, false) => {}
            (false, true) => paths.push(SOURCES.into()),
            _ => paths.extend(one(change, was, is, stage)?),
        }
    }
    Ok(paths)
}

/// What differs in a source that stays what it is.
fn one(
    change: &Change<'_>,
    was: &Source,
    is: &Source,
    stage: &StageName,
) -> Result<Vec<String>, Stop> {
    if was == is {
        return Ok(vec![]);
    }
    let values = [was, is].map(|source| Value::Object(lean(&source.0)));
    let mut paths = changed("spec.source", &values[0], &values[1]);
    if !rendered(is) {
        // Not our plugin: its name is how the source is rendered.
        for path in &mut paths {
            if path.starts_with("spec.source.plugin") {
                *path = "spec.source.plugin.parameters".into();
            }
        }
        return Ok(paths);
    }
    // What the Freight pins comes with the claim.
    let found = change.context.facts.stage_if_any(stage)?.map(status).and_then(held);
    let pin = found.and_then(|(_, collection)| pinned(is, collection));
    paths.retain(|path| path != "spec.source.targetRevision" || pin != Some(is.target_revision()));
    Ok(paths)
}

fn rendered(source: &Source) -> bool {
    source.plugin() == Some(PLUGIN)
}

/// Whether two sources differ in their claim at most.
fn alike(one: &Source, other: &Source) -> bool {
    same(one, other)
        || (rendered(one) && rendered(other) && {
            let bare = |source: &Source| {
                let mut bare = source.clone();
                if let Some(plugin) = bare.0.get_mut("plugin").and_then(Value::as_object_mut) {
                    plugin.shift_remove("env");
                }
                bare
            };
            same(&bare(one), &bare(other))
        })
}

/// Allows what the Project lets everybody do, and whoever may promote.
pub(super) fn unless_free(
    change: &Change<'_>,
    stage: &StageName,
    path: &str,
    freedom: Freedom,
) -> Result<(), Stop> {
    if freely(change, stage)?.contains(&freedom) || change.context.may(Verb::Promote, stage)? {
        return Ok(());
    }
    Err(denied(change, stage, &Guarded { path: path.to_owned(), freedom: Some(freedom) }).into())
}

fn denied(change: &Change<'_>, stage: &StageName, guarded: &Guarded) -> Check {
    let why = format!("change {} of an Application without a promotion", guarded.path);
    let mut check = lacking(change.context.review.user, Verb::Promote, stage, &why);
    if let Some(word) = guarded.freedom.map(word) {
        check.fix = format!(
            "{}. Or let everybody who may write the Application change it: in the ProjectConfig of {}, spec: {{wharfinger: {{freely: [{word}]}}}}",
            check.fix, stage.project
        );
    }
    check
}

/// A freedom, as a ProjectConfig has it.
pub(in crate::admission) fn word(freedom: Freedom) -> String {
    serde_json::to_value(freedom)
        .ok()
        .and_then(|v| Some(v.as_str()?.to_owned()))
        .unwrap_or_default()
}
