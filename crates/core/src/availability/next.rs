//! Where Freight goes from where it is.

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{Freight, Stage};

use super::candidate::age;
use super::{Upstream, availability, passed, requests};
use crate::check::{Check, State};
use crate::stage::is_control_flow;

/// A Stage that Freight may be promoted to, now or later.
#[derive(Clone, Debug, PartialEq)]
pub struct Next<'s> {
    pub stage: &'s str,
    /// What only time is needed for; nothing where it may go there now.
    pub waits: Option<Check>,
}

/// The Stages that Freight may be promoted to, or may once it has been somewhere for long enough; those that are open to it
/// first. A Stage that holds as new Freight of the origin is behind it: to go there would be to go back.
pub fn next<'s>(
    freight: &Freight,
    stages: &'s [Stage],
    freights: &[Freight],
    now: Timestamp,
) -> Vec<Next<'s>> {
    let upstream: Upstream<'_> = stages.iter().map(|stage| (name(stage), Some(stage))).collect();
    let ahead = stages.iter().filter(|stage| {
        !is_control_flow(stage)
            && requests(stage, freight).next().is_some()
            && held(stage, freight, freights).is_none_or(|held| age(held) < age(freight))
    });
    let mut next: Vec<_> = ahead
        .filter_map(|stage| {
            let checks = availability(stage, freight, &upstream, now);
            if passed(&checks) {
                return Some(Next { stage: name(stage), waits: None });
            }
            let in_vain = checks.iter().any(|c| c.state == State::Failed);
            let waits = checks.into_iter().find(|c| c.until.is_some()).filter(|_| !in_vain)?;
            Some(Next { stage: name(stage), waits: Some(waits) })
        })
        .collect();
    next.sort_by_key(|next| next.waits.as_ref().and_then(|check| check.until));
    next
}

/// The Freight of the same origin that a Stage holds. What is not there any more is older than anything.
fn held<'f>(stage: &Stage, freight: &Freight, freights: &'f [Freight]) -> Option<&'f Freight> {
    let held = stage.status.as_ref()?.freight_history.first()?;
    let reference = held.items.values().find(|reference| reference.origin == freight.origin)?;
    freights.iter().find(|f| f.metadata.name.as_deref() == Some(&reference.name))
}

fn name(stage: &Stage) -> &str {
    stage.metadata.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn freight(name: &str, age: i64, status: &Value) -> Freight {
        serde_json::from_value(json!({
            "metadata": { "namespace": "shop", "name": name, "creationTimestamp": NOW - age.hours() },
            "origin": { "kind": "Warehouse", "name": "w" },
            "status": status,
        }))
        .unwrap()
    }

    fn stage(name: &str, sources: &Value, held: Option<&str>) -> Stage {
        let origin = json!({ "kind": "Warehouse", "name": "w" });
        let history = held.map(|held| json!({ "id": "c", "items": { "Warehouse/w": { "name": held, "origin": origin } } }));
        serde_json::from_value(json!({
            "metadata": { "namespace": "shop", "name": name },
            "spec": {
                "requestedFreight": [{ "origin": origin, "sources": sources }],
                "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
            },
            "status": { "freightHistory": history.into_iter().collect::<Vec<_>>() },
        }))
        .unwrap()
    }

    #[test]
    fn freight_goes_on_to_stages_that_hold_older_freight() {
        let dev = json!({ "currentlyIn": { "dev": { "since": NOW - 16.minutes() } }, "verifiedIn": { "dev": { "verifiedAt": NOW } } });
        let freights = [
            freight("old", 3, &json!({ "verifiedIn": { "dev": {}, "prod": {} } })),
            freight("new", 2, &dev),
            freight("newest", 1, &json!({})),
        ];
        let from = |stages: &[&str]| json!({ "stages": stages });
        let soaked = json!({ "stages": ["dev"], "requiredSoakTime": "30m" });
        let control_flow = |mut stage: Stage| {
            stage.spec.promotion_template = None;
            stage
        };
        let stages = [
            stage("dev", &json!({ "direct": true }), Some("new")),
            stage("later", &soaked, Some("old")),
            stage("prod", &from(&["dev"]), Some("old")),
            stage("fresh", &from(&["dev"]), None),
            stage("gone", &from(&["dev"]), Some("deleted")),
            stage("far", &from(&["prod"]), Some("old")),
            stage("ahead", &from(&["dev"]), Some("newest")),
            control_flow(stage("gate", &from(&["dev"]), None)),
        ];
        let goes = |freight: &Freight| {
            let shown = |next: &Next<'_>| match &next.waits {
                None => next.stage.to_owned(),
                Some(check) => format!("{} {:?} {}", next.stage, check.code, check.until.unwrap()),
            };
            next(freight, &stages, &freights, NOW).iter().map(shown).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(goes(&freights[0]), "fresh, gone");
        assert_eq!(goes(&freights[1]), "prod, fresh, gone, later Soak 1970-01-01T00:14:00Z");
        assert_eq!(goes(&freights[2]), "dev");
    }
}
