//! PromotionTasks and ClusterPromotionTasks.

use serde::de::DeserializeOwned;
use wharfinger_api::v1alpha1::{ClusterPromotionTask, PromotionStep, PromotionTask};

use super::faults::Faults;
use super::{Allowed, Context, Stop, namespace, steps};

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    judge(context, |task: &PromotionTask| &task.spec.steps)?;
    if context.review.new.is_some() {
        namespace::of_project(context)?;
    }
    Ok(Allowed::default())
}

pub(super) fn validate_of_cluster(context: &Context<'_>) -> Result<Allowed, Stop> {
    judge(context, |task: &ClusterPromotionTask| &task.spec.steps)?;
    Ok(Allowed::default())
}

fn judge<T: DeserializeOwned>(
    context: &Context<'_>,
    steps_of: impl Fn(&T) -> &[PromotionStep],
) -> Result<(), Stop> {
    let Some(new) = context.after::<T>()? else { return Ok(()) };
    let mut faults = Faults::default();
    if context.changes("spec")? {
        steps::judge_names(steps_of(&new), "spec.steps", &mut faults);
    }
    faults.judge()
}
