//! Deleting objects: at once, or when nothing holds them any more.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admission::Admission;
use crate::answer::Exchange;
use crate::failure::{Failure, Outcome, details};
use crate::form::shown;
use crate::store::Key;
use crate::write::{ATTEMPTS, key, scope};
use crate::{meta, query, sweep};

pub(crate) async fn delete(
    exchange: &mut Exchange,
    name: &str,
    options: &Value,
) -> Outcome<Deleted> {
    for _ in 0..ATTEMPTS {
        if let Some(answer) = try_to_delete(exchange, name, options).await? {
            return Ok(answer);
        }
    }
    Err(Failure::modified(&exchange.resource, name))
}

pub(crate) enum Deleted {
    /// The Status that says so.
    Gone(Value),
    /// It stays until its finalizers are removed.
    Held(Arc<Value>),
}

/// Every object that is selected. Answers the List of them.
pub(crate) async fn delete_collection(exchange: &mut Exchange, options: &Value) -> Outcome<Value> {
    let resource = exchange.resource.clone();
    exchange.query.fields.check(&resource.group, &resource.plural)?;
    let scope = scope(&resource, exchange.asked.namespace.as_deref());
    let chosen: Vec<Key> = {
        let world = exchange.state.world();
        let all = world.store.scan(&scope);
        let chosen = all.filter(|(_, object)| {
            exchange.query.labels.matches(object) && exchange.query.fields.matches(object)
        });
        chosen.map(|(key, _)| key.clone()).collect()
    };
    let mut items = Vec::new();
    for key in chosen {
        let object = match exchange.find(&key) {
            Ok(object) => shown(&resource, &object),
            // Somebody else was faster.
            Err(_) => continue,
        };
        exchange.asked.namespace = Some(key.namespace).filter(|namespace| !namespace.is_empty());
        delete(exchange, &key.name, options).await?;
        items.push(object);
    }
    Ok(json!({
        "kind": resource.list_kind, "apiVersion": resource.api_version(),
        "metadata": {"resourceVersion": exchange.state.world().store.revision().to_string()},
        "items": items,
    }))
}

async fn try_to_delete(
    exchange: &mut Exchange,
    name: &str,
    options: &Value,
) -> Outcome<Option<Deleted>> {
    let (resource, state) = (exchange.resource.clone(), exchange.state.clone());
    let namespace = exchange.namespace();
    let key = key(&resource, &namespace, name);
    let stored = exchange.find(&key)?;
    let old = shown(&resource, &stored);
    for (field, called, happened) in [
        ("uid", "UID", "have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "have been modified"),
    ] {
        let has = meta::text(&old, field);
        let wanted = options["preconditions"][field].as_str().unwrap_or(has);
        if wanted != has {
            let why = format!(
                "the {called} in the precondition ({wanted}) does not match the {called} in record ({has}). The object might {happened}"
            );
            return Err(Failure::precondition(&resource, name, &why));
        }
    }
    let dry_run =
        exchange.query.dry_run || query::dry_run(meta::strings(&options["dryRun"]).next())?;
    let user = exchange.user.clone();
    let mut sent = options.clone();
    sent["kind"] = "DeleteOptions".into();
    sent["apiVersion"] = "meta.k8s.io/v1".into();
    let admission = Admission {
        state: &state,
        user: &user,
        resource: &resource,
        subresource: None,
        operation: "DELETE",
        namespace: &namespace,
        name,
        dry_run,
        options: &sent,
        old: Some(&old),
    };
    admission.mutate(&mut None, &mut exchange.warnings).await?;
    admission.validate(None, &mut exchange.warnings).await?;

    let mut world = state.world();
    let unchanged = world.store.get(&key).is_some_and(|now| Arc::ptr_eq(now, &stored));
    if !unchanged {
        return Ok(None);
    }
    let uid = meta::text(&old, "uid").to_owned();
    let mut done = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details(name, &resource.group, &resource.plural),
    });
    done["details"]["uid"] = uid.as_str().into();
    let propagation = options["propagationPolicy"].as_str().map(str::to_owned);
    let propagation = propagation.or_else(|| exchange.query.propagation.clone());
    let held =
        meta::strings(&old["metadata"]["finalizers"]).next().is_some() || sweep::holds_others(&key);
    if held && !old["metadata"]["deletionTimestamp"].is_null() {
        return Ok(Some(Deleted::Held(stored)));
    }
    if dry_run {
        return Ok(Some(Deleted::Gone(done)));
    }
    if propagation.as_deref() == Some("Orphan") {
        sweep::orphan(&mut world, &uid).map_err(Failure::internal)?;
    }
    world.sweep = true;
    if held {
        let mut object = (*stored).clone();
        object["metadata"]["deletionTimestamp"] = state.now().into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if let Some(generation) = object["metadata"]["generation"].as_i64() {
            object["metadata"]["generation"] = (generation + 1).into();
        }
        if sweep::holds_others(&key) {
            object["status"] = json!({"phase": "Terminating"});
        }
        return world.put(&resource, key, object, false).map(|held| Some(Deleted::Held(held)));
    }
    world.remove(&resource, &key)?;
    Ok(Some(Deleted::Gone(done)))
}
