//! What happens to a Promotion, told one event at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use wharfinger_api::v1alpha1::{Promotion, Stage};
use wharfinger_core::check::{Check, State};
use wharfinger_core::promotion::over;

use crate::output::{Look, Mark, clean, moment};

/// Something that became visible in a Promotion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    pub time: Timestamp,
    pub stage: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub promotion: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// It is there.
    Admitted,
    /// The Stage holds the Freight from here on.
    Assigned { generation: u64 },
    /// How far an Application is.
    Application { application: String, check: Check },
    /// It is over.
    Ended { phase: String, message: String },
    /// How the Stage's Applications are.
    Health { health: String, issues: Vec<String> },
}

/// What has become visible since `before`; with nothing before, all there is to see.
pub fn changes(before: Option<&Promotion>, after: &Promotion, now: Timestamp) -> Vec<Event> {
    let (old, new) = (before.map(Seen::of).unwrap_or_default(), Seen::of(after));
    let mut changes = vec![];
    if before.is_none() {
        changes.push(What::Admitted);
    }
    if let Some(generation) = new.generation.filter(|_| old.generation != new.generation) {
        changes.push(What::Assigned { generation });
    }
    for (application, check) in &new.applications {
        if old.applications.get(application) != Some(check) {
            let (application, check) = (application.clone(), check.clone());
            changes.push(What::Application { application, check });
        }
    }
    if over(after) && !before.is_some_and(over) {
        let status = after.status.clone().unwrap_or_default();
        changes.push(What::Ended { phase: status.phase, message: status.message });
    }
    let event = |what| Event {
        time: now,
        stage: after.spec.stage.clone(),
        promotion: after.metadata.name.clone().unwrap_or_default(),
        what,
    };
    changes.into_iter().map(event).collect()
}

/// That a Stage has become more or less healthy since `before`.
pub fn health(before: Option<&Stage>, after: &Stage, now: Timestamp) -> Option<Event> {
    let health = |stage: &Stage| stage.status.as_ref().and_then(|s| s.health.clone());
    let (old, new) = (before.and_then(health).unwrap_or_default(), health(after)?);
    (old.status != new.status).then(|| Event {
        time: now,
        stage: after.metadata.name.clone().unwrap_or_default(),
        promotion: String::new(),
        what: What::Health { health: new.status, issues: new.issues },
    })
}

/// The generation that a Promotion has assigned, if it has.
pub fn generation(promotion: &Promotion) -> Option<u64> {
    Seen::of(promotion).generation
}

/// What a Promotion's steps have put out.
#[derive(Default)]
struct Seen {
    generation: Option<u64>,
    applications: BTreeMap<String, Check>,
}

impl Seen {
    fn of(promotion: &Promotion) -> Self {
        let mut seen = Self::default();
        let state = promotion.status.as_ref().and_then(|s| s.state.as_object());
        for output in state.into_iter().flat_map(|steps| steps.values()) {
            seen.generation = output["assignment"]["generation"].as_u64().or(seen.generation);
            for application in output["applications"].as_array().into_iter().flatten() {
                let text = |field: &str| application[field].as_str().unwrap_or_default();
                if let Ok(check) = serde_json::from_value(application["check"].clone()) {
                    let name = format!("{}/{}", text("namespace"), text("name"));
                    seen.applications.insert(name, check);
                }
            }
        }
        seen
    }
}

impl Event {
    /// For a person who looks on.
    pub fn shown(&self, look: Look) -> String {
        let (mark, words) = self.words();
        format!("{} {}  {}", mark.painted(look), clean(&self.stage), clean(&words))
    }

    /// For a log: stamped, and readable by itself.
    pub fn logged(&self) -> String {
        let (_, words) = self.words();
        format!("{} {} {}", moment(self.time), clean(&self.stage), clean(&words))
    }

