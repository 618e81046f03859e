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
    for (key, value) in selector.match_labels.iter().flatten() {
        if !label::is_key(key) || !label::is_value(value) {
            let fault = format!("\"{}={}\" can't be a label", shown(key), shown(value));
            faults.at(format_args!("{field}.matchLabels"), fault);
        }
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let field = format!("{field}.matchExpressions[{index}]");
        let values = requirement.values.as_deref().unwrap_or_default();
        if !label::is_key(&requirement.key) {
            let fault = format!("{:?} can't be the key of a label", shown(&requirement.key));
            faults.at(format_args!("{field}.key"), fault);
        }
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                faults.at(
                    format_args!("{field}.values"),
                    format_args!("{} takes at least one value", requirement.operator),
                );
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                faults.at(
                    format_args!("{field}.values"),
                    format_args!("{} takes no values", requirement.operator),
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => faults
                .at(format_args!("{field}.operator"), "must be In, NotIn, Exists or DoesNotExist"),
        }
        if let Some(value) = values.iter().find(|value| !label::is_value(value)) {
            let fault = format!("{:?} can't be the value of a label", shown(value));
            faults.at(format_args!("{field}.values"), fault);
        }
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
