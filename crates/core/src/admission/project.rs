//! Projects: with one go all its Stages.

use wharfinger_api::v1alpha1::Project;

use super::facts::Named;
use super::stage::unused;
use super::{Allowed, Context, Operation, Stop};
use crate::claim::StageName;

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    if context.review.operation != Operation::Delete {
        return Ok(Allowed::default());
    }
    let Some(project) = context.before::<Project>()? else { return Ok(Allowed::default()) };
    let name = project.metadata.name.unwrap_or_default();
    let what = format!("a Stage of Project {name}");
    // A Project's Stages are asked for by no name, so that a permission on some of them is not enough.
    let every = StageName { project: name.clone(), stage: String::new() };
    unused(context, &Named::Project(name), &every, &what)
}
