//! Tables of writes. The world answers as the webhook would: from a cache that may be behind, or live.

#![expect(clippy::needless_pass_by_value, reason = "a row of a table is made of values")]

mod application;
mod config;
mod form;
mod freight;
mod inject;
mod kargo;
mod legacy;
mod promotion;
mod spec;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use wharfinger_api::additions::{ENV_FREIGHT, ENV_STAGE, PLUGIN};
use wharfinger_api::v1alpha1::{
    AUTHORIZED_STAGE, Freight, ProjectConfig, ProjectConfigSpec, PromotionTaskSpec, Stage,
    Warehouse,
};

use super::*;

const CONTROLLER: &str = "system:serviceaccount:wharfinger:wharfinger-controller";
const ARGOCD: &str = "system:serviceaccount:argocd:argocd-application-controller";
const NOW: &str = "01KAJ6V5B2M8Q3W7X9YTZ4RGHD";

/// The collections that Stage shop:prod held: the last is the one it holds.
const HELD: [&str; 3] = [
    "1111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222",
    "3333333333333333333333333333333333333333",
];

struct World {
    cached: BTreeMap<&'static str, Stage>,
    live: BTreeMap<&'static str, Stage>,
    /// user, verb, Stage
    may: Vec<(&'static str, Verb, &'static str)>,
    naming: Vec<String>,
    freight: Vec<Freight>,
    /// How Projects work: what the cache has, and what there is.
    configs: [BTreeMap<&'static str, ProjectConfigSpec>; 2],
    namespaces: BTreeMap<&'static str, Namespace>,
    /// Projects that are being deleted.
    going: Vec<&'static str>,
    warehouses: Vec<Warehouse>,
    /// The Stages that a cache takes for the holders of any Freight.
    holding: Vec<String>,
    targets: Vec<&'static str>,
    /// By `<project>/<name>`; those of the cluster have no Project.
    tasks: BTreeMap<&'static str, PromotionTaskSpec>,
    asked: RefCell<Vec<Question>>,
}

impl Default for World {
    fn default() -> Self {
        let prod = stage("prod", 3);
        let stages = BTreeMap::from([("shop:prod", prod), ("shop:dev", stage("dev", 0))]);
        Self {
            cached: stages.clone(),
            live: stages,
            may: vec![],
            naming: vec![],
            freight: vec![],
            configs: Default::default(),
            namespaces: BTreeMap::from([
                ("shop", Namespace { labelled: true, terminating: false }),
                ("foreign", Namespace { labelled: false, terminating: false }),
                ("going", Namespace { labelled: true, terminating: true }),
            ]),
            going: vec![],
            warehouses: vec![],
            holding: vec![],
            targets: vec![],
            tasks: BTreeMap::new(),
            asked: RefCell::default(),
        }
    }
}

impl World {
    fn may(mut self, user: &'static str, verb: Verb, stage: &'static str) -> Self {
        self.may.push((user, verb, stage));
        self
    }

    /// With Project shop's rules for Applications.
    fn ruled(mut self, rules: Value) -> Self {
        let spec: ProjectConfigSpec = object(json!({ "wharfinger": rules }));
        self.configs = [BTreeMap::from([("shop", spec.clone())]), BTreeMap::from([("shop", spec)])];
        self
    }

    /// With a commit in the Freight that shop:prod holds.
    fn pins(&mut self, id: &str) {
        let item = json!({ "Warehouse/main": {
            "name": "f", "origin": { "kind": "Warehouse", "name": "main" },
            "commits": [{ "repoURL": "https://git/shop.git", "id": id }] } });
        for stages in [&mut self.cached, &mut self.live] {
            let prod = stages.get_mut("shop:prod").unwrap();
            let mut value = serde_json::to_value(&*prod).unwrap();
            value["status"]["freightHistory"][0]["items"] = item.clone();
            *prod = object(value);
        }
    }

    fn validate(&self, review: &Review<'_>) -> Verdict {
        self.judge(review, validate)
    }

