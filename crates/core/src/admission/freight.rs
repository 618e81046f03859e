//! Freight: its name is what it holds, so what it holds never changes.

use serde_json::Value;
use wharfinger_api::v1alpha1::Freight;

use super::{Allowed, Context, FIXED, Operation, Stop, Verb, entries};
use crate::check::{Check, Code};
use crate::claim::StageName;
use crate::freight;

pub(super) fn mutate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let (Some(object), Some(new)) = (context.review.new, context.after::<Freight>()?) else {
        return Ok(Allowed::default());
    };
    let mut object = object.clone();
    object["metadata"]["name"] = freight::name(&new).into();
    Ok(Allowed { object: Some(object), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Delete => {}
        Operation::Create => {
            // The name was put there a moment ago. What comes after that may have changed either.
            let Some(new) = context.after::<Freight>()? else { return Ok(Allowed::default()) };
            let name = freight::name(&new);
            if new.metadata.name.as_deref() != Some(&name) {
                let text = format!("Freight that holds this is named {name}");
                return Err(Check::failed(Code::Freight, text).fix("Leave its name out").into());
            }
        }
        Operation::Update => {
            let (old, new) = (context.review.old, context.review.new);
            let changed = CONTENT.iter().find(|field| at(old, field) != at(new, field));
            if let Some(field) = changed {
                let text =
                    format!("{field} of Freight can't be changed: its name says what it holds");
                return Err(Check::failed(FIXED, text).fix("Create other Freight").into());
            }
        }
    }
    Ok(Allowed::default())
}

/// The controllers write it. People, through whichever door, may approve.
pub(super) fn validate_status(context: &Context<'_>) -> Result<Allowed, Stop> {
    if context.by_controller() {
        return Ok(Allowed::default());
    }
    let (Some(old), Some(new)) = (context.review.old, context.review.new) else {
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
    for stage in approvals.keys().filter(|stage| !approved.contains_key(*stage)) {
        let stage = StageName { project: project.into(), stage: (*stage).into() };
        context.require(Verb::Promote, &stage, "approve Freight")?;
    }
    Ok(Allowed::default())
}

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
