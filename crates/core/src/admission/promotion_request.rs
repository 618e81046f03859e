//! PromotionRequests: who may ask is who may promote.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::PromotionRequest;

use super::faults::Faults;
use super::{Allowed, Context, Operation, Stop, Verb, namespace};
use crate::check::{Check, Code};
use crate::claim::{StageName, is_name, shown};

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(new) = context.after::<PromotionRequest>()? else { return Ok(Allowed::default()) };
    if !context.changes("spec")? {
        return Ok(Allowed::default());
    }
    unique(&new)?;
    namespace::of_project(context)?;
    let on = format!("{}:{}", context.project(), new.spec.stage).parse::<StageName>();
    let on = on.map_err(|e| {
        Check::failed(Code::StageMissing, format!("spec.stage: {e}"))
            .fix("Name a Stage of the request's own Project: wharf get stages")
    })?;
    context.require(Verb::Promote, &on, "promote")?;
    if context.review.operation == Operation::Create {
        takes_targets(context, &on)?;
    }
    for (index, target) in new.spec.targets.iter().enumerate() {
        // A name that nothing can have is asked about by nobody: it becomes part of a request.
        if !is_name(&target.name) || !context.facts.target(&on.project, &target.name)? {
            let text = format!(
                "spec.targets[{index}].name: there is no Target {} in Project {}",
                shown(&target.name),
                on.project
            );
            let fix = "Create it first, or leave it out";
            return Err(Check::failed(Code::Target, text).fix(fix).into());
        }
    }
    Ok(Allowed::default())
}

fn unique(request: &PromotionRequest) -> Result<(), Stop> {
    let (mut faults, mut seen) = (Faults::default(), BTreeMap::new());
    for (index, target) in request.spec.targets.iter().enumerate() {
        if let Some(first) = seen.get(&target.name) {
            let fault = format!("{} is in spec.targets[{first}] already", shown(&target.name));
            faults.at(format_args!("spec.targets[{index}].name"), fault);
        } else {
            seen.insert(&target.name, index);
        }
    }
    faults.judge()
}

fn takes_targets(context: &Context<'_>, on: &StageName) -> Result<(), Stop> {
    let takes = |stage: &wharfinger_api::v1alpha1::Stage| stage.spec.targets.is_some();
    if context.facts.stage_if_any(on)?.is_some_and(takes) {
        return Ok(());
    }
    // Perhaps it does since the cache saw it.
    let Some(stage) = context.facts.stage_live(on)? else {
        let text = format!("spec.stage: there is no Stage {} in Project {}", on.stage, on.project);
        return Err(Check::failed(Code::StageMissing, text).fix("Create it first").into());
    };
    if takes(stage) {
        return Ok(());
    }
    let text = format!("spec.stage: Stage {on} is one place: it has no spec.targets");
    Err(Check::failed(Code::Target, text).fix("Create a Promotion to it instead").into())
}