    fn mutate(&self, review: &Review<'_>) -> Verdict {
        self.judge(review, |review, who, facts| mutate(review, who, facts, NOW))
    }

    fn judge(
        &self,
        review: &Review<'_>,
        door: impl Fn(&Review<'_>, &Identities, &Facts) -> Verdict,
    ) -> Verdict {
        let who = Identities { controller: CONTROLLER.into(), argocd: vec![ARGOCD.into()] };
        let mut facts = Facts::default();
        self.asked.borrow_mut().clear();
        for _ in 0..20 {
            match door(review, &who, &facts) {
                Verdict::Ask(question) => {
                    assert!(!self.asked.borrow().contains(&question), "asked twice: {question:?}");
                    self.asked.borrow_mut().push(question.clone());
                    facts.add(self.find(question, review.user));
                }
                verdict => return verdict,
            }
        }
        panic!("it never ends: {:?}", self.asked);
    }

    fn find(&self, question: Question, user: &str) -> Fact {
        match question {
            Question::Stage { name, live } => {
                let stages = if live { &self.live } else { &self.cached };
                let stage = stages.get(name.to_string().as_str()).cloned().map(Arc::new);
                Fact::Stage { name, live, stage }
            }
            Question::May { verb, stage } => {
                let allowed = self
                    .may
                    .iter()
                    .any(|(u, v, s)| *u == user && *v == verb && *s == stage.to_string());
                Fact::May { verb, stage, allowed }
            }
            Question::ApplicationsNaming(named) => {
                Fact::ApplicationsNaming(named, self.naming.clone())
            }
            Question::Config { project, live } => {
                let spec = self.configs[usize::from(live)].get(project.as_str()).cloned();
                let config = spec.map(|spec| Arc::new(ProjectConfig::new(&project, spec)));
                Fact::Config { project, live, config }
            }
            Question::Freight { project, name } => {
                assert!(
                    name.bytes().all(|b| b.is_ascii_alphanumeric()),
                    "no part of a path: {name}"
                );
                let freight = self
                    .freight
                    .iter()
                    .find(|f| f.metadata.name.as_deref() == Some(&name))
                    .cloned()
                    .map(Box::new);
                Fact::Freight { project, name, freight }
            }
            Question::Namespace { name } => {
                let namespace = self.namespaces.get(name.as_str()).copied();
                Fact::Namespace { name, namespace }
            }
            Question::ProjectGoes { name } => {
                let goes = self.going.contains(&name.as_str());
                Fact::ProjectGoes { name, goes }
            }
            Question::Warehouse { project, name } => {
                assert!(!name.contains('/'), "no part of a path: {name}");
                let mut all = self.warehouses.iter();
                let found = all.find(|w| w.metadata.name.as_deref() == Some(&name));
                Fact::Warehouse { project, name, warehouse: found.cloned().map(Box::new) }
            }
            Question::Alias { project, alias } => {
                let with = self.freight.iter().filter(|f| f.alias == alias);
                let freight = with.filter_map(|f| f.metadata.name.clone()).collect();
                Fact::Alias { project, alias, freight }
            }
            Question::Holding { project, freight } => {
                Fact::Holding { project, freight, stages: self.holding.clone() }
            }
            Question::Target { project, name } => {
                assert!(!name.contains('/'), "no part of a path: {name}");
                let exists = self.targets.contains(&name.as_str());
                Fact::Target { project, name, exists }
            }
            Question::FreightOf { project, origin } => {
                let of_it = self.freight.iter().filter(|f| f.origin == origin);
                let freights = of_it.cloned().collect();
                Fact::FreightOf { project, origin, freights }
            }
            Question::Task { project, name } => {
                assert!(!name.contains('/'), "no part of a path: {name}");
                let key = format!("{}/{name}", project.clone().unwrap_or_default());
                let task = self.tasks.get(&*key).cloned().map(Box::new);
                Fact::Task { project, name, task }
            }
        }
    }
}

/// A Stage that was assigned Freight so many times.
fn stage(name: &str, generation: usize) -> Stage {
    let history: Vec<_> = HELD[..generation].iter().rev().map(|id| json!({ "id": id })).collect();
    let mut status = json!({ "freightHistory": history });
    if generation > 0 {
        status["assignment"] = json!({
            "generation": generation,
            "collection": HELD[generation - 1],
            "assignedAt": "2026-11-21T10:00:00Z",
        });
    }
    object(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": name, "namespace": "shop", "uid": "8e0a" },
        "spec": { "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "main" }, "sources": { "direct": true } }] },
        "status": status,
    }))
}

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// `<generation>-<collection>`, as the Stage made it.
fn claim(generation: usize) -> String {
    format!("{generation}-{}", HELD[(generation - 1) % 3])
}

/// A source of ours with a claim of shop:prod.
fn source(claim: &str) -> Value {
    json!({
        "repoURL": "https://git/shop.git",
        "path": "deploy",
        "targetRevision": "main",
        "plugin": { "name": PLUGIN, "env": [
            { "name": ENV_STAGE, "value": "shop:prod" },
            { "name": ENV_FREIGHT, "value": claim },
        ] },
    })
}

fn unclaimed() -> Value {
    with(source(""), json!({ "plugin": { "env": null } }))
}

fn native() -> Value {
    json!({ "repoURL": "https://git/shop.git", "path": "native", "targetRevision": "main" })
}

/// An Application of shop:prod with one source.
fn app(source: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": { "name": "shop", "namespace": "argocd", "annotations": { AUTHORIZED_STAGE: "shop:prod" } },
        "spec": { "project": "default", "source": source },
    })
}

