//! `Stage.spec.subscriptions`, which became `requestedFreight`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharfinger_api::v1alpha1::Stage;

use super::line;
use crate::check::{Check, Code};

/// Where a Stage took its Freight from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    Warehouse(String),
    /// Each once.
    Stages(Vec<String>),
}

pub fn subscriptions(old: &Value) -> Result<Upstream, Check> {
    let Some(fields) = old.as_object() else { return Err(refused("", "is not an object")) };
    for (field, value) in fields {
        match field.as_str() {
            _ if value.is_null() => {}
            "warehouse" | "upstreamStages" | "stages" => {}
            "repos" => {
                return Err(refused(".repos", "is of v0.1, and is not converted").fix(format!(
                    "Make a Warehouse that subscribes to these repositories, and write instead: {}",
                    example(&json!({ "direct": true }))
                )));
            }
            other => {
                let known = "it has warehouse, upstreamStages and stages";
                return Err(refused("", &format!("has no field {other:?}: {known}")));
            }
        }
    }
    let given = |field: &str| fields.get(field).filter(|value| !value.is_null());
    let mut stages = vec![];
    for field in ["upstreamStages", "stages"] {
        names(given(field), field, &mut stages)?;
    }
    match (given("warehouse"), stages.is_empty()) {
        (Some(Value::String(warehouse)), true) if !warehouse.is_empty() => {
            Ok(Upstream::Warehouse(warehouse.clone()))
        }
        (Some(Value::String(warehouse)), false) if !warehouse.is_empty() => {
            let sources = json!({ "direct": true, "stages": stages });
            let requested = json!([request(warehouse, &sources)]);
            Err(refused("", "has both a warehouse and Stages, of which only one was ever allowed")
                .fix(format!("Write instead: {}", line(FIELD, &requested))))
        }
        (Some(_), _) => Err(refused(".warehouse", "is not the name of a Warehouse")),
        (None, false) => Ok(Upstream::Stages(stages)),
        (None, true) => Err(refused("", "names neither a Warehouse nor a Stage")
            .fix(format!("Write instead: {}", example(&json!({ "direct": true }))))),
    }
}

/// `requestedFreight` of a Stage that takes its Freight straight from a Warehouse.
pub fn direct(warehouse: &str) -> Value {
    json!([request(warehouse, &json!({ "direct": true }))])
}

/// `requestedFreight` of a Stage that takes its Freight from these, which have to have one Warehouse in common with none
/// besides: the old form had no place to say more.
pub fn from_upstream(upstream: &[(String, &Stage)]) -> Result<Value, Check> {
    let mut origins: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, stage) in upstream {
        for requested in &stage.spec.requested_freight {
            let stages = origins.entry(&requested.origin.name).or_default();
            if !stages.contains(&name.as_str()) {
                stages.push(name);
            }
        }
    }
    let all = |stages: &[&str]| json!({ "stages": stages });
    let requested: Vec<_> =
        origins.iter().map(|(warehouse, stages)| request(warehouse, &all(stages))).collect();
    let count = requested.len();
    let requested = Value::Array(requested);
    if count == 1 {
        return Ok(requested);
    }
    let stages: Vec<_> = upstream.iter().map(|(name, _)| name.as_str()).collect();
    if count == 0 {
        let text = format!("leads to no Warehouse: {} request no Freight", stages.join(", "));
        return Err(refused("", &text).fix(format!("Write instead: {}", example(&all(&stages)))));
    }
    let warehouses: Vec<_> = origins.keys().copied().collect();
    let text = format!(
        "leads to more than one Warehouse ({}), and can't say which is meant",
        warehouses.join(", ")
    );
    Err(refused("", &text)
        .fix(format!("Write instead what of this is meant: {}", line(FIELD, &requested))))
}

const FIELD: &str = "requestedFreight";

/// More than any pipeline has; each is a question to the API server.
const STAGES: usize = 20;

fn names(list: Option<&Value>, field: &str, into: &mut Vec<String>) -> Result<(), Check> {
    let Some(list) = list else { return Ok(()) };
    let Some(list) = list.as_array() else {
        return Err(refused(&format!(".{field}"), "is not a list"));
    };
    for (index, item) in list.iter().enumerate() {
        let name = item.as_str().or_else(|| item["name"].as_str()).unwrap_or_default();
        if name.is_empty() {
            let text = "is neither the name of a Stage nor an object with one";
            return Err(refused(&format!(".{field}[{index}]"), text));
        }
        if into.iter().any(|known| known == name) {
            continue;
        }
        if into.len() == STAGES {
            let text = format!("has more than {STAGES} Stages");
            return Err(refused(&format!(".{field}"), &text)
                .fix("Write requestedFreight instead, which has no such limit"));
        }
        into.push(name.into());
    }
    Ok(())
}

fn request(warehouse: &str, sources: &Value) -> Value {
    json!({ "origin": { "kind": "Warehouse", "name": warehouse }, "sources": sources })
}

fn example(sources: &Value) -> String {
    line(FIELD, &json!([request("WAREHOUSE", sources)]))
}

fn refused(path: &str, what: &str) -> Check {
    Check::failed(Code::LegacyForm, format!("spec.subscriptions{path} {what}"))
        .fix(format!("Write instead: {}", example(&json!({ "stages": ["STAGE"] }))))
}