    fn words(&self) -> (Mark, String) {
        match &self.what {
            What::Admitted => (Mark::Passed, format!("admitted {}", self.promotion)),
            What::Assigned { generation } => {
                (Mark::Passed, format!("assigned generation {generation}"))
            }
            What::Application { application, check } => {
                let code = match check.state {
                    State::Passed => String::new(),
                    _ => format!(" [{}]", check.code),
                };
                (check.state.into(), format!("{application} {}{code}", check.text))
            }
            What::Ended { phase, message } => {
                let mark = Mark::of_word(phase).unwrap_or(Mark::Failed);
                let colon = if message.is_empty() { "" } else { ": " };
                (mark, format!("{phase}{colon}{message}"))
            }
            What::Health { health, issues } => {
                let mark = Mark::of_word(health).unwrap_or(Mark::Waiting);
                let colon = if issues.is_empty() { "" } else { ": " };
                (mark, format!("is {health}{colon}{}", issues.join("; ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "2026-11-21T14:18:04Z";

    fn promotion(status: &Value) -> Promotion {
        serde_json::from_value(json!({
            "metadata": { "name": "prod.01k" },
            "spec": { "stage": "prod", "freight": "f", "steps": [] },
            "status": status,
        }))
        .unwrap()
    }

    fn running(code: &str, state: &str, text: &str) -> Promotion {
        promotion(&json!({ "phase": "Running", "state": { "step-1": {
            "assignment": { "generation": 42 },
            "applications": [{ "namespace": "argocd", "name": "web", "check": { "code": code, "state": state, "text": text } }],
        } } }))
    }

    fn told(before: Option<&Promotion>, after: &Promotion) -> Vec<String> {
        let events = changes(before, after, AT.parse().unwrap());
        events.iter().map(|e| e.logged().replace(&format!("{AT} prod "), "")).collect()
    }

    #[test]
    fn a_promotion_is_told_once_and_in_order() {
        let pending = promotion(&json!({}));
        let waiting = running("operation-running", "Waiting", "syncing\u{1b}[2J");
        let done = running("converged", "Passed", "synced");
        let mut ended = done.clone();
        let status = ended.status.as_mut().unwrap();
        status.phase = "Succeeded".into();
        status.message = "1 of 1 Applications done".into();

        assert_eq!(told(None, &pending), ["admitted prod.01k"]);
        assert_eq!(
            told(Some(&pending), &waiting),
            ["assigned generation 42", "argocd/web syncing\u{fffd}[2J [operation-running]"]
        );
        assert_eq!(told(Some(&waiting), &waiting), [""; 0]);
        assert_eq!(told(Some(&waiting), &done), ["argocd/web synced"]);
        assert_eq!(told(Some(&done), &ended), ["Succeeded: 1 of 1 Applications done"]);
        assert_eq!(told(Some(&ended), &ended), [""; 0]);
        assert_eq!(told(None, &ended).len(), 4);
    }

    #[test]
    fn an_event_is_a_document() {
        let events = changes(
            None,
            &promotion(&json!({ "phase": "Failed", "message": "no" })),
            AT.parse().unwrap(),
        );
        assert_eq!(
            json!(events[1]),
            json!({ "time": AT, "stage": "prod", "promotion": "prod.01k", "event": "ended", "phase": "Failed", "message": "no" })
        );
        let look = Look { unicode: true, ..Look::default() };
        assert_eq!(events[1].shown(look), "✗ prod  Failed: no");
    }

    #[test]
    fn a_stage_tells_its_health_when_it_changes() {
        let stage = |health: &str| -> Stage {
            serde_json::from_value(json!({
                "metadata": { "name": "prod" }, "spec": { "requestedFreight": [] },
                "status": { "health": { "status": health, "issues": ["web: 1 of 2 Pods"] } },
            }))
            .unwrap()
        };
        let told = |before: &str, after: &str| {
            let event = health(Some(&stage(before)), &stage(after), AT.parse().unwrap())?;
            Some(event.logged())
        };
        let line = format!("{AT} prod is Unhealthy: web: 1 of 2 Pods");
        assert_eq!(told("Healthy", "Unhealthy"), Some(line));
        assert_eq!(told("Unhealthy", "Unhealthy"), None);
    }

    #[test]
    fn a_state_that_is_not_ours_is_no_trouble() {
        for state in
            [json!(null), json!([1]), json!({ "a": 1, "b": { "applications": [{ "check": 3 }] } })]
        {
            assert_eq!(
                told(None, &promotion(&json!({ "phase": "Running", "state": state }))).len(),
                1
            );
        }
    }
}