/// A merge patch, applied.
fn with(mut object: Value, patch: Value) -> Value {
    fn merge(into: &mut Value, patch: Value) {
        let Value::Object(patch) = patch else {
            *into = patch;
            return;
        };
        if !into.is_object() {
            *into = json!({});
        }
        for (key, value) in patch {
            match value {
                Value::Null => drop(into.as_object_mut().unwrap().shift_remove(&key)),
                value => merge(&mut into[&key], value),
            }
        }
    }
    merge(&mut object, patch);
    object
}

/// Somebody writes; without an object before they create, without one after they delete.
fn review<'a>(kind: Kind, user: &'a str, old: Option<&Value>, new: Option<&Value>) -> Review<'a> {
    let operation = match (old, new) {
        (None, _) => Operation::Create,
        (Some(_), Some(_)) => Operation::Update,
        (Some(_), None) => Operation::Delete,
    };
    // A test soon ends, and with it what it leaves behind.
    let object = |sent: &Value| -> &'static Object {
        Box::leak(Box::new(sent.to_string().parse().unwrap()))
    };
    Review {
        kind,
        operation,
        user,
        old: old.map(object),
        new: new.map(object),
        dry_run: false,
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    }
}

#[track_caller]
fn allowed(verdict: Verdict, row: &str) -> Allowed {
    match verdict {
        Verdict::Allow(allowed) => allowed,
        other => panic!("{row}: {other:?}"),
    }
}

#[track_caller]
fn denied(verdict: Verdict, row: &str) -> Check {
    match verdict {
        Verdict::Deny(check) => {
            assert!(!check.fix.is_empty(), "{row}: it does not say what to do next: {check}");
            check
        }
        other => panic!("{row}: {other:?}"),
    }
}

/// One row of a table: allowed, or denied for a reason.
#[track_caller]
fn expect(verdict: Verdict, expected: Result<(), Code>, row: &str) {
    match expected {
        Ok(()) => drop(allowed(verdict, row)),
        Err(code) => assert_eq!(denied(verdict, row).code, code, "{row}"),
    }
}

#[test]
fn every_kind_has_one_place() {
    for (kind, group, resource, subresource) in Kind::ALL {
        assert_eq!(Kind::of(group, resource, subresource), Some(kind));
    }
    assert_eq!(Kind::of("argoproj.io", "applicationsets", ""), None);
    assert_eq!(Kind::of("argoproj.io", "applications", "status"), None);
}
