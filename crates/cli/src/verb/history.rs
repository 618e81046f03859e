//! `wharf history`: what a Stage has held, who decided, and why.

use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use wharfinger_api::additions::REASON;
use wharfinger_api::v1alpha1::{CREATE_ACTOR, Promotion, ROLLBACK, Stage};
use wharfinger_core::promotion::over;

use crate::actor::person;
use crate::exit::{Exit, Failure};
use crate::follow::generation;
use crate::freight::{short, versions};
use crate::output::{Cell, Format, Mark, Table, documents, moment, span};
use crate::session::Session;

/// Show what a Stage has held: when, by whom and why
///
/// It is told from the Stage and from the Promotions that are still there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf history prod
  wharf history prod --at 2026-08-01T09:00")]
pub struct History {
    /// The Stage
    stage: String,

    /// How many entries, the newest first
    #[arg(short, long, value_name = "N", default_value = "20")]
    limit: usize,

    /// Only what the Stage held at that time (local unless it says otherwise)
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
}

impl History {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let stage = session.stage(&self.stage).await?;
        let promotions = session.promotions(&stage).await?;
        let mut entries = entries(&stage, &promotions);
        match self.at {
            Some(at) => entries = held_at(entries, at, &self.stage)?,
            None => entries.truncate(self.limit),
        }
        let Session { console, global, .. } = session;
        match global.output {
            Format::Table | Format::Wide => {
                let wide = global.output == Format::Wide;
                for line in table(session, &entries, wide).lines() {
                    console.line(line)?;
                }
            }
            Format::Name => {
                for entry in &entries {
                    console.line(format!("promotion.kargo.akuity.io/{}", entry.promotion))?;
                }
            }
            Format::Jsonl => documents(console, Format::Jsonl, &entries)?,
            format => documents(console, format, &[Document { stage: self.stage, entries }])?,
        }
        Ok(Exit::Done)
    }
}

#[derive(Serialize)]
struct Document {
    stage: String,
    entries: Vec<Entry>,
}

/// One Promotion to the Stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// What it assigned; nothing where it assigned nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    time: Timestamp,
    version: String,
    freight: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<i64>,
    result: String,
    rollback: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    promotion: String,
    /// The Stage holds it now.
    current: bool,
}

/// What is known of a Stage, the newest first. `promotions` are ordered so.
fn entries(stage: &Stage, promotions: &[Promotion]) -> Vec<Entry> {
    let status = stage.status.clone().unwrap_or_default();
    let mut entries: Vec<Entry> = promotions.iter().map(entry).collect();
    let Some(assignment) = status.assignment else { return entries };
    match entries.iter_mut().find(|e| e.promotion == assignment.promotion) {
        Some(current) => {
            current.current = true;
            current.generation.get_or_insert(assignment.generation);
        }
        // Promotions come and go; what the Stage holds it says itself.
        None => {
            let held = status.freight_history.first();
            let current = Entry {
                generation: Some(assignment.generation),
                time: assignment.assigned_at,
                version: held.map(versions).unwrap_or_default(),
                freight: held
                    .and_then(|c| c.items.values().next())
                    .map(|f| f.name.clone())
                    .unwrap_or_default(),
                actor: person(&assignment.actor).into(),
                seconds: None,
                result: "Assigned".into(),
                rollback: false,
                reason: assignment.reason,
                promotion: assignment.promotion,
                current: true,
            };
            let later = entries.partition_point(|e| e.promotion > current.promotion);
            entries.insert(later, current);
        }
    }
    entries
}

fn entry(promotion: &Promotion) -> Entry {
    let status = promotion.status.clone().unwrap_or_default();
    let annotation = |key: &str| {
        let annotations = promotion.metadata.annotations.as_ref();
        annotations.and_then(|a| a.get(key)).cloned().unwrap_or_default()
    };
    let created = promotion.metadata.creation_timestamp.as_ref();
    let (started, finished) = (status.started_at.as_ref(), status.finished_at.as_ref());
    let time = started.or(finished).or(created).map(|t| t.0).unwrap_or_default();
    let took = started.zip(finished).filter(|_| over(promotion));
    let phase = if status.phase.is_empty() { "Pending" } else { &status.phase };
    Entry {
        generation: generation(promotion),
        time,
        version: status.freight_collection.as_ref().map(versions).unwrap_or_default(),
        freight: promotion.spec.freight.clone().unwrap_or_default(),
        actor: person(&annotation(CREATE_ACTOR)).into(),
        seconds: took.map(|(from, to)| to.0.duration_since(from.0).as_secs()),
        result: phase.into(),
        rollback: annotation(ROLLBACK) == "true",
        reason: annotation(REASON),
        promotion: promotion.metadata.name.clone().unwrap_or_default(),
        current: false,
    }
}

/// The entry that was current at that time.
fn held_at(entries: Vec<Entry>, at: Timestamp, stage: &str) -> Result<Vec<Entry>, Failure> {
    let held = entries.into_iter().filter(|e| e.generation.is_some() && e.time <= at);
    match held.max_by_key(|e| e.generation) {
        Some(entry) => Ok(vec![entry]),
        None => {
            let text = format!("nothing is known of what Stage {stage} held at {}", moment(at));
            Err(Failure::new(text).next(format!("See what is known: wharf history {stage}")))
        }
    }
}

