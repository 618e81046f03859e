//! Selectors of policies and windows: by name or pattern, and by labels.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use wharfinger_api::v1alpha1::NameOrLabels;

use super::faults::Faults;
use crate::claim::shown;
use crate::label;
use crate::pattern::Pattern;

pub(super) fn judge(selector: &NameOrLabels, field: &str, faults: &mut Faults) {
    name(&selector.name, &format!("{field}.name"), faults);
    labels(&selector.labels(), field, faults);
}

pub(super) fn labels(selector: &LabelSelector, field: &str, faults: &mut Faults) {
    for (below, fault) in label::faults(selector) {
        faults.at(format_args!("{field}{below}"), fault);
    }
}

fn name(name: &str, field: &str, faults: &mut Faults) {
    match Pattern::parse(name) {
        // No name has a colon: it is a prefix that is not known.
        Ok(Pattern::Exact(exact)) if exact.contains(':') => {
            faults.at(
                field,
                format_args!(
                    "{:?} has an unknown prefix; a pattern begins with glob:, regex: or regexp:",
                    shown(&exact)
                ),
            );
        }
        Ok(_) => {}
        Err(e) => faults.at(field, e),
    }
}
