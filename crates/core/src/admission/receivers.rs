//! Receivers of webhooks, of a Project and of the cluster.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{GenericReceiver, TargetSelectionCriteria, WebhookReceiver};

use super::faults::Faults;
use super::selector;
use crate::claim::shown;
use crate::expression::{self, Functions};

pub(super) fn judge(receivers: &[WebhookReceiver], faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for (index, receiver) in receivers.iter().enumerate() {
        let field = format!("spec.webhookReceivers[{index}]");
        if let Some(first) = seen.insert(&receiver.name, index) {
            let fault = format!(
                "{:?} is the name of spec.webhookReceivers[{first}] already",
                shown(&receiver.name)
            );
            faults.at(format_args!("{field}.name"), fault);
        }
        let types = types(receiver);
        if types.len() != 1 {
            let found = if types.is_empty() { "none".into() } else { types.join(", ") };
            faults.at(&field, format_args!("must have exactly one type, and has {found}"));
        }
        if let Some(generic) = &receiver.generic {
            judge_generic(generic, &format!("{field}.generic"), faults);
        }
    }
}

fn judge_generic(receiver: &GenericReceiver, field: &str, faults: &mut Faults) {
    for (action, index) in receiver.actions.iter().zip(0..) {
        if !action.when_expression.is_empty()
            && let Err(fault) = expression::compile(&action.when_expression, &Functions::default())
        {
            faults.at(format_args!("{field}.actions[{index}].whenExpression"), fault);
        }
        for (criteria, number) in action.target_selection_criteria.iter().zip(0..) {
            let field = format!("{field}.actions[{index}].targetSelectionCriteria[{number}]");
            if chooses_nothing(criteria) {
                faults.at(&field, "must have a name, a labelSelector or an indexSelector");
            }
            if let Some(labels) = &criteria.label_selector {
                selector::labels(labels, &format!("{field}.labelSelector"), faults);
            }
        }
    }
}

fn chooses_nothing(criteria: &TargetSelectionCriteria) -> bool {
    let TargetSelectionCriteria { kind: _, name, label_selector, index_selector } = criteria;
    let labels = label_selector.as_ref().is_some_and(|labels| {
        labels.match_labels.as_ref().is_some_and(|l| !l.is_empty())
            || labels.match_expressions.as_ref().is_some_and(|e| !e.is_empty())
    });
    let indices = index_selector.as_ref().is_some_and(|s| !s.match_indices.is_empty());
    name.is_empty() && !labels && !indices
}

/// Kargo forgets to count Harbor, and lets a receiver without a type in. Neither could ever receive anything.
fn types(receiver: &WebhookReceiver) -> Vec<&'static str> {
    let WebhookReceiver {
        name: _,
        artifactory,
        azure,
        bitbucket,
        docker_hub,
        generic,
        gitea,
        git_hub,
        git_lab,
        harbor,
        quay,
    } = receiver;
    [
        ("artifactory", artifactory.is_some()),
        ("azure", azure.is_some()),
        ("bitbucket", bitbucket.is_some()),
        ("dockerhub", docker_hub.is_some()),
        ("generic", generic.is_some()),
        ("gitea", gitea.is_some()),
        ("github", git_hub.is_some()),
        ("gitlab", git_lab.is_some()),
        ("harbor", harbor.is_some()),
        ("quay", quay.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
    .collect()
}
