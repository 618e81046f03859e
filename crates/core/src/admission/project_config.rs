//! ProjectConfigs: one in each Project, under the Project's name.

use std::collections::BTreeMap;

use wharfinger_api::additions::ApplicationRules;
use wharfinger_api::v1alpha1::{ProjectConfig, PromotionPolicy};

use super::faults::Faults;
use super::{Allowed, Context, Stop, namespace, receivers, selector, window};
use crate::claim::shown;
use crate::pattern::Pattern;

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(new) = context.after::<ProjectConfig>()? else { return Ok(Allowed::default()) };
    let mut faults = Faults::default();
    let name = new.metadata.name.as_deref().unwrap_or_default();
    if name != context.project() {
        let fault =
            format!("must be the Project's name, {}, and is {:?}", context.project(), shown(name));
        faults.at("metadata.name", fault);
    }
    if context.changes("spec")? {
        policies(&new.spec.promotion_policies, &mut faults);
        receivers::judge(&new.spec.webhook_receivers, &mut faults);
        window::judge_of_project(&new.spec.promotion_windows, &mut faults);
        if let Some(rules) = &new.spec.wharfinger {
            application_rules(rules, &mut faults);
        }
    }
    faults.judge()?;
    namespace::of_project(context)?;
    Ok(Allowed::default())
}

fn policies(policies: &[PromotionPolicy], faults: &mut Faults) {
    let mut exact = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        let field = format!("spec.promotionPolicies[{index}]");
        if let Some(chosen) = &policy.stage_selector {
            selector::judge(chosen, &format!("{field}.stageSelector"), faults);
        }
        let name = policy.stage_selector.as_ref().map_or(&policy.stage, |chosen| &chosen.name);
        // Which of two that name the same Stage decides would not be seen at a glance. Patterns may overlap.
        if name.is_empty() || name.contains(':') {
            continue;
        }
        if let Some(first) = exact.get(name) {
            faults.at(
                &field,
                format_args!("Stage {} has spec.promotionPolicies[{first}] already", shown(name)),
            );
        } else {
            exact.insert(name, index);
        }
    }
}

fn application_rules(rules: &ApplicationRules, faults: &mut Faults) {
    for (index, chosen) in rules.applications.iter().enumerate() {
        for (name, glob) in
            [("namespace", &chosen.namespace), ("project", &chosen.project), ("name", &chosen.name)]
        {
            if let Err(e) = Pattern::glob(glob) {
                faults.at(format_args!("spec.wharfinger.applications[{index}].{name}"), e);
            }
        }
    }
    for (index, user) in rules.released_by.iter().enumerate() {
        if user.trim().is_empty() {
            let field = format!("spec.wharfinger.releasedBy[{index}]");
            faults.at(field, "must be the name of a user");
        }
    }
}
