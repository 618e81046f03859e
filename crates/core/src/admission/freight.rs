//! Freight: its name is what it holds, so what it holds never changes.

mod alias;
mod contents;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{EVENT_PREFIX, Freight};

use super::project::every;
use super::{Allowed, Context, Event, Operation, Stop, Verb, entries, namespace, owner};
use crate::check::{Check, Code};
use crate::claim::StageName;
use crate::freight;
use crate::promotion::second;

pub(super) fn mutate(context: &Context<'_>, ulid: &str) -> Result<Allowed, Stop> {
    let (Some(object), Some(new)) = (context.new_value()?, context.after::<Freight>()?) else {
        return Ok(Allowed::default());
    };
    let mut object = object.clone();
    if context.review.operation == Operation::Create {
        object["metadata"]["name"] = freight::name(&new).into();
    }
    alias::settle(context, &new, &mut object, ulid)?;
    if new.discovered_at.is_none() {
        let created = new.metadata.creation_timestamp.clone();
        object["discoveredAt"] = json!(created.unwrap_or_else(|| second(context.review.now)));
    }
    Ok(Allowed { object: Some(object), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Create => create(context)?,
        Operation::Update => update(context)?,
        Operation::Delete => delete(context)?,
    }
    Ok(Allowed::default())
}

fn create(context: &Context<'_>) -> Result<(), Stop> {
    let Some(new) = context.after::<Freight>()? else { return Ok(()) };
    // The name was put there a moment ago. What comes after that may have changed either.
    let name = freight::name(&new);
    if new.metadata.name.as_deref() != Some(&name) {
        let text = format!("metadata.name: Freight that holds this is named {name}");
        return Err(Check::failed(Code::Freight, text).fix("Leave its name out").into());
    }
    namespace::of_project(context)?;
    owned(context, &name)?;
    contents::judge(context, &new)?;
    alias::judge(context, &new)
}

fn update(context: &Context<'_>) -> Result<(), Stop> {
    let (old, new) = (context.old_value()?, context.new_value()?);
    if let Some(field) = CONTENT.iter().find(|field| at(old, field) != at(new, field)) {
        let text =
            format!("{field}: that of Freight can't be changed, since its name says what it holds");
        return Err(Check::failed(Code::Immutable, text).fix("Create other Freight").into());
    }
    let Some(new) = context.after::<Freight>()? else { return Ok(()) };
    owned(context, new.metadata.name.as_deref().unwrap_or_default())?;
    if context.changes("alias")? { alias::judge(context, &new) } else { Ok(()) }
}

/// Any Stage may come to hold it, so an owner takes a permission on all of them.
fn owned(context: &Context<'_>, name: &str) -> Result<(), Stop> {
    owner::judge(context, &every(context.project()), &format!("Freight {name}"))
}

/// Whoever deletes what a Stage holds could not go back to it, and the Stage could not be rendered.
fn delete(context: &Context<'_>) -> Result<(), Stop> {
    let Some(old) = context.before::<Freight>()? else { return Ok(()) };
    if context.by_kubernetes() {
        return Ok(());
    }
    let project = context.project();
    let name = old.metadata.name.unwrap_or_default();
    // A cache may be behind either way; the Freight's own status is one more witness.
    let mut perhaps: BTreeSet<&str> =
        context.facts.holding(project, &name)?.iter().map(String::as_str).collect();
    let status = old.status.unwrap_or_default();
    perhaps.extend(status.currently_in.keys().map(String::as_str));
    for stage in perhaps {
        let Ok(on) = format!("{project}:{stage}").parse::<StageName>() else { continue };
        let holds = context.facts.stage_live(&on)?.and_then(|s| s.status.as_ref());
        if holds.is_some_and(|status| freight::holds(status, &name)) {
            let text = format!("Stage {on} holds this Freight");
            let fix = format!("Promote other Freight to Stage {stage} first");
            return Err(Check::failed(Code::FreightHeld, text).fix(fix).into());
        }
    }
    Ok(())
}

/// The controllers write it. People, through whichever door, may approve.
pub(super) fn validate_status(context: &Context<'_>) -> Result<Allowed, Stop> {
    if context.by_controller() {
        return Ok(Allowed::default());
    }
    let (Some(old), Some(new)) = (context.old_value()?, context.new_value()?) else {
        return Ok(Allowed::default());
    };
    let (approved, approvals) = (entries(old, &APPROVALS), entries(new, &APPROVALS));
    let kept = approved.iter().all(|(stage, approval)| approvals.get(stage) == Some(approval));
    if !kept || rest(old) != rest(new) {
        let text = format!(
            "of Freight's status {} may add entries to approvedFor and change nothing else",
            context.review.user
        );
        return Err(Check::failed(Code::StatusGuard, text)
            .fix("Read the Freight again, and add the Stage it is approved for")
            .into());
    }
    let project = new.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let mut events = vec![];
    for stage in approvals.keys().filter(|stage| !approved.contains_key(*stage)) {
        let stage = StageName { project: project.into(), stage: (*stage).into() };
        context.require(Verb::Promote, &stage, "approve Freight")?;
        events.push(approval(context, new, &stage));
    }
    Ok(Allowed { events, ..Allowed::default() })
}

fn approval(context: &Context<'_>, freight: &Value, stage: &StageName) -> Event {
    let text = |path: &str| freight.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let actor = context.actor();
    let annotations = [
        ("actor", actor.as_str()),
        ("project", &stage.project),
        ("stage-name", &stage.stage),
        ("freight-name", text("/metadata/name")),
        ("freight-alias", text("/alias")),
        ("freight-create-time", text("/metadata/creationTimestamp")),
        ("freight-warehouse-name", text("/origin/name")),
    ];
    let artifacts =
        ["commits", "images", "charts", "artifacts"].map(|kind| (kind, freight.get(kind)));
    let artifacts = artifacts.into_iter().filter_map(|(kind, list)| {
        let list = list.filter(|list| !list.is_null())?.to_string();
        (list.len() <= TOLD).then(|| (format!("freight-{kind}"), list))
    });
    let annotations: BTreeMap<_, _> = annotations
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .chain(artifacts)
        .map(|(key, value)| (format!("{EVENT_PREFIX}{key}"), value))
        .collect();
    Event {
        warning: false,
        reason: "FreightApproved",
        text: format!("Freight approved for Stage {:?} by {actor:?}", stage.stage),
        annotations,
    }
}

/// How much of each list of artifacts goes into an event, whose annotations hold 256 kB in all.
const TOLD: usize = 32 << 10;

const CONTENT: [&str; 5] = ["origin", "commits", "images", "charts", "artifacts"];
const APPROVALS: [&str; 2] = ["status", "approvedFor"];

/// A field of the content; an empty list is none.
fn at<'v>(object: Option<&'v Value>, field: &str) -> Option<&'v Value> {
    object?.get(field).filter(|v| !v.is_null() && v.as_array().is_none_or(|list| !list.is_empty()))
}

/// The status without its approvals.
fn rest(object: &Value) -> Value {
    let mut status = object.get("status").cloned().unwrap_or_default();
    if let Some(fields) = status.as_object_mut() {
        fields.shift_remove("approvedFor");
        if fields.is_empty() {
            return Value::Null;
        }
    }
    status
}
