//! Promotions: who may ask for one is decided here, below every front door, and what it does is what its Stage says.

mod name;

use serde_json::{Value, json};
use wharfinger_api::additions::{COLLECTION, REASON};
use wharfinger_api::v1alpha1::{
    CREATE_ACTOR, ExpressionVariable, Freight, GROUP, Promotion, PromotionStep, ROLLBACK,
    STAGE_LABEL, Stage, VERSION,
};

use super::facts::Verb;
use super::{Allowed, Context, Operation, Stop, kept, shard, unreadable};
use crate::availability::{self, Upstream, needed, promotable};
use crate::check::{Check, Code};
use crate::claim::StageName;

pub(super) fn mutate(context: &Context<'_>, ulid: &str) -> Result<Allowed, Stop> {
    let (Some(object), Some(new)) = (context.review.new, context.after::<Promotion>()?) else {
        return Ok(Allowed::default());
    };
    let on = stage_of(&new)?;
    let stage = context.facts.stage_if_any(&on)?.ok_or_else(|| missing(&on))?;
    let (vars, steps) = template(&on, stage)?;
    let mut object = object.clone();
    let metadata = &mut object["metadata"];
    metadata["name"] = name::name(&new.spec, ulid).into();
    metadata["labels"][STAGE_LABEL] = name::label(&new.spec.stage).into();
    shard::label(metadata, &stage.spec.shard);
    metadata["annotations"][STAGE_LABEL] = new.spec.stage.as_str().into();
    // The controller promotes for others, and says for whom.
    if !context.by_controller() {
        metadata["annotations"][CREATE_ACTOR] = context.actor().into();
    }
    own(metadata, stage);
    let Some(spec) = object["spec"].as_object_mut() else {
        return Err(unreadable("as it was sent", "spec is no object"));
    };
    spec.insert("vars".into(), json!(vars));
    spec.insert("steps".into(), json!(steps));
    Ok(Allowed { object: Some(object), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Create => create(context)?,
        Operation::Update => update(context)?,
        Operation::Delete => delete(context)?,
    }
    Ok(Allowed::default())
}

fn create(context: &Context<'_>) -> Result<(), Stop> {
    let Some(new) = context.after::<Promotion>()? else { return Ok(()) };
    let on = stage_of(&new)?;
    context.require(Verb::Promote, &on, "promote")?;
    let stage = context.facts.stage_if_any(&on)?.ok_or_else(|| missing(&on))?;
    match (&new.spec.freight, &new.spec.origin) {
        (Some(_), None) => {}
        (None, Some(_)) => {
            let text = "this version can't choose Freight by origin";
            return Err(Check::failed(Code::Freight, text)
                .fix("Set spec.freight to the name of the Freight, and leave spec.origin out")
                .into());
        }
        _ => {
            return Err(Check::failed(
                Code::Freight,
                "exactly one of spec.freight and spec.origin must be set",
            )
            .into());
        }
    }
    available(context, &on, &new)?;
    as_made(context, &new, &on, stage)
}

fn update(context: &Context<'_>) -> Result<(), Stop> {
    let (Some(old), Some(new)) = (context.before::<Promotion>()?, context.after::<Promotion>()?)
    else {
        return Ok(());
    };
    if old.spec != new.spec {
        let text = "the spec of a Promotion can't be changed";
        return Err(Check::failed(Code::Immutable, text).fix("Abort it and create another").into());
    }
    kept(context, &KEPT)?;
    if !context.by_controller() && !context.by_kubernetes() {
        let on = stage_of(&old)?;
        context.require(Verb::Promote, &on, "change its Promotions")?;
    }
    Ok(())
}

fn delete(context: &Context<'_>) -> Result<(), Stop> {
    let Some(old) = context.before::<Promotion>()? else { return Ok(()) };
    if !context.by_controller() && !context.by_kubernetes() {
        let on = stage_of(&old)?;
        context.require(Verb::Promote, &on, "delete its Promotions")?;
    }
    Ok(())
}

/// Who asked, why, and for what: read again when the Promotion runs, and by whoever looks at it years later.
const KEPT: [&str; 4] = [CREATE_ACTOR, REASON, COLLECTION, ROLLBACK];

/// The Stage a Promotion is for. It is in the Promotion's own Project: there is no way to say otherwise.
fn stage_of(promotion: &Promotion) -> Result<StageName, Stop> {
    let project = promotion.metadata.namespace.as_deref().unwrap_or_default();
    // Before a schema has seen it, it may be any text; and it becomes part of a request.
    let name = format!("{project}:{}", promotion.spec.stage).parse();
    Ok(name.map_err(|e| Check::failed(Code::StageMissing, format!("spec.stage: {e}")))?)
}

fn missing(on: &StageName) -> Check {
    Check::failed(
        Code::StageMissing,
        format!("there is no Stage {} in Project {}", on.stage, on.project),
    )
}

/// What a promotion to a Stage does.
fn template(
    on: &StageName,
    stage: &Stage,
) -> Result<(Vec<ExpressionVariable>, Vec<PromotionStep>), Stop> {
    let template = stage.spec.promotion_template.as_ref().map(|t| &t.spec);
    let Some(template) = template.filter(|t| !t.steps.is_empty()) else {
        let text = format!("Stage {on} has no steps: it only passes Freight on");
        return Err(Check::failed(Code::Step, text)
            .fix("Give it spec.promotionTemplate.spec.steps, such as one that uses assign")
            .into());
    };
    if let Some(task) = template.steps.iter().find_map(|s| s.task.as_ref()) {
        let text = format!(
            "a step of Stage {on} names the task {}, and this version knows no tasks",
            task.name
        );
        return Err(Check::failed(Code::Step, text)
            .fix("Put the task's steps into the Stage")
            .into());
    }
    let vars = stage.spec.vars.iter().chain(&template.vars).cloned().collect();
    Ok((vars, template.steps.clone()))
}

/// With the Stage go its Promotions. A plain owner: nothing waits for them to go first.
fn own(metadata: &mut Value, stage: &Stage) {
    let api_version = format!("{GROUP}/{VERSION}");
    let owner = json!({
        "apiVersion": api_version,
        "kind": "Stage",
        "name": stage.metadata.name,
        "uid": stage.metadata.uid,
    });
    let mut owners = metadata["ownerReferences"].as_array().cloned().unwrap_or_default();
    owners.retain(|o| o["kind"] != "Stage" || o["apiVersion"] != api_version.as_str());
    owners.push(owner);
    metadata["ownerReferences"] = Value::Array(owners);
}

/// Denies Freight that is not available to the Stage.
fn available(context: &Context<'_>, on: &StageName, promotion: &Promotion) -> Result<(), Stop> {
    let now = context.review.now;
    let judged = |stage, upstream: &Upstream<'_>| {
        let freights = freights(context, on, stage, promotion)?;
        Ok::<_, Stop>(promotable(stage, promotion, &freights, upstream, now).map(drop))
    };
    let stage = context.facts.stage_if_any(on)?.ok_or_else(|| missing(on))?;
    if judged(stage, &Upstream::new())?.is_ok() {
        return Ok(());
    }
    // Perhaps the Stage asked for something else when this cache last saw it. If not, the denial is to be of use.
    let stage = context.facts.stage_live(on)?.ok_or_else(|| missing(on))?;
    let mut upstream = Upstream::new();
    let freights = freights(context, on, stage, promotion)?;
    for name in freights.iter().flat_map(|f| availability::upstream_of(stage, f)) {
        let known = match format!("{}:{name}", on.project).parse() {
            Ok(stage) => context.facts.stage_if_any(&stage)?,
            Err(_) => None,
        };
        upstream.insert(name, known);
    }
    Ok(judged(stage, &upstream)??)
}

