//! What a Stage asks for, as far as it says so without a look at anything else.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{FreightRequest, PromotionStep, StageSpec};

use crate::admission::Stop;
use crate::admission::faults::Faults;
use crate::admission::steps;
use crate::claim::shown;
use crate::promotion::is_known;

/// Denies what can't be meant. What is returned are warnings.
pub(super) fn judge(spec: &StageSpec) -> Result<Vec<String>, Stop> {
    let mut faults = Faults::default();
    let mut warnings = vec![];
    requests(&spec.requested_freight, &mut faults, &mut warnings);
    if let Some(template) = &spec.promotion_template {
        let steps = &template.spec.steps;
        steps::judge_names(steps, STEPS, &mut faults);
        steps::judge_tasks(steps, STEPS, &mut faults);
        warnings.extend(not_carried_out(steps));
    }
    faults.judge()?;
    Ok(warnings)
}

const STEPS: &str = "spec.promotionTemplate.spec.steps";

fn requests(requests: &[FreightRequest], faults: &mut Faults, warnings: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        let field = format!("spec.requestedFreight[{index}]");
        let sources = &request.sources;
        if let Some(first) = seen.get(&request.origin) {
            let origin = request.origin.to_string();
            let fault = format!(
                "{} is asked for by spec.requestedFreight[{first}] already",
                shown(&origin)
            );
            faults.at(format_args!("{field}.origin"), fault);
        } else {
            seen.insert(&request.origin, index);
        }
        let policy = sources.auto_promotion_options.as_ref().map(|o| o.selection_policy.as_str());
        if policy == Some("MatchUpstream") && (sources.direct || sources.stages.len() != 1) {
            faults.at(
                format_args!("{field}.sources.autoPromotionOptions.selectionPolicy"),
                "MatchUpstream takes exactly one upstream Stage in sources.stages, and direct: false",
            );
        }
        if !sources.direct && sources.stages.is_empty() {
            warnings.push(format!("{field}.sources: neither direct nor stages: no Freight will ever be available by it"));
        }
    }
}

/// Steps of Kargo's that this version does not know: the Stage is what it is, but a promotion to it will fail.
fn not_carried_out(steps: &[PromotionStep]) -> Option<String> {
    // What a task does is seen when a Promotion is made of it.
    let of = |(index, step): (usize, &PromotionStep)| {
        let known = step.task.is_some() || is_known(&step.uses);
        (!known).then(|| format!("{STEPS}[{index}] ({})", shown(&step.uses)))
    };
    let unknown: Vec<_> = steps.iter().enumerate().filter_map(of).take(SHOWN).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "this version can't carry out {}: Promotions to the Stage will fail",
            unknown.join(", ")
        )
    })
}

/// How many a warning names.
const SHOWN: usize = 10;