fn table(session: &Session, entries: &[Entry], wide: bool) -> Table {
    let more: &[&str] = if wide { &["NAME", "PROMOTION"] } else { &[] };
    let header = ["GEN", "WHEN", "FREIGHT", "BY", "TOOK", "RESULT", "REASON"];
    let mut table = Table::new(session.console.out, header.iter().chain(more).copied());
    for entry in entries {
        let current = if entry.current { "*" } else { "" };
        let generation = entry.generation.map_or("-".into(), |g| format!("{g}{current}"));
        let freight = match entry.version.as_str() {
            "" => short(&entry.freight).to_owned(),
            version => format!("{version} {}", short(&entry.freight)),
        };
        let took = entry.seconds.map(|s| span(SignedDuration::from_secs(s))).unwrap_or_default();
        let rollback = if entry.rollback { " (rollback)" } else { "" };
        let result = Cell::styled(
            format!("{}{rollback}", entry.result),
            Mark::of_word(&entry.result).map(Mark::style).unwrap_or_default(),
        );
        let mut row: Vec<Cell> = vec![
            generation.into(),
            moment(entry.time).into(),
            freight.into(),
            entry.actor.clone().into(),
            took.into(),
            result,
            entry.reason.clone().into(),
        ];
        if wide {
            row.extend([entry.freight.clone().into(), entry.promotion.clone().into()]);
        }
        table.row(row);
    }
    table
}

fn time(text: &str) -> Result<Timestamp, String> {
    let local = || {
        let there: DateTime = text.parse().ok()?;
        there.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
    };
    let exact = text.parse::<Timestamp>().ok();
    exact
        .or_else(local)
        .ok_or_else(|| "not a time such as 2026-08-01T09:00 or 2026-08-01T09:00Z".into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn promotion(name: &str, status: &Value, annotations: &Value) -> Promotion {
        serde_json::from_value(json!({
            "metadata": { "name": name, "annotations": annotations, "creationTimestamp": "2026-11-21T10:00:00Z" },
            "spec": { "stage": "prod", "freight": "f00000000", "steps": [] },
            "status": status,
        }))
        .unwrap()
    }

    fn assigned(generation: u64, phase: &str) -> Value {
        json!({
            "phase": phase,
            "startedAt": format!("2026-11-21T1{generation}:00:00Z"),
            "finishedAt": format!("2026-11-21T1{generation}:00:41Z"),
            "state": { "step-1": { "assignment": { "generation": generation } } },
            "freightCollection": { "id": "c", "items": { "w": { "name": "f00000000", "origin": {}, "images": [{ "tag": "v1" }] } } },
        })
    }

    fn stage(generation: u64, promotion: &str) -> Stage {
        serde_json::from_value(json!({
            "metadata": { "name": "prod" },
            "spec": { "requestedFreight": [] },
            "status": {
                "assignment": { "generation": generation, "collection": "c", "promotion": promotion, "actor": "kubernetes:bo", "reason": "INC-91", "assignedAt": "2026-11-21T15:00:00Z" },
                "freightHistory": [{ "id": "c", "items": { "w": { "name": "f1", "origin": {}, "images": [{ "tag": "v9" }] } } }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn promotions_are_told_with_what_they_assigned() {
        let promotions = [
            promotion("prod.3", &json!(null), &json!({})),
            promotion(
                "prod.2",
                &assigned(2, "Succeeded"),
                &json!({ CREATE_ACTOR: "kubernetes:ana", REASON: "1.9.1", ROLLBACK: "true" }),
            ),
            promotion(
                "prod.1",
                &assigned(1, "Failed"),
                &json!({ CREATE_ACTOR: "controller:auto" }),
            ),
        ];
        let told = entries(&stage(2, "prod.2"), &promotions);
        let lines: Vec<_> = told
            .iter()
            .map(|e| (e.generation, e.result.as_str(), e.actor.as_str(), e.seconds, e.current))
            .collect();
        assert_eq!(
            lines,
            [
                (None, "Pending", "", None, false),
                (Some(2), "Succeeded", "ana", Some(41), true),
                (Some(1), "Failed", "controller:auto", Some(41), false),
            ]
        );
        assert!(told[1].rollback);
        assert_eq!((told[1].reason.as_str(), told[1].version.as_str()), ("1.9.1", "v1"));
    }

    #[test]
    fn what_the_stage_holds_is_told_though_its_promotion_is_gone() {
        let promotions = [
            promotion("prod.3", &json!(null), &json!({})),
            promotion("prod.1", &assigned(1, "Succeeded"), &json!({})),
        ];
        let told = entries(&stage(2, "prod.2"), &promotions);
        let names: Vec<_> = told.iter().map(|e| e.promotion.as_str()).collect();
        assert_eq!(names, ["prod.3", "prod.2", "prod.1"]);
        assert_eq!(
            (told[1].version.as_str(), told[1].reason.as_str(), told[1].current),
            ("v9", "INC-91", true)
        );
    }

    #[test]
    fn a_stage_is_asked_what_it_held_at_a_time() {
        let promotions = [
            promotion(
                "prod.3",
                &json!({ "phase": "Errored", "finishedAt": "2026-11-21T11:30:00Z" }),
                &json!({}),
            ),
            promotion("prod.2", &assigned(2, "Succeeded"), &json!({})),
            promotion("prod.1", &assigned(1, "Succeeded"), &json!({})),
        ];
        let at = |at: &str| {
            let told = entries(&stage(2, "prod.2"), &promotions);
            held_at(told, at.parse().unwrap(), "prod").map(|e| e[0].generation)
        };
        assert_eq!(at("2026-11-21T11:59:59Z"), Ok(Some(1)));
        assert_eq!(at("2026-11-21T12:00:00Z"), Ok(Some(2)));
        assert!(at("2026-11-21T10:59:59Z").unwrap_err().what.contains("2026-11-21T10:59:59Z"));
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        assert_eq!(time("2026-08-01T09:00:00Z").unwrap(), "2026-08-01T09:00:00Z".parse().unwrap());
        assert!(time("2026-08-01T09:00").is_ok());
        assert!(time("2026-08-01").is_ok());
        assert!(time("Tuesday").is_err());
    }
}
