//! Manifests of before v1.0 of Kargo: today's fields take the place of the old ones, and the writer is told how to write
//! them.

use serde_json::{Value, json};
use wharfinger_api::additions::CONVERTED;

use super::{Context, Stop};
use crate::check::{Check, Code};
use crate::claim::StageName;
use crate::freight::sha1;
use crate::legacy::{GIT, Upstream, direct, from_upstream, line, mechanisms, subscriptions};

/// Converts a Stage. What to tell its writer.
pub(super) fn stage(context: &Context<'_>, object: &mut Value) -> Result<Vec<String>, Stop> {
    let mut warnings = vec![];
    let (subscribed, mechanisms) =
        (take(object, "subscriptions"), take(object, "promotionMechanisms"));
    // Fields that are from a conversion as before, and were not written by anybody since.
    let mut converted: Vec<_> =
        [FREIGHT, TEMPLATE].into_iter().filter(|field| is_converted(object, field)).collect();
    if let Some(old) = subscribed {
        if is_given(object, FREIGHT) && !converted.contains(&FREIGHT) {
            warnings.push(left_out("subscriptions", FREIGHT, object));
        } else {
            let requested = requested(context, object, &old)?;
            warnings.push(format!(
                "spec.subscriptions is of Kargo before v0.9; it was converted. Write instead: {}",
                line(FREIGHT, &requested)
            ));
            put(object, FREIGHT, requested, &mut converted);
        }
    }
    if let Some(old) = mechanisms {
        if is_given(object, TEMPLATE) && !converted.contains(&TEMPLATE) {
            warnings.push(left_out("promotionMechanisms", TEMPLATE, object));
        } else {
            let template = json!({ "spec": { "steps": [{ "uses": "assign" }] } });
            warnings.push(format!(
                "spec.promotionMechanisms is of Kargo before v1.0; it was converted. A promotion does not write to Git any more: \
                 it assigns Freight to the Stage, and the Stage's Applications are rendered with it. Write instead: {}",
                line(TEMPLATE, &template)
            ));
            warnings.extend(steps(&old));
            put(object, TEMPLATE, template, &mut converted);
        }
    }
    mark(object, &converted);
    Ok(warnings)
}

const FREIGHT: &str = "requestedFreight";
const TEMPLATE: &str = "promotionTemplate";

fn take(object: &mut Value, field: &str) -> Option<Value> {
    let old = object.get_mut("spec")?.as_object_mut()?.shift_remove(field)?;
    Some(old).filter(|old| !old.is_null())
}

fn put(object: &mut Value, field: &'static str, value: Value, converted: &mut Vec<&'static str>) {
    object["spec"][field] = value;
    if !converted.contains(&field) {
        converted.push(field);
    }
}

fn is_given(object: &Value, field: &str) -> bool {
    let value = &object["spec"][field];
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
}

/// Who applies an old manifest again sends the old fields merged with what they were converted to. That is not to count as
/// given, or a change of the old fields would never arrive. It is told by the annotation, which says what they became.
fn is_converted(object: &Value, field: &str) -> bool {
    let listed = Context::annotation(Some(object), CONVERTED).unwrap_or_default();
    listed.split(',').any(|listed| listed == entry(object, field))
}

fn mark(object: &mut Value, converted: &[&str]) {
    let entries: Vec<_> = converted.iter().map(|field| entry(object, field)).collect();
    let listed = entries.join(",");
    if Context::annotation(Some(object), CONVERTED).unwrap_or_default() == listed {
        return;
    }
    if !listed.is_empty() {
        object["metadata"]["annotations"][CONVERTED] = listed.into();
    } else if let Some(all) =
        object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        all.shift_remove(CONVERTED);
    }
}

/// `<field>:<hash of its value>`. The API server keeps no order of keys.
fn entry(object: &Value, field: &str) -> String {
    let mut value = object["spec"][field].clone();
    value.sort_all_objects();
    let hash = sha1(&value.to_string());
    format!("{field}:{}", &hash[..8])
}

fn left_out(old: &str, given: &str, object: &Value) -> String {
    format!(
        "spec.{old} is of an older Kargo, and was left out because spec.{given} is given as well. Keep only: {}",
        line(given, &object["spec"][given])
    )
}

fn requested(context: &Context<'_>, object: &Value, old: &Value) -> Result<Value, Stop> {
    let names = match subscriptions(old)? {
        Upstream::Warehouse(warehouse) => return Ok(direct(&warehouse)),
        Upstream::Stages(names) => names,
    };
    let metadata = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let (project, own) = (metadata("namespace"), metadata("name"));
    let mut upstream = vec![];
    for name in names {
        if name == own {
            let text = format!("spec.subscriptions: Stage {own} can't come after itself");
            return Err(Check::failed(Code::LegacyForm, text)
                .fix("Name the Stages before it, or a Warehouse")
                .into());
        }
        // A Stage names the origin of all it requests, however far away that is: nothing is to be followed further.
        let on: StageName = format!("{project}:{name}").parse().map_err(|e| {
            Check::failed(Code::StageMissing, format!("spec.subscriptions: {e}"))
                .fix("Name Stages of the same Project: wharf get stages")
        })?;
        let stage = context.facts.stage_live(&on)?.ok_or_else(|| missing(&on, own))?;
        upstream.push((name, stage));
    }
    Ok(from_upstream(&upstream)?)
}

fn missing(on: &StageName, own: &str) -> Check {
    let StageName { project, stage } = on;
    let origin = json!({ "kind": "Warehouse", "name": "WAREHOUSE" });
    let requested = json!([{ "origin": origin, "sources": { "stages": [stage] } }]);
    let text = format!(
        "spec.subscriptions names Stage {stage}, which does not exist in Project {project}, so that the Warehouse can't be found"
    );
    let fix = format!(
        "Apply Stage {stage} first, and Stage {own} after it; or write instead: {}",
        line(FREIGHT, &requested)
    );
    Check::failed(Code::StageMissing, text).fix(fix)
}

/// What to write to go on as before, one text a mechanism.
fn steps(old: &Value) -> impl Iterator<Item = String> {
    mechanisms(old).into_iter().map(|(mechanism, steps)| {
        let when = match mechanism {
            GIT => "To go on writing to Git, put these steps into promotionTemplate.spec",
            _ => "Applications without the plugin wharfinger take this step in promotionTemplate.spec",
        };
        format!(
            "spec.promotionMechanisms.{mechanism} was left out. {when}, as far as this version has them: {}",
            line("steps", &steps)
        )
    })
}
