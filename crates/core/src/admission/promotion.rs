//! Promotions: who may ask for one is decided here, below every front door, and what it does is what its Stage says.

mod abort;
mod freight;
mod hold;
mod name;
mod template;

use serde_json::{Value, json};
use wharfinger_api::additions::{COLLECTION, REASON};
use wharfinger_api::v1alpha1::{
    AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME, CREATE_ACTOR, GROUP, Promotion, ROLLBACK,
    STAGE_LABEL, Stage, VERSION,
};

use self::template::{Template, template};
use super::facts::Verb;
use super::{Allowed, Context, Event, Operation, Stop, kept, namespace, shard, unreadable};
use crate::check::{Check, Code};
use crate::claim::StageName;
use crate::promotion::{details, over};

pub(super) fn mutate(context: &Context<'_>, ulid: &str) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Create => made(context, ulid),
        Operation::Update => restored(context),
        Operation::Delete => Ok(Allowed::default()),
    }
}

/// What a Promotion is made of: what was asked for, and what its Stage says.
fn made(context: &Context<'_>, ulid: &str) -> Result<Allowed, Stop> {
    let (Some(object), Some(mut new)) = (context.new_value()?, context.after::<Promotion>()?)
    else {
        return Ok(Allowed::default());
    };
    let on = stage_of(&new)?;
    // Before anything is told of what there is, and before anything is looked up for whoever may not.
    context.require(Verb::Promote, &on, "promote")?;
    let (stage, Template { vars, steps }) = described(context, &on)?;
    let mut object = object.clone();
    if let (None, Some(origin)) = (&new.spec.freight, &new.spec.origin) {
        new.spec.freight = freight::candidate(context, &on, origin)?.metadata.name.clone();
        object["spec"]["freight"] = json!(new.spec.freight);
        object["spec"].as_object_mut().map(|spec| spec.shift_remove("origin"));
    }
    let metadata = &mut object["metadata"];
    metadata["name"] = name::name(&new.spec, ulid).into();
    metadata["labels"][STAGE_LABEL] = name::label(&new.spec.stage).into();
    shard::label(metadata, &stage.spec.shard);
    metadata["annotations"][STAGE_LABEL] = new.spec.stage.as_str().into();
    // The controller promotes for others, and says for whom.
    if !context.by_controller() {
        metadata["annotations"][CREATE_ACTOR] = context.actor().into();
    }
    hold::intend(context, &on, stage, &new, metadata)?;
    abort::sign(context, metadata)?;
    own(metadata, stage);
    let mut warnings = vec![];
    let sent = &new.spec;
    if (!sent.vars.is_empty() && sent.vars != vars)
        || (!sent.steps.is_empty() && sent.steps != steps)
    {
        warnings.push(format!(
            "spec.vars and spec.steps are those of Stage {on}: what was sent is left out"
        ));
    }
    let Some(spec) = object["spec"].as_object_mut() else {
        return Err(unreadable("as it was sent", "spec is no object"));
    };
    spec.insert("vars".into(), json!(vars));
    spec.insert("steps".into(), json!(steps));
    Ok(Allowed { object: Some(object), warnings, ..Allowed::default() })
}

/// A Stage, and what a promotion to it does. A cache that is behind denies nothing.
fn described<'a>(context: &Context<'a>, on: &StageName) -> Result<(&'a Stage, Template), Stop> {
    let mut stage = context.facts.stage_if_any(on)?.ok_or_else(|| missing(on))?;
    let mut described = template(context, on, stage);
    if let Err(Stop::Deny(_)) = described {
        stage = context.facts.stage_live(on)?.ok_or_else(|| missing(on))?;
        described = template(context, on, stage);
    }
    Ok((stage, described?))
}

