//! Projects: with one comes its namespace, and with one go all its Stages.

use wharfinger_api::v1alpha1::Project;

use super::facts::Named;
use super::faults::Faults;
use super::stage::unused;
use super::{Allowed, Context, Effect, Operation, Stop, namespace};
use crate::claim::{StageName, is_label};

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Create => create(context),
        Operation::Update => Ok(Allowed::default()),
        Operation::Delete => delete(context),
    }
}

/// What follows in the same file as the Project lies in its namespace, so that has to be there when the Project is.
fn create(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(project) = context.after::<Project>()? else { return Ok(Allowed::default()) };
    let name = project.metadata.name.unwrap_or_default();
    let mut faults = Faults::default();
    if !is_label(&name) {
        let fault =
            "must be the name of a namespace: at most 63 lower-case letters, digits and dashes";
        faults.at("metadata.name", fault);
    }
    faults.judge()?;
    let wanting = namespace::wanting(context, &name)?;
    Ok(Allowed {
        effect: wanting.then_some(Effect::CreateNamespace { name }),
        ..Allowed::default()
    })
}

fn delete(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(project) = context.before::<Project>()? else { return Ok(Allowed::default()) };
    let name = project.metadata.name.unwrap_or_default();
    let what = format!("a Stage of Project {name}");
    let all = every(&name);
    unused(context, &Named::Project(name), &all, &what)
}

/// A Project's Stages are asked for by no name, so that a permission on some of them is not enough.
pub(super) fn every(project: &str) -> StageName {
    StageName { project: project.to_owned(), stage: String::new() }
}
