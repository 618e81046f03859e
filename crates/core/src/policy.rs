//! Which promotion policy of a Project decides for a Stage.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt as _};
use wharfinger_api::v1alpha1::{NameOrLabels, ProjectConfig, PromotionPolicy, Stage};

use crate::check::{Check, Code};
use crate::label;
use crate::pattern::Pattern;

/// Whether new Freight is promoted to a Stage without being asked. An error where a policy that would decide can't be read.
pub fn auto_promotion(config: Option<&ProjectConfig>, stage: &Stage) -> Result<bool, Check> {
    let Some(config) = config else { return Ok(false) };
    let name = stage.metadata.name.as_deref().unwrap_or_default();
    let none = BTreeMap::new();
    let labels = stage.metadata.labels.as_ref().unwrap_or(&none);
    let policies = &config.spec.promotion_policies;
    match decisive(policies, name, labels) {
        Ok(found) => Ok(found.is_some_and(|index| policies[index].auto_promotion_enabled)),
        Err(broken) => {
            let project = config.metadata.namespace.as_deref().unwrap_or_default();
            let text = format!("ProjectConfig {project}: {broken}");
            Err(Check::failed(Code::Policy, text)
                .fix("Mend the policy, or put one before it that matches the Stage"))
        }
    }
}

/// The index of the policy that decides for a Stage: the first that matches it, whatever it says.
pub fn decisive(
    policies: &[PromotionPolicy],
    stage: &str,
    labels: &BTreeMap<String, String>,
) -> Result<Option<usize>, Broken> {
    for (index, policy) in policies.iter().enumerate() {
        let matched = match &policy.stage_selector {
            Some(selector) => matches(selector, stage, labels),
            None => named(&policy.stage, stage).map_err(|why| ("stage".into(), why)),
        };
        if matched.map_err(|(field, reason)| Broken { index, field, reason })? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// A policy that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.promotionPolicies[{index}].{field}: {reason}")]
pub struct Broken {
    index: usize,
    field: String,
    reason: String,
}

/// Name and labels both have to match.
fn matches(
    selector: &NameOrLabels,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<bool, (String, String)> {
    if !named(&selector.name, name).map_err(|why| ("stageSelector.name".into(), why))? {
        return Ok(false);
    }
    let selector = selector.labels();
    if let Some((below, fault)) = label::faults(&selector).into_iter().next() {
        return Err((format!("stageSelector{below}"), fault));
    }
    match Selector::try_from(selector) {
        Ok(selector) => Ok(selector.matches(labels)),
        Err(e) => Err(("stageSelector".into(), e.to_string())),
    }
}

/// Whether a pattern is about a Stage. None is about every Stage.
fn named(pattern: &str, stage: &str) -> Result<bool, String> {
    if pattern.is_empty() {
        return Ok(true);
    }
    Pattern::parse(pattern).map(|p| p.matches(stage)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_first_policy_that_matches_decides() {
        let on =
            |selector: Value| json!({ "stageSelector": selector, "autoPromotionEnabled": true });
        let off = |selector: Value| json!({ "stageSelector": selector });
        let tier = |tier: &str| json!({ "matchLabels": { "tier": tier } });
        for (policies, expected) in [
            (json!([]), Ok(false)),
            (json!([{ "stage": "prod", "autoPromotionEnabled": true }]), Ok(true)),
            (json!([{ "stage": "dev", "autoPromotionEnabled": true }]), Ok(false)),
            (json!([on(json!({}))]), Ok(true)),
            (json!([on(json!({ "name": "glob:pro*" }))]), Ok(true)),
            (json!([off(json!({ "name": "prod" })), on(json!({}))]), Ok(false)),
            (json!([off(json!({ "name": "dev" })), on(json!({}))]), Ok(true)),
            (json!([on(tier("a"))]), Ok(true)),
            (json!([on(tier("b"))]), Ok(false)),
            (json!([on(json!({ "name": "dev", "matchLabels": { "tier": "a" } }))]), Ok(false)),
            (
                json!([on(
                    json!({ "matchExpressions": [{ "key": "example.com/x", "operator": "DoesNotExist" }] })
                )]),
                Ok(true),
            ),
            (
                json!([off(json!({ "name": "regex:(" })), on(json!({}))]),
                Err(
                    "ProjectConfig shop: spec.promotionPolicies[0].stageSelector.name: no valid regular expression: unclosed group. Mend the policy, or put one before it that matches the Stage [policy]",
                ),
            ),
            (json!([on(json!({})), off(json!({ "name": "regex:(" }))]), Ok(true)),
            (
                json!([on(json!({ "matchExpressions": [{ "key": "a", "operator": "In" }] }))]),
                Err(
                    "ProjectConfig shop: spec.promotionPolicies[0].stageSelector.matchExpressions[0].values: In takes at least one value. Mend the policy, or put one before it that matches the Stage [policy]",
                ),
            ),
            (
                json!([on(json!({ "matchLabels": { "a b": "c" } }))]),
                Err(
                    "ProjectConfig shop: spec.promotionPolicies[0].stageSelector.matchLabels: \"a b=c\" can't be a label. Mend the policy, or put one before it that matches the Stage [policy]",
                ),
            ),
        ] {
            let config: ProjectConfig = serde_json::from_value(json!({
                "apiVersion": "kargo.akuity.io/v1alpha1",
                "kind": "ProjectConfig",
                "metadata": { "name": "shop", "namespace": "shop" },
                "spec": { "promotionPolicies": policies },
            }))
            .unwrap();
            let stage: Stage = serde_json::from_value(json!({
                "apiVersion": "kargo.akuity.io/v1alpha1",
                "kind": "Stage",
                "metadata": { "name": "prod", "namespace": "shop", "labels": { "tier": "a" } },
                "spec": { "requestedFreight": [] },
            }))
            .unwrap();
            let said = auto_promotion(Some(&config), &stage).map_err(|check| check.to_string());
            assert_eq!(said, expected.map_err(str::to_owned), "{policies}");
            assert_eq!(auto_promotion(None, &stage), Ok(false));
        }
    }
}