/// What was put in when it was created is put back, whatever becomes of the rest.
fn restored(context: &Context<'_>) -> Result<Allowed, Stop> {
    let (Some(old), Some(new)) = (context.old_value()?, context.new_value()?) else {
        return Ok(Allowed::default());
    };
    let mut object = new.clone();
    let metadata = &mut object["metadata"];
    for key in RESTORED {
        let before = Context::annotation(Some(old), key);
        if before == Context::annotation(Some(new), key) {
            continue;
        }
        match before {
            Some(before) => metadata["annotations"][key] = before.into(),
            None => drop(metadata["annotations"].as_object_mut().map(|a| a.shift_remove(key))),
        }
    }
    abort::sign(context, metadata)?;
    Ok(Allowed { object: Some(object).filter(|o| o != new), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    match context.review.operation {
        Operation::Create => create(context),
        Operation::Update => update(context),
        Operation::Delete => delete(context),
    }
}

fn create(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(new) = context.after::<Promotion>()? else { return Ok(Allowed::default()) };
    namespace::of_project(context)?;
    let on = stage_of(&new)?;
    context.require(Verb::Promote, &on, "promote")?;
    let stage = context.facts.stage_if_any(&on)?.ok_or_else(|| missing(&on))?;
    freight::named(&new)?;
    if !new.spec.target.is_empty() && !context.by_controller() {
        let text = "spec.target is set by the controller of a PromotionRequest alone";
        return Err(Check::failed(Code::Freight, text).fix("Create a PromotionRequest").into());
    }
    one_place(context, &on, stage, &new)?;
    freight::available(context, &on, &new)?;
    as_made(context, &new, &on, stage)?;
    abort::judge(context)?;
    Ok(Allowed { events: created(context, &new), ..Allowed::default() })
}

/// Denies a Promotion of a whole Stage that is a set of Targets. A cache that is behind denies nothing.
fn one_place(
    context: &Context<'_>,
    on: &StageName,
    stage: &Stage,
    new: &Promotion,
) -> Result<(), Stop> {
    let selects = |stage: &Stage| new.spec.target.is_empty() && stage.spec.targets.is_some();
    if !selects(stage) || !context.facts.stage_live(on)?.is_some_and(selects) {
        return Ok(());
    }
    let text =
        format!("spec.stage: Stage {on} selects Targets: it is promoted to by a PromotionRequest");
    Err(Check::failed(Code::Target, text).fix("Create a PromotionRequest instead").into())
}

fn created(context: &Context<'_>, promotion: &Promotion) -> Vec<Event> {
    // The controller tells of its own.
    if context.by_controller() {
        return vec![];
    }
    let freight = promotion.spec.freight.as_deref().unwrap_or_default();
    let text = format!("Promotion of Freight {freight} to Stage {}", promotion.spec.stage);
    let annotations = details(promotion);
    vec![Event { warning: false, reason: "PromotionCreated", text, annotations }]
}

fn update(context: &Context<'_>) -> Result<Allowed, Stop> {
    let (Some(old), Some(new)) = (context.before::<Promotion>()?, context.after::<Promotion>()?)
    else {
        return Ok(Allowed::default());
    };
    if old.spec != new.spec {
        let text = "spec: that of a Promotion can't be changed";
        return Err(Check::failed(Code::Immutable, text).fix("Abort it and create another").into());
    }
    kept(context, &KEPT)?;
    kept(context, &RESTORED)?;
    if !context.by_controller() && !context.by_kubernetes() {
        let on = stage_of(&old)?;
        context.require(Verb::Promote, &on, "change its Promotions")?;
    }
    abort::judge(context)?;
    let mut warnings = vec![];
    if over(&old) && abort::asked(context) {
        warnings.push("the Promotion has ended: there is nothing to abort".into());
    }
    Ok(Allowed { warnings, ..Allowed::default() })
}

fn delete(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(old) = context.before::<Promotion>()? else { return Ok(Allowed::default()) };
    if !context.by_controller() && !context.by_kubernetes() {
        let on = stage_of(&old)?;
        context.require(Verb::Promote, &on, "delete its Promotions")?;
    }
    Ok(Allowed::default())
}

/// Why, and for what: read again when the Promotion runs, and by whoever looks at it years later.
const KEPT: [&str; 3] = [REASON, COLLECTION, ROLLBACK];
/// What was put in by us. Clients that know nothing of it leave it out when they write the whole object.
const RESTORED: [&str; 3] = [CREATE_ACTOR, AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME];

/// The Stage a Promotion is for. It is in the Promotion's own Project: there is no way to say otherwise.
fn stage_of(promotion: &Promotion) -> Result<StageName, Stop> {
    let project = promotion.metadata.namespace.as_deref().unwrap_or_default();
    // Before a schema has seen it, it may be any text; and it becomes part of a request.
    let name = format!("{project}:{}", promotion.spec.stage).parse();
    Ok(name.map_err(|e| {
        Check::failed(Code::StageMissing, format!("spec.stage: {e}"))
            .fix("Name a Stage of the Promotion's own Project: wharf get stages")
    })?)
}

fn missing(on: &StageName) -> Check {
    Check::failed(
        Code::StageMissing,
        format!("spec.stage: there is no Stage {} in Project {}", on.stage, on.project),
    )
    .fix(format!("Name one that is there: wharf get stages -p {}", on.project))
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
            .fix("Try again, and look for another webhook that changes Promotions")
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
    let made = |stage: &Stage| match template(context, on, stage) {
        Ok(Template { vars, steps }) => Ok(vars == new.spec.vars && steps == new.spec.steps),
        Err(Stop::Deny(_)) => Ok(false),
        Err(ask) => Err(ask),
    };
    // The one that put them in may have seen a Stage that this cache has not.
    if !made(stage)? && !made(context.facts.stage_live(on)?.ok_or_else(|| missing(on))?)? {
        return refuse("what is to be done, taken from its Stage,");
    }
    if !hold::intended(context, on, stage, new)? {
        return refuse("what it means for automatic promotion");
    }
    Ok(())
}
