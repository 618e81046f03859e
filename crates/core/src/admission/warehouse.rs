//! Warehouses: what they subscribe to can be watched, and each thing once.

use std::collections::BTreeMap;

use serde_json::Value;
use wharfinger_api::v1alpha1::{Warehouse, WarehouseSpec};

use super::faults::Faults;
use super::{Allowed, Context, Stop, namespace, shard};
use crate::claim::{is_label, shown};
use crate::criteria;
use crate::legacy;
use crate::subscription::{Subscription, set_defaults};

pub(super) fn mutate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let (Some(object), Some(new)) = (context.new_value()?, context.after::<Warehouse>()?) else {
        return Ok(Allowed::default());
    };
    let mut object = object.clone();
    let warnings = legacy::warehouse(&mut object);
    shard::label(&mut object["metadata"], &new.spec.shard);
    let subscriptions = object.pointer_mut("/spec/subscriptions").and_then(Value::as_array_mut);
    subscriptions.into_iter().flatten().for_each(set_defaults);
    Ok(Allowed { warnings, object: Some(object), ..Allowed::default() })
}

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(new) = context.after::<Warehouse>()? else { return Ok(Allowed::default()) };
    let mut warnings = vec![];
    if context.changes("spec")? {
        warnings = subscriptions(&new.spec.subscriptions)?;
        warnings.extend(criteria(&new.spec));
    }
    namespace::of_project(context)?;
    Ok(Allowed { warnings, ..Allowed::default() })
}

/// Denies what can't be watched. What is returned are warnings.
fn subscriptions(items: &[Value]) -> Result<Vec<String>, Stop> {
    let (mut faults, mut warnings) = (Faults::default(), vec![]);
    let (mut subjects, mut names) = (BTreeMap::new(), BTreeMap::new());
    for (index, item) in items.iter().enumerate() {
        let at = format!("spec.subscriptions[{index}]");
        let field = |field: &str| {
            if field.is_empty() { at.clone() } else { format!("{at}.{}", shown(field)) }
        };
        name(item, index, &at, &mut names, &mut faults);
        let subscription = match Subscription::read(item) {
            Ok(subscription) => subscription,
            Err(found) => {
                faults.at(field(&found.field), found.text);
                continue;
            }
        };
        for found in subscription.findings() {
            if found.fault {
                faults.at(field(&found.field), found.text);
            } else {
                warnings.push(format!("{}: {}", field(&found.field), found.text));
            }
        }
        if let Some(first) = subjects.insert((subscription.kind, subscription.subject()), index) {
            let fault = format!("spec.subscriptions[{first}] is for the same repository already");
            faults.at(field(&format!("{}.repoURL", subscription.kind)), fault);
        }
    }
    faults.judge()?;
    Ok(warnings)
}

/// Kargo lets an expression in that does not compile, and then makes no Freight.
fn criteria(spec: &WarehouseSpec) -> Option<String> {
    let criteria = spec.freight_creation_criteria.as_ref()?;
    let fault = criteria::fault(&criteria.expression)?;
    let field = "spec.freightCreationCriteria.expression";
    Some(format!("{field}: {fault}; until it is mended, no Freight is made"))
}

/// Artifacts say by it which subscription they come from.
fn name<'a>(
    item: &'a Value,
    index: usize,
    at: &str,
    names: &mut BTreeMap<&'a str, usize>,
    faults: &mut Faults,
) {
    let at = format!("{at}.name");
    let name = match item.get("name") {
        None | Some(Value::Null) => return,
        Some(Value::String(name)) if name.is_empty() => return,
        Some(Value::String(name)) => name,
        Some(_) => return faults.at(at, "must be a text"),
    };
    if !is_label(name) {
        let fault = "must be at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends";
        faults.at(&at, fault);
    }
    if let Some(first) = names.insert(name, index) {
        faults.at(
            &at,
            format_args!("{:?} is the name of spec.subscriptions[{first}] already", shown(name)),
        );
    }
}
