//! What a promotion to a Stage does: its template, with tasks resolved.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{
    ExpressionVariable, PromotionStep, PromotionTaskReference, PromotionTaskSpec, Stage,
};

use super::{Context, Stop};
use crate::check::{Check, Code};
use crate::claim::{StageName, is_name};
use crate::promotion::{called, inflate};

#[derive(Debug, PartialEq)]
pub(super) struct Template {
    /// The Stage's, then the template's: of two with one name the later counts.
    pub(super) vars: Vec<ExpressionVariable>,
    pub(super) steps: Vec<PromotionStep>,
}

pub(super) fn template(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
) -> Result<Template, Stop> {
    let template = stage.spec.promotion_template.as_ref().map(|t| &t.spec);
    let Some(template) = template.filter(|t| !t.steps.is_empty()) else {
        let text = format!("Stage {on} has no steps: it only passes Freight on");
        return Err(Check::failed(Code::Step, text)
            .fix("Give it spec.promotionTemplate.spec.steps, such as one that uses assign")
            .into());
    };
    let mut tasks = BTreeMap::new();
    for reference in template.steps.iter().filter_map(|s| s.task.as_ref()) {
        tasks.insert(called(reference), task(context, on, reference)?);
    }
    let vars: Vec<_> = stage.spec.vars.iter().chain(&template.vars).cloned().collect();
    let found = |reference: &_| tasks.get(&called(reference)).copied().flatten();
    let steps = inflate(&template.steps, &vars, found).map_err(|e| {
        Check::failed(Code::Step, format!("Stage {on}: {e}"))
            .fix("Mend the Stage's promotionTemplate or the task, and promote again")
    })?;
    Ok(Template { vars, steps })
}

/// A task, if there is one: of the Stage's own Project, or of the cluster.
fn task<'a>(
    context: &Context<'a>,
    on: &StageName,
    reference: &PromotionTaskReference,
) -> Result<Option<&'a PromotionTaskSpec>, Stop> {
    let project = match reference.kind.as_str() {
        "" | "PromotionTask" => Some(on.project.as_str()),
        "ClusterPromotionTask" => None,
        _ => return Ok(None),
    };
    // It becomes part of a request.
    if !is_name(&reference.name) {
        return Ok(None);
    }
    context.facts.task(project, &reference.name)
}
