//! An Application before and after a write, made up from bytes.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wharfinger_api::additions::{BREAK_GLASS, ENV_FREIGHT, ENV_STAGE, PLUGIN};
use wharfinger_api::argocd::{
    Application, ApplicationSpec, ApplicationStatus, Operation, Source, Sources as _,
};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;
use wharfinger_core::admission::{
    self, Allowed, Kind, Object, Review, Told, Verdict, Words, mutate, validate,
};
use wharfinger_core::claim::{Claim, Claimed, StageName, ours};
use wharfinger_core::converge::held;
use wharfinger_fuzz::{World, application};

const ULID: &str = "01KAJ6V5B2M8Q3W7X9YTZ4RGHD";

fuzz_target!(|input: &[u8]| {
    // Not enough input is no finding.
    try_one(&mut Unstructured::new(input)).ok();
});

fn try_one(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let user = *u.choose(&["controller", "argocd", "alice", "alice"])?;
    let may = u.arbitrary()?;
    let (old, new) = application::change(u)?;
    let mut world = World::new(u);
    world.may = Some(may);
    // What is no object is none of the rules' business.
    let object = |sent: &Value| sent.to_string().parse::<Object>().ok();
    let before = old.as_ref().map(|old| after_the_other(&new, old));
    let (Some(sent), None | Some(Some(_))) = (object(&new), &before) else { return Ok(()) };
    let before = before.flatten();
    let write = |new| Review {
        kind: Kind::Application,
        operation: match old {
            Some(_) => admission::Operation::Update,
            None => admission::Operation::Create,
        },
        user,
        old: before.as_ref(),
        new: Some(new),
        dry_run: false,
        now: World::now(),
    };
    let mutated = |world: &mut World<'_, '_>, new| match world
        .judge(&write(new), |review, who, facts| mutate(review, who, facts, ULID))?
    {
        Verdict::Allow(Allowed { object, .. }) => Ok(object),
        other => panic!("what changes an Application refuses none: {other:?}"),
    };
    let once = mutated(&mut world, &sent)?;
    let mutated_once = once.as_ref().map(|once| object(once).expect("it stays an object"));
    if let (Some(once), Some(again)) = (&once, &mutated_once) {
        assert_ne!(user, "controller");
        assert_eq!(without_claims(&new, &new), without_claims(&new, once));
        assert!(mutated(&mut world, again)?.is_none(), "not done at once: {once}");
    }
    let stored = once.as_ref().unwrap_or(&new);
    let verdict = world.judge(&write(mutated_once.as_ref().unwrap_or(&sent)), validate)?;
    let judged = matches!(verdict, Verdict::Allow(_));
    if judged {
        reads_what_is_new(old.as_ref(), stored);
    }
    if judged && !may && user == "alice" {
        let old = old.as_ref().map(understood).unwrap_or_default();
        keeps_its_freight(&mut world, old, &understood(stored))?;
    }
    Ok(())
}

/// An object, told apart as in a review that has another one before it.
fn after_the_other(other: &Value, object: &Value) -> Option<Object> {
    let text = [other.to_string(), object.to_string()].concat();
    let mut words = Words::new(&text);
    let other = Told::next(&mut words, None).ok()?;
    Told::next(&mut words, Some(&other)).ok().map(|told| told.object)
}

/// An Application as far as it can be understood.
fn understood(object: &Value) -> Application {
    let mut app = Application::default();
    app.metadata.annotations = part(object, ANNOTATIONS).unwrap_or_default();
    app.spec = part(object, "/spec").unwrap_or_default();
    app.operation = part(object, "/operation").unwrap_or_default();
    app.status = part(object, "/status").unwrap_or_default();
    app
}

