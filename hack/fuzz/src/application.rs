//! Applications as anybody may write them, made up from what is left of the input.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

use crate::COLLECTIONS;

/// An Application before and after a write. Nothing before, where it is created.
pub fn change(u: &mut Unstructured<'_>) -> Result<(Option<Value>, Value)> {
    if u.ratio(1, 4)? {
        return Ok((None, application(u)?));
    }
    let (old, mut other) = (application(u)?, application(u)?);
    // Most writes change one thing and leave the others as they are.
    let mut new = old.clone();
    for path in [&["metadata", "annotations"][..], &["spec"], &["operation"], &["status"]] {
        let changes = u.ratio(1, 3)?;
        if let (true, Some(here), Some(there)) =
            (changes, place(&mut new, path), place(&mut other, path))
        {
            *here = there.take();
        }
    }
    Ok((Some(old), new))
}

fn place<'v>(object: &'v mut Value, path: &[&str]) -> Option<&'v mut Value> {
    path.iter().try_fold(object, |value, key| value.get_mut(key))
}

fn application(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut annotations = json!({});
    let stages =
        ["shop:prod", "shop:prod", "shop:dev", "shop:prod, shop:dev", "shop:", "", " shop:prod,"];
    if !u.ratio(1, 5)? {
        annotations["kargo.akuity.io/authorized-stage"] = json!(u.choose(&stages)?);
    }
    if u.ratio(1, 8)? {
        annotations["wharfinger.dev/break-glass"] = json!(u.choose(&["a fire", " ", "a flood"])?);
    }
    let mut spec = named_sources(u)?;
    spec["project"] = json!("default");
    if u.ratio(1, 20)? {
        spec["sourceHydrator"] = json!({ "drySource": {} });
    }
    let mut app = json!({
        "metadata": { "name": "web", "namespace": "argocd", "annotations": annotations },
        "spec": spec,
        "operation": operation(u)?,
        "status": { "operationState": state(u)? },
    });
    if u.ratio(1, 6)? {
        let path: &[&str] = u.choose(&[
            &["metadata"][..],
            &["metadata", "annotations"],
            &["spec"],
            &["spec", "source"],
            &["spec", "source", "plugin"],
            &["spec", "source", "plugin", "env"],
            &["spec", "sources"],
            &["operation"],
            &["operation", "sync"],
            &["status"],
            &["status", "operationState"],
            &[],
        ])?;
        if let Some(place) = place(&mut app, path) {
            *place = junk(u)?;
        }
    }
    Ok(app)
}

fn named_sources(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut named = json!({});
    if !u.ratio(1, 4)? {
        named["source"] = source(u)?;
    }
    if u.ratio(1, 3)? {
        let count = u.int_in_range(0..=3)?;
        named["sources"] = (0..count).map(|_| source(u)).collect::<Result<_>>()?;
    }
    Ok(named)
}

fn source(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut source =
        json!({ "repoURL": u.choose(&["https://git/shop.git", "https://git/other.git"])? });
    if u.ratio(1, 4)? {
        source["chart"] = json!("web");
    } else {
        source["path"] = json!(u.choose(&["deploy", "other"])?);
    }
    if !u.ratio(1, 3)? {
        let revisions = ["main", "", "0123456789abcdef0123456789abcdef01234567"];
        source["targetRevision"] = json!(u.choose(&revisions)?);
    }
    if !u.ratio(1, 5)? {
        let names = ["wharfinger", "wharfinger", "wharfinger", "other", "./wharfinger", ""];
        source["plugin"] = json!({ "name": u.choose(&names)? });
        match u.int_in_range(0..=7)? {
            0 => {}
            1 => source["plugin"]["env"] = junk(u)?,
            _ => {
                let count = u.int_in_range(0..=3)?;
                source["plugin"]["env"] = (0..count).map(|_| entry(u)).collect::<Result<_>>()?;
            }
        }
    }
    Ok(source)
}

fn entry(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=9)? {
        0 => junk(u)?,
        1 => json!({ "name": "OTHER", "value": "x" }),
        2..=4 => {
            let stages = ["shop:prod", "shop:prod", "shop:dev", "", "x"];
            json!({ "name": "WHARFINGER_STAGE", "value": u.choose(&stages)? })
        }
        _ => {
            let claim = format!("{}-{}", u.int_in_range(0..=6)?, u.choose(&COLLECTIONS)?);
            json!({ "name": "WHARFINGER_FREIGHT", "value": claim })
        }
    })
}

fn operation(u: &mut Unstructured<'_>) -> Result<Value> {
    if u.ratio(1, 2)? {
        return Ok(Value::Null);
    }
    let mut sync = if u.arbitrary()? { named_sources(u)? } else { json!({}) };
    sync["revision"] = json!(u.choose(&["", "main"])?);
    if u.ratio(1, 10)? {
        sync["manifests"] = json!(["{}"]);
    }
    Ok(json!({
        "initiatedBy": { "username": u.choose(&["", "alice"])?, "automated": u.arbitrary::<bool>()? },
        "sync": sync,
    }))
}

fn state(u: &mut Unstructured<'_>) -> Result<Value> {
    if u.ratio(1, 2)? {
        return Ok(Value::Null);
    }
    let phases = ["Running", "Terminating", "Succeeded", "Failed", ""];
    Ok(json!({ "phase": u.choose(&phases)?, "operation": operation(u)? }))
}

/// What a schema would have refused: mutating webhooks are asked before it is.
fn junk(u: &mut Unstructured<'_>) -> Result<Value> {
    let all = [
        json!(null),
        json!([]),
        json!({}),
        json!([{}]),
        json!([{}, "Running"]),
        json!([{}, {}, {}, {}]),
        json!(1),
        json!("x"),
        json!(true),
        json!([null, 1]),
    ];
    Ok(u.choose(&all)?.clone())
}
