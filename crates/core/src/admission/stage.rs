//! Stages: they are written in the words of today, what they hold is written by an assignment and by nothing else, and none goes from under its Applications.

mod request;
mod spec;

use wharfinger_api::v1alpha1::Stage;

use super::facts::{Named, Verb, status};
use super::{Allowed, Context, Operation, Stop, legacy, namespace, owner, read, shard};
use crate::assignment::lawful;
use crate::check::{Check, Code};
use crate::claim::StageName;

pub(super) fn mutate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(mut object) = context.new_value()?.cloned() else { return Ok(Allowed::default()) };
    let warnings = legacy::stage(context, &mut object)?;
    // What can't be understood is left as it is: the schema says what is wrong with it, all at once.
    if let Ok(new) = read::<Stage>(&object, "as it was sent") {
        shard::label(&mut object["metadata"], &new.spec.shard);
        request::sign(context, &mut object["metadata"])?;
    }
    Ok(Allowed { warnings, object: Some(object), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    if context.review.operation == Operation::Delete {
        return delete(context);
    }
    let Some(new) = context.after::<Stage>()? else { return Ok(Allowed::default()) };
    let mut warnings = vec![];
    if context.changes("spec")? {
        warnings = spec::judge(&new.spec)?;
    }
    namespace::of_project(context)?;
    let name = named(new);
    owner::judge(context, &name, &format!("Stage {name}"))?;
    Ok(Allowed { warnings, ..Allowed::default() })
}

fn delete(context: &Context<'_>) -> Result<Allowed, Stop> {
    if context.by_kubernetes() {
        return Ok(Allowed::default());
    }
    let Some(stage) = context.before::<Stage>()? else { return Ok(Allowed::default()) };
    let name = named(stage);
    let what = format!("Stage {name}");
    unused(context, &Named::Stage(name.clone()), &name, &what)
}

fn named(stage: Stage) -> StageName {
    StageName {
        project: stage.metadata.namespace.unwrap_or_default(),
        stage: stage.metadata.name.unwrap_or_default(),
    }
}

pub(super) fn validate_status(context: &Context<'_>) -> Result<Allowed, Stop> {
    let allowed = context.controllers_only("the status of a Stage")?;
    // Nearly every write leaves both as they are, and then they need not be understood.
    if context.same(&["status", "assignment"])? && context.same(&["status", "freightHistory"])? {
        return Ok(allowed);
    }
    if let (Some(old), Some(new)) = (context.before::<Stage>()?, context.after::<Stage>()?) {
        lawful(status(&old), status(&new))?;
    }
    Ok(allowed)
}

/// Whether something may be deleted that Applications may still name.
pub(super) fn unused(
    context: &Context<'_>,
    named: &Named,
    on: &StageName,
    what: &str,
) -> Result<Allowed, Stop> {
    let applications = context.facts.applications_naming(named)?;
    if applications.is_empty() || context.may(Verb::Bypass, on)? {
        return Ok(Allowed::default());
    }
    let shown = applications.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match applications.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "{what} is named by Applications, which could not be rendered any more: {shown}{more}"
    );
    let fix = format!(
        "Take them from the Stage first, or delete it as somebody with the verb {} on Stages there",
        Verb::Bypass
    );
    Err(Check::failed(Code::InUse, text).fix(fix).into())
}

/// How many Applications a denial names.
const SHOWN: usize = 5;
