//! One object, or a list of them: whole, or page by page as it was when the first page was read.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::answer::Exchange;
use crate::failure::{Failure, Outcome};
use crate::query::VersionMatch;
use crate::store::{Key, Unknown};
use crate::write::{key, scope};

pub(crate) fn get(exchange: &Exchange, name: &str) -> Outcome<Arc<Value>> {
    exchange.find(&key(&exchange.resource, &exchange.namespace(), name))
}

pub(crate) fn list(exchange: &Exchange) -> Outcome<Value> {
    let (resource, query) = (&exchange.resource, &exchange.query);
    query.fields.check(&resource.group, &resource.plural)?;
    let page = query.continue_.as_deref().map(Page::read).transpose()?;
    let scope = scope(resource, exchange.asked.namespace.as_deref());
    let matches = |object: &Value| query.labels.matches(object) && query.fields.matches(object);

    let world = exchange.state.world();
    let current = world.store.revision();
    let version = match &page {
        Some(page) => page.version,
        None if query.version_match == VersionMatch::Exact => {
            query.version.filter(|version| *version > 0).ok_or_else(|| {
                Failure::bad_request(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                )
            })?
        }
        None => current,
    };
    let newest = version.max(query.version.unwrap_or_default());
    if newest > current {
        return Err(Failure::future_version(newest, current));
    }
    let objects: Vec<(Key, Arc<Value>)> = if version == current {
        world.store.scan(&scope).map(|(key, object)| (key.clone(), object.clone())).collect()
    } else {
        let past = world.store.at(version, &scope).map_err(|unknown| match unknown {
            Unknown::Future { current } => Failure::future_version(version, current),
            Unknown::Forgotten { .. } => Failure::expired(
                "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
            ),
        })?;
        past.into_iter().collect()
    };
    drop(world);

    let after = page.as_ref().map(|page| (page.namespace.as_str(), page.name.as_str()));
    let mut rest = objects
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| (&*key.namespace, &*key.name) > after))
        .filter(|(_, object)| matches(object));
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut shown: Vec<(Key, Arc<Value>)> = rest.by_ref().take(limit).collect();
    let remaining = rest.count();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some((last, _)) = shown.last().filter(|_| remaining > 0) {
        metadata["continue"] = Page::after(version, last).into();
        if query.labels.is_empty() && query.fields.is_empty() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let list = json!({
        "kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": metadata,
    });
    let objects: Vec<Arc<Value>> = shown.drain(..).map(|(_, object)| object).collect();
    Ok(exchange.form.list(resource, list, &objects, (exchange.state.clock)()))
}

/// Where a list goes on.
struct Page {
    version: u64,
    namespace: String,
    name: String,
}

impl Page {
    fn after(version: u64, key: &Key) -> String {
        BASE64.encode(json!([version, key.namespace, key.name]).to_string())
    }

    fn read(token: &str) -> Outcome<Self> {
        let decoded = BASE64.decode(token).ok();
        let value: Option<Value> = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let page = value.and_then(|value| {
            Some(Self {
                version: value.get(0)?.as_u64()?,
                namespace: value.get(1)?.as_str()?.into(),
                name: value.get(2)?.as_str()?.into(),
            })
        });
        page.ok_or_else(|| {
            Failure::bad_request("continue key is not valid: it was not given by this server")
        })
    }
}