/// What there is of the Freight that a Promotion is judged by.
fn freights<'a>(
    context: &Context<'a>,
    on: &StageName,
    stage: &Stage,
    promotion: &Promotion,
) -> Result<Vec<&'a Freight>, Stop> {
    // It becomes part of a request too. Every name of Freight is a hash.
    let hash = |name: &&str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let mut found = vec![];
    for name in needed(stage, promotion).into_iter().filter(hash) {
        found.extend(context.facts.freight(&on.project, name)?);
    }
    Ok(found)
}

/// What was put in by us is still there: others may have written after us, or nobody may have asked us.
fn as_made(
    context: &Context<'_>,
    new: &Promotion,
    on: &StageName,
    stage: &Stage,
) -> Result<(), Stop> {
    let metadata = &new.metadata;
    let label = metadata.labels.as_ref().and_then(|l| l.get(STAGE_LABEL));
    let by = metadata.annotations.as_ref().and_then(|a| a.get(CREATE_ACTOR));
    let refuse = |what: &str| {
        let text =
            format!("{what} of a Promotion is set by Wharfinger's webhook and by nobody else");
        Err(Check::failed(Code::Immutable, text)
            .fix("Look for another webhook that changes Promotions")
            .into())
    };
    if !name::is_name(metadata.name.as_deref().unwrap_or_default(), &new.spec) {
        return refuse("the name");
    }
    if label != Some(&name::label(&new.spec.stage)) {
        return refuse("the Stage's label");
    }
    if !context.by_controller() && by != Some(&context.actor()) {
        return refuse("the actor");
    }
    let made = |stage: &Stage| {
        template(on, stage).map(|(vars, steps)| vars == new.spec.vars && steps == new.spec.steps)
    };
    // The one that put them in may have seen a Stage that this cache has not.
    if !made(stage)? && !made(context.facts.stage_live(on)?.ok_or_else(|| missing(on))?)? {
        return refuse("what is to be done, taken from its Stage,");
    }
    Ok(())
}
