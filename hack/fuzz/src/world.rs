//! The facts of a review, made up from what is left of the input.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{ProjectConfig, Stage};
use wharfinger_core::admission::{Fact, Facts, Identities, Namespace, Question, Review, Verdict};
use wharfinger_core::claim::StageName;

/// What Stages hold, here.
pub const COLLECTIONS: [&str; 3] = [
    "1111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222",
    "3333333333333333333333333333333333333333",
];

/// More questions than any review has; the webhook's own limit.
const ROUNDS: usize = 64;

pub struct World<'a, 'b> {
    answers: &'b mut Unstructured<'a>,
    /// What has been found out so far. It stays: a Stage does not change while an input is judged.
    stages: Vec<(StageName, Option<Arc<Stage>>)>,
    config: Option<Option<Arc<ProjectConfig>>>,
    pub identities: Identities,
    /// Whether anybody has a permission; else it is made up each time.
    pub may: Option<bool>,
}

impl<'a, 'b> World<'a, 'b> {
    pub fn new(answers: &'b mut Unstructured<'a>) -> Self {
        let identities =
            Identities { controller: "controller".into(), argocd: vec!["argocd".into()] };
        Self { answers, stages: vec![], config: None, identities, may: None }
    }

    pub fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + 1_000_000.hours()
    }

    /// Judges until there is nothing left to ask. No question may come twice.
    pub fn judge(
        &mut self,
        review: &Review<'_>,
        door: impl Fn(&Review<'_>, &Identities, &Facts) -> Verdict,
    ) -> Result<Verdict> {
        let mut facts = Facts::default();
        let mut asked = vec![];
        while asked.len() < ROUNDS {
            match door(review, &self.identities, &facts) {
                Verdict::Ask(question) => {
                    assert!(!asked.contains(&question), "asked twice: {question:?}");
                    facts.add(self.answer(question.clone())?);
                    asked.push(question);
                }
                verdict => return Ok(verdict),
            }
        }
        panic!("it never ends: {asked:?}");
    }

    /// The Stage as it is; made up where nobody has asked for it yet.
    pub fn stage(&mut self, name: &StageName) -> Result<Option<Arc<Stage>>> {
        if let Some((_, stage)) = self.stages.iter().find(|(known, _)| known == name) {
            return Ok(stage.clone());
        }
        let stage = if self.answers.ratio(1, 5)? { None } else { Some(self.some_stage(name)?) };
        self.stages.push((name.clone(), stage.clone()));
        Ok(stage)
    }

    fn answer(&mut self, question: Question) -> Result<Fact> {
        Ok(match question {
            Question::Stage { name, live } => {
                // A cache may be behind, but says so only where it was not asked for more.
                let behind = !live && self.answers.ratio(1, 5)?;
                let stage = if behind { None } else { self.stage(&name)? };
                Fact::Stage { name, live: live || (!behind && self.answers.arbitrary()?), stage }
            }
            Question::May { verb, stage } => {
                let allowed = match self.may {
                    Some(allowed) => allowed,
                    None => self.answers.arbitrary()?,
                };
                Fact::May { verb, stage, allowed }
            }
            Question::ApplicationsNaming(named) => {
                let count = self.answers.int_in_range(0..=3)?;
                let names = (0..count).map(|n| format!("argocd/app-{n}")).collect();
                Fact::ApplicationsNaming(named, names)
            }
            Question::Freight { project, name } => {
                let freight = match self.answers.arbitrary()? {
                    true => Some(Box::new(read(&self.some_freight(&project, &name)?))),
                    false => None,
                };
                Fact::Freight { project, name, freight }
            }
            Question::FreightOf { project, origin } => {
                let count = self.answers.int_in_range(0..=2)?;
                let some = (0..count).map(|n| self.some_freight(&project, COLLECTIONS[n]));
                let freights = some.collect::<Result<Vec<_>>>()?.iter().map(read).collect();
                Fact::FreightOf { project, origin, freights }
            }
            Question::Config { project, live } => {
                let config = self.config()?;
                Fact::Config { project, live: live || self.answers.arbitrary()?, config }
            }
            Question::Namespace { name } => {
                let labelled = self.answers.arbitrary()?;
                let there = Namespace { labelled, terminating: self.answers.ratio(1, 5)? };
                let namespace = Some(there).filter(|_| labelled || there.terminating);
                Fact::Namespace { name, namespace }
            }
            Question::ProjectGoes { name } => {
                Fact::ProjectGoes { name, goes: self.answers.ratio(1, 5)? }
            }
            Question::Warehouse { project, name } => {
                let subscriptions = json!([{ "image": { "repoURL": "web" } }]);
                let warehouse = json!({ "metadata": { "name": name }, "spec": { "subscriptions": subscriptions } });
                let there = self.answers.arbitrary::<bool>()?;
                let warehouse = there.then(|| Box::new(read(&warehouse)));
                Fact::Warehouse { project, name, warehouse }
            }
            Question::Alias { project, alias } => {
                let freight = self.some_names()?;
                Fact::Alias { project, alias, freight }
            }
            Question::Holding { project, freight } => {
                let stages = self.some_names()?;
                Fact::Holding { project, freight, stages }
            }
            Question::Target { project, name } => {
                Fact::Target { project, name, exists: self.answers.arbitrary()? }
            }
            Question::Task { project, name } => {
                let vars = json!([{ "name": "a" }, { "name": "b", "value": "1" }]);
                let steps = json!([{ "uses": "assign", "as": "it" }, { "uses": "other" }]);
                let there = self.answers.arbitrary::<bool>()?;
                let task = there.then(|| Box::new(read(&json!({ "vars": vars, "steps": steps }))));
                Fact::Task { project, name, task }
            }
        })
    }

    fn some_names(&mut self) -> Result<Vec<String>> {
        let count = self.answers.int_in_range(0..=2)?;
        Ok(["dev", "prod"][..count].iter().map(|name| (*name).to_owned()).collect())
    }

    /// How the Project works. Nobody who writes here is in `releasedBy`: leaving takes the verb.
    fn config(&mut self) -> Result<Option<Arc<ProjectConfig>>> {
        if let Some(config) = &self.config {
            return Ok(config.clone());
        }
        let applications = match self.answers.int_in_range(0..=2)? {
            0 => json!([]),
            1 => json!([{ "namespace": "argocd" }]),
            _ => json!([{ "name": "other-*" }, { "project": "[" }]),
        };
        let freely = match self.answers.int_in_range(0..=2)? {
            0 => json!([]),
            1 => json!(["path", "revision"]),
            _ => json!(["parameters", "repository", "sources", "project", "destination"]),
        };
        let rules =
            json!({ "applications": applications, "freely": freely, "releasedBy": ["bob"] });
        let config = json!({ "metadata": { "name": "shop" }, "spec": { "wharfinger": rules } });
        let there = self.answers.arbitrary::<bool>()?;
        let config = there.then(|| Arc::new(read(&config)));
        self.config = Some(config.clone());
        Ok(config)
    }

    fn some_stage(&mut self, name: &StageName) -> Result<Arc<Stage>> {
        let held = self.answers.int_in_range(0..=COLLECTIONS.len())?;
        let generation = self.answers.int_in_range(1..=5_u64)?;
        let steps = match self.answers.int_in_range(0..=2)? {
            0 => json!([]),
            1 => json!([{ "uses": "assign" }]),
            _ => json!([{ "uses": "assign", "as": "it" }, { "task": { "name": "t" } }]),
        };
        let origin = json!({ "kind": "Warehouse", "name": "main" });
        let sources = match self.answers.int_in_range(0..=2)? {
            0 => json!({ "direct": true }),
            1 => json!({ "stages": ["dev", "test"], "requiredSoakTime": "1h" }),
            _ => json!({ "stages": ["dev", "test"], "availabilityStrategy": "All" }),
        };
        let commit = self.answers.arbitrary::<bool>()?;
        let commits = if commit {
            json!([{ "repoURL": "https://git/shop.git", "id": "0123456789abcdef0123456789abcdef01234567" }])
        } else {
            json!([])
        };
        let history: Vec<Value> = COLLECTIONS[..held]
            .iter()
            .rev()
            .map(|id| {
                let freight = json!({ "name": id, "origin": origin, "commits": commits });
                json!({ "id": id, "items": { "Warehouse/main": freight } })
            })
            .collect();
        let mut status = json!({ "freightHistory": history });
        if let Some(last) = held.checked_sub(1) {
            status["assignment"] = json!({
                "generation": generation,
                "collection": COLLECTIONS[last],
                "promotion": "prod.01kaj6v5b2m8q3w7x9ytz4rghd.1111111",
                "assignedAt": Self::now() - self.answers.int_in_range(0..=10_i64)?.minutes(),
            });
        }
        Ok(Arc::new(read(&json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Stage",
            "metadata": { "name": name.stage, "namespace": name.project, "uid": "1" },
            "spec": {
                "requestedFreight": [{ "origin": origin, "sources": sources }],
                "promotionTemplate": { "spec": { "steps": steps } },
            },
            "status": status,
        }))))
    }

    fn some_freight(&mut self, project: &str, name: &str) -> Result<Value> {
        let mut status = json!({});
        for stage in ["dev", "test", "prod"] {
            match self.answers.int_in_range(0..=4)? {
                0 => status["approvedFor"][stage] = json!({ "approvedAt": Self::now() }),
                1 => status["verifiedIn"][stage] = json!({ "verifiedAt": Self::now() }),
                2 => status["verifiedIn"][stage] = json!({ "longestSoak": "2h" }),
                3 => status["currentlyIn"][stage] = json!({ "since": Self::now() - 2.hours() }),
                _ => {}
            }
        }
        let origin = if self.answers.ratio(1, 5)? { "other" } else { "main" };
        Ok(json!({
            "metadata": { "namespace": project, "name": name },
            "origin": { "kind": "Warehouse", "name": origin },
            "images": [{ "repoURL": "web", "tag": "1" }],
            "status": status,
        }))
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("what is made up here is of the API's form")
}
