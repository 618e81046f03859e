//! The sources of an Application, and the claims they carry.

use std::ptr;

use serde_json::{Map, Value};
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::Change;
use crate::admission::Stop;
use crate::admission::facts::ask_stage;
use crate::assignment::{Answer, Asker, Question, judge as may_have};
use crate::check::{Check, Code};
use crate::claim::{Claimed, Malformed, StageName, ours, shown};

pub(super) fn judge(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    if change.new.spec.source_hydrator.is_some() {
        let text = "Argo CD deploys what spec.sourceHydrator says in place of the sources that are rendered with Freight";
        return Err(Check::failed(Code::Leaving, text).fix("Remove spec.sourceHydrator").into());
    }
    let old = change.old.map_or(&[][..], |old| old.sources());
    let again =
        change.glass_mended() || change.was(AUTHORIZED_STAGE) != change.is(AUTHORIZED_STAGE);
    for source in ours(change.new.sources()) {
        // Not judged again: the Stage may have moved on, and this write may be about something else.
        if again || !old.iter().any(|old| same(old, source)) {
            claim(change, stage, source)?;
        }
    }
    Ok(())
}

/// A path to our socket is as good as its name to Argo CD, and would go unseen by all of us.
pub(super) fn judge_names(change: &Change<'_>) -> Result<(), Stop> {
    let odd =
        change.new.sources().iter().filter_map(Source::plugin).find(|name| name.contains('/'));
    let Some(name) = odd else { return Ok(()) };
    let text = format!("{:?} is not the name of a plugin", shown(name));
    Err(Check::failed(Code::Leaving, text)
        .fix(format!("Call it {PLUGIN}, if that is meant"))
        .into())
}

/// Whether a source may have the claim it carries.
pub(super) fn claim(change: &Change<'_>, stage: &StageName, source: &Source) -> Result<(), Stop> {
    let claimed = &Claimed::of(source);
    let seen = change.context.facts.seen(stage)?;
    let shown = [Some(change.new), change.old]
        .into_iter()
        .flatten()
        .map(|app| newest(app.sources(), stage))
        .max();
    let known = seen.status.and_then(|s| s.assignment.as_ref()).map(|a| a.generation);
    // The Application has seen an assignment that the cache has not: what is current there may be outdated here.
    if !seen.live && shown > Some(known.unwrap_or(0)) {
        return Err(ask_stage(stage, true));
    }
    match may_have(&Question { stage, claimed, seen, asker: Asker::Admit }) {
        Answer::Yes(_) => Ok(()),
        Answer::Look(_) => Err(ask_stage(stage, true)),
        // The Stage went from under it. It can't be rendered, and it has to be put right.
        Answer::No(check)
            if check.code == Code::StageMissing && claimed_before(change, claimed) =>
        {
            Ok(())
        }
        // There was nothing to claim. It can't be rendered until there is.
        Answer::No(check)
            if claims_nothing(claimed)
                && matches!(check.code, Code::Unassigned | Code::StageMissing) =>
        {
            Ok(())
        }
        Answer::No(check) => Err(check.into()),
    }
}

/// The newest generation of a Stage that sources claim; 0 for none.
pub(super) fn newest(sources: &[Source], stage: &StageName) -> u64 {
    let claims = ours(sources)
        .filter_map(|s| Claimed::of(s).ok())
        .filter(|c| c.stage.as_ref() == Some(stage));
    claims.filter_map(|c| c.claim).map(|c| c.generation).max().unwrap_or(0)
}

fn claimed_before(change: &Change<'_>, claimed: &Result<Claimed, Malformed>) -> bool {
    let before = change.old.iter().flat_map(|old| ours(old.sources()));
    claimed.is_ok() && before.map(Claimed::of).any(|before| before == *claimed)
}

fn claims_nothing<E>(claimed: &Result<Claimed, E>) -> bool {
    claimed.as_ref().is_ok_and(|c| c.claim.is_none())
}

/// Whether two sources are the same to Argo CD, which leaves out what is empty whenever it writes one.
pub(super) fn same(one: &Source, other: &Source) -> bool {
    // They are one where the spec before is the spec after.
    ptr::eq(one, other) || one == other || lean(&one.0) == lean(&other.0)
}

/// Whether two sources are the same but for their revision.
pub(super) fn same_but_revision(one: &Source, other: &Source) -> bool {
    let without = |source: &Source| {
        let mut map = lean(&source.0);
        map.shift_remove("targetRevision");
        map
    };
    without(one) == without(other)
}

/// A source without what Argo CD leaves out when it writes one. An empty `directory` says how it is rendered, so it stays;
/// so does what a parameter of a plugin is.
pub(super) fn lean(source: &Map<String, Value>) -> Map<String, Value> {
    let lean = |(key, value): (&String, &Value)| {
        let mut leaned = lean_value(value);
        if let (Some(plugin), Some(parameters)) = (leaned.as_object_mut(), value.get("parameters"))
            && key == "plugin"
            && !empty(parameters)
        {
            plugin.insert("parameters".into(), parameters.clone());
        }
        (key.clone(), leaned)
    };
    source.iter().map(lean).filter(|(_, value)| value.is_object() || !empty(value)).collect()
}

pub(super) fn lean_value(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let lean = map.iter().map(|(key, value)| (key.clone(), lean_value(value)));
            Value::Object(lean.filter(|(_, value)| !empty(value)).collect())
        }
        // Its length counts, so its elements stay.
        Value::Array(list) => list.iter().map(lean_value).collect(),
        other => other.clone(),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}