/// What can't be read is let through only where it was before.
fn reads_what_is_new(old: Option<&Value>, new: &Value) {
    let mut changed = new.clone();
    let spec = changed.get_mut("spec").and_then(Value::as_object_mut);
    if let (Some(old), Some(spec)) = (old, spec) {
        spec.retain(|field, value| old["spec"][field] != *value);
    }
    let was = |place: &str| old.and_then(|old| old.pointer(place)) == new.pointer(place);
    let reads = [
        (ANNOTATIONS, part::<Option<BTreeMap<String, String>>>(new, ANNOTATIONS).is_ok()),
        ("/spec", part::<ApplicationSpec>(&changed, "/spec").is_ok()),
        ("/operation", part::<Option<Operation>>(new, "/operation").is_ok()),
        ("/status", part::<ApplicationStatus>(new, "/status").is_ok()),
    ];
    for (place, reads) in reads {
        assert!(reads || was(place), "{place} can't be read and is let through");
    }
}

const ANNOTATIONS: &str = "/metadata/annotations";

fn part<T: DeserializeOwned + Default>(object: &Value, place: &str) -> serde_json::Result<T> {
    object.pointer(place).map_or(Ok(T::default()), |part| serde_json::from_value(part.clone()))
}

/// The promise: whoever may nothing changes nothing about which Freight an Application deploys.
fn keeps_its_freight(
    world: &mut World<'_, '_>,
    old: Application,
    new: &Application,
) -> arbitrary::Result<()> {
    let before = stages(&old);
    let after = stages(new);
    for stage in before.iter().filter(|stage| !after.contains(stage)) {
        assert!(world.stage(stage)?.is_none(), "Stage {stage} is left");
    }
    if new.annotation(BREAK_GLASS).is_some() {
        assert!(old.annotation(BREAK_GLASS).is_some() || before.is_empty(), "the glass is broken");
        return Ok(());
    }
    let mut known = claims(old.spec.sources());
    if let [stage] = &after[..] {
        let stage_now = world.stage(stage)?;
        let now = stage_now.as_ref().and_then(|s| s.status.as_ref()).and_then(held);
        known.extend(now.map(|(claim, _)| (stage.clone(), claim)));
    }
    for claim in claims(new.spec.sources()) {
        assert!(known.contains(&claim), "{claim:?} is none of {known:?}");
    }
    let asked = new.operation.as_ref().filter(|_| new.operation != old.operation);
    if let Some(sync) = asked.and_then(|operation| operation.sync.as_ref()) {
        let spec = claims(new.spec.sources());
        let rendered = ours(new.spec.sources()).next().is_some();
        assert!(!rendered || sync.manifests.is_empty(), "manifests are brought along");
        assert!(claims(sync.sources()).iter().all(|claim| spec.contains(claim)));
    }
    Ok(())
}

fn stages(app: &Application) -> Vec<StageName> {
    let annotation = app.annotation(AUTHORIZED_STAGE).unwrap_or_default();
    let mut stages: Vec<_> = annotation.split(',').filter_map(|s| s.trim().parse().ok()).collect();
    stages.sort();
    stages.dedup();
    stages
}

fn claims(sources: &[Source]) -> Vec<(StageName, Claim)> {
    let claimed = ours(sources).filter_map(|source| Claimed::of(source).ok());
    claimed.filter_map(|c| c.stage.zip(c.claim)).collect()
}

/// An Application without what we may change in it. `sent` says which environments there were.
fn without_claims(sent: &Value, object: &Value) -> Value {
    let mut object = object.clone();
    let strip = |sent: &Value, source: &mut Value| {
        if source["plugin"]["name"] != PLUGIN {
            return;
        }
        source["targetRevision"] = Value::Null;
        let env = match sent["plugin"]["env"].is_array() {
            true => source["plugin"]["env"].as_array().cloned().unwrap_or_default(),
            false => vec![],
        };
        let kept = env.into_iter().filter(|e| e["name"] != ENV_STAGE && e["name"] != ENV_FREIGHT);
        source["plugin"]["env"] = json!(kept.collect::<Vec<_>>());
    };
    let one = &sent["spec"]["source"];
    if let Some(source) = object.pointer_mut("/spec/source").filter(|s| s.is_object()) {
        strip(one, source);
    }
    let many = object.pointer_mut("/spec/sources").and_then(Value::as_array_mut);
    for (at, source) in many.into_iter().flatten().enumerate() {
        strip(&sent["spec"]["sources"][at], source);
    }
    object
}
