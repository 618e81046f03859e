//! Steps, as Stages and tasks write them.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::PromotionStep;

use super::faults::Faults;
use crate::claim::shown;

/// Whether the names of steps tell them apart.
pub(super) fn judge_names(steps: &[PromotionStep], field: &str, faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let alias = step.alias.trim();
        if alias.is_empty() {
            continue;
        }
        let at = format!("{field}[{index}].as");
        if reserved(alias) {
            faults.at(&at, format_args!("{:?} is the name of a step without one", shown(alias)));
        }
        if let Some(first) = seen.get(alias) {
            faults.at(
                &at,
                format_args!("{:?} is the name of {field}[{first}] already", shown(alias)),
            );
        } else {
            seen.insert(alias, index);
        }
    }
}

/// What a step that names a task may not have: it stands for several, of which each has its own.
pub(super) fn judge_tasks(steps: &[PromotionStep], field: &str, faults: &mut Faults) {
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.task.is_some()) {
        if !step.condition.is_empty() {
            faults.at(
                format_args!("{field}[{index}].if"),
                "a step that names a task has no condition",
            );
        }
        if !step.config.is_null() {
            let fault = "a step that names a task has no config; what it takes is in vars";
            faults.at(format_args!("{field}[{index}].config"), fault);
        }
    }
}

/// `step-<n>` and `task-<n>` are what steps are called that have no name.
fn reserved(alias: &str) -> bool {
    let number = alias.strip_prefix("step-").or_else(|| alias.strip_prefix("task-"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
