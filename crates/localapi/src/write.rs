//! Creating and changing objects.
//!
//! Webhooks are asked without any lock held. A write is then only made on what they were asked about: if that has
//! changed meanwhile, it starts again, or is a conflict if the client named a resourceVersion.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admission::Admission;
use crate::answer::Exchange;
use crate::catalog::{Catalog, DEFINITIONS};
use crate::failure::{Failure, Outcome};
use crate::form::shown;
use crate::patch::Patch;
use crate::query::UnknownFields;
use crate::resource::Resource;
use crate::schema::{Problem, ProblemKind};
use crate::state::World;
use crate::store::{Key, Scope};
use crate::{complete, event, meta, sweep};

/// How often a write starts again when others come first.
pub(crate) const ATTEMPTS: usize = 20;

pub(crate) async fn create(exchange: &mut Exchange, body: Value) -> Outcome<Arc<Value>> {
    let resource = exchange.resource.clone();
    let mut object = meta::read(&resource, body)?;
    if !meta::text(&object, "resourceVersion").is_empty() {
        return Err(Failure::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    meta::wipe(&mut object);
    exchange.place(&mut object)?;
    exchange.fit(&mut object, true)?;
    let namespace = exchange.asked.namespace.clone().filter(|_| resource.namespaced);
    if let Some(namespace) = &namespace {
        accepts(&exchange.state.world(), &resource, namespace, meta::text(&object, "name"))?;
    }
    let namespace = namespace.unwrap_or_default();
    let options = options("CreateOptions", exchange);
    let name = meta::text(&object, "name").to_owned();
    let mut mutated = Some(object);
    let state = exchange.state.clone();
    let user = exchange.user.clone();
    let admission = Admission {
        state: &state,
        user: &user,
        resource: &resource,
        subresource: None,
        operation: "CREATE",
        namespace: &namespace,
        name: &name,
        dry_run: exchange.query.dry_run,
        options: &options,
        old: None,
    };
    admission.mutate(&mut mutated, &mut exchange.warnings).await?;
    let mut object = meta::read(&resource, mutated.unwrap_or_default())?;
    meta::wipe(&mut object);
    exchange.place(&mut object)?;
    exchange.fit(&mut object, false)?;
    let generated = meta::text(&object, "name").is_empty();
    let prefix: String = meta::text(&object, "generateName").chars().take(58).collect();
    if generated && !prefix.is_empty() {
        object["metadata"]["name"] = format!("{prefix}{}", state.draw_suffix()).into();
    }
    let now = state.now();
    object["metadata"]["uid"] = state.draw_uid().into();
    object["metadata"]["creationTimestamp"] = now.as_str().into();
    if resource.schema.is_some() || complete::counts_generations(&resource) {
        object["metadata"]["generation"] = 1.into();
    }
    if resource.status
        && let Some(fields) = object.as_object_mut()
    {
        fields.shift_remove("status");
    }
    complete::complete(&resource, None, &mut object, &now)?;
    let mut problems = meta::check_new(&resource, &object);
    if let Some(schema) = &resource.schema {
        problems = schema.validate_beside(problems, None, &object);
    }
    let name = meta::text(&object, "name").to_owned();
    if !problems.is_empty() {
        return Err(Failure::invalid(&resource, &name, &problems));
    }
    admission.validate(Some(&object), &mut exchange.warnings).await?;

    let mut world = state.world();
    if !namespace.is_empty() {
        accepts(&world, &resource, &namespace, &name)?;
    }
    let key = key(&resource, &namespace, &name);
    if world.store.get(&key).is_some() {
        return Err(Failure::already_exists(&resource, &name));
    }
    let owned = object["metadata"]["ownerReferences"].is_array();
    world.sweep |= owned;
    world.put(&resource, key, object, exchange.query.dry_run)
}

/// What becomes of an object.
pub(crate) enum Change {
    Replace(Value),
    Patch(Patch),
}

pub(crate) async fn change(
    exchange: &mut Exchange,
    name: &str,
    change: &Change,
) -> Outcome<Arc<Value>> {
    for _ in 0..ATTEMPTS {
        let warnings = exchange.warnings.len();
        if let Some(changed) = try_to_change(exchange, name, change).await? {
            return Ok(changed);
        }
        exchange.warnings.truncate(warnings);
    }
    Err(Failure::modified(&exchange.resource, name))
}

/// Nothing: somebody else came first, and it is worth starting again.
async fn try_to_change(
    exchange: &mut Exchange,
    name: &str,
    change: &Change,
) -> Outcome<Option<Arc<Value>>> {
    let (resource, state) = (exchange.resource.clone(), exchange.state.clone());
    let namespace = exchange.namespace();
    let key = key(&resource, &namespace, name);
    let stored = exchange.find(&key)?;
    let old = shown(&resource, &stored);
    let sent = match change {
        Change::Replace(object) => object.clone(),
        Change::Patch(patch) => {
            let mut object = old.clone();
            patch.apply(&mut object)?;
            object
        }
    };
    let mut object = meta::read(&resource, sent)?;
    exchange.place(&mut object)?;
    match meta::text(&object, "name") {
        same if same == name => {}
        other => {
            return Err(Failure::bad_request(format!(
                "the name of the object ({other}) does not match the name on the URL ({name})"
            )));
        }
    }
    let (uid, had) = (meta::text(&object, "uid"), meta::text(&old, "uid"));
    if !uid.is_empty() && uid != had {
        return Err(match change {
            Change::Replace(_) => {
                let why = format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {had}"
                );
                Failure::conflict(&resource, name, &why)
            }
            Change::Patch(_) => {
                let message = format!("Invalid value: {uid:?}: field is immutable");
                let problem = Problem::new("metadata.uid", ProblemKind::Invalid, message);
                Failure::invalid(&resource, name, &[problem])
            }
        });
    }
    let version = meta::text(&object, "resourceVersion").to_owned();
    exchange.fit(&mut object, true)?;
    exchange.keep_apart(&old, &mut object);

    // A patch reaches webhooks as the update it amounts to.
    let options = options("UpdateOptions", exchange);
    let user = exchange.user.clone();
    let subresource = exchange.asked.subresource.clone();
    let admission = Admission {
        state: &state,
        user: &user,
        resource: &resource,
        subresource: subresource.as_deref(),
        operation: "UPDATE",
        namespace: &namespace,
        name,
        dry_run: exchange.query.dry_run,
        options: &options,
        old: Some(&old),
    };
    let mut mutated = Some(object);
    admission.mutate(&mut mutated, &mut exchange.warnings).await?;
    let mut object = meta::read(&resource, mutated.unwrap_or_default())?;
    exchange.fit(&mut object, false)?;
    exchange.keep_apart(&old, &mut object);
    match version.as_str() {
        "" if !complete::is_replaced_blindly(&resource) => {
            return Err(Failure::version_required(&resource, name));
        }
        "" => {}
        seen if seen == meta::text(&old, "resourceVersion") => {}
        _ => return Err(Failure::modified(&resource, name)),
    }
    complete::complete(&resource, Some(&old), &mut object, &state.now())?;
    object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    if let Some(generation) = old["metadata"]["generation"].as_i64()
        && asks_for_more(&resource, &old, &object)
    {
        object["metadata"]["generation"] = (generation + 1).into();
    }
    let mut problems = meta::check_changed(&old, &object);
    if let Some(schema) = &resource.schema {
        problems = match subresource {
            Some(_) => schema.validate_status(&old, &object),
            None => schema.validate_beside(problems, Some(&old), &object),
        };
    }
    if !problems.is_empty() {
        return Err(Failure::invalid(&resource, name, &problems));
    }
    admission.validate(Some(&object), &mut exchange.warnings).await?;

    let mut world = state.world();
    let unchanged = world.store.get(&key).is_some_and(|now| Arc::ptr_eq(now, &stored));
    if !unchanged {
        return Ok(None);
    }
    if object == old {
        return Ok(Some(stored));
    }
    let last = !old["metadata"]["deletionTimestamp"].is_null()
        && meta::strings(&object["metadata"]["finalizers"]).next().is_none()
        && !sweep::holds_others(&key);
    if last && !exchange.query.dry_run {
        world.remove(&resource, &key)?;
        return Ok(Some(Arc::new(object)));
    }
    world.sweep |= object["metadata"]["ownerReferences"] != old["metadata"]["ownerReferences"]
        || !old["metadata"]["deletionTimestamp"].is_null();
    world.put(&resource, key, object, exchange.query.dry_run).map(Some)
}

/// Whether controllers have something to do: anything but metadata, and status where it is apart, has changed.
fn asks_for_more(resource: &Resource, old: &Value, new: &Value) -> bool {
    let counted = |object: &Value| -> Vec<(String, Value)> {
        let fields = object.as_object().into_iter().flatten();
        let mut counted: Vec<_> = fields
            .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "apiVersion" | "kind"))
            .filter(|(key, _)| *key != "status" || !resource.status)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        counted.sort_by(|a, b| a.0.cmp(&b.0));
        counted
    };
    counted(old) != counted(new)
}

impl World {
    pub(crate) fn put(
        &mut self,
        resource: &Resource,
        key: Key,
        object: Value,
        dry_run: bool,
    ) -> Outcome<Arc<Value>> {
        let object = event::kept(resource, object);
        if dry_run {
            return Ok(Arc::new(object));
        }
        let stored = self.store.put(key, object).map_err(Failure::internal)?;
        self.look_at_definitions(resource);
        Ok(stored)
    }

    pub(crate) fn remove(&mut self, resource: &Resource, key: &Key) -> Outcome<()> {
        self.store.remove(key).map_err(Failure::internal)?;
        self.sweep = true;
        self.look_at_definitions(resource);
        Ok(())
    }

    /// What a CustomResourceDefinition describes is served from now on, or no more.
    fn look_at_definitions(&mut self, resource: &Resource) {
        if (resource.group.as_str(), resource.plural.as_str()) == DEFINITIONS {
            self.catalog = Catalog::of(&self.store);
        }
    }
}

impl Exchange {
    /// The namespace that the object lies in, which for a Namespace is none.
    pub(crate) fn namespace(&self) -> String {
        let namespace = self.asked.namespace.clone().filter(|_| self.resource.namespaced);
        namespace.unwrap_or_default()
    }

    pub(crate) fn find(&self, key: &Key) -> Outcome<Arc<Value>> {
        let world = self.state.world();
        let found = world.store.get(key).cloned();
        found.ok_or_else(|| Failure::not_found(&self.resource, &key.name))
    }

    /// Puts the object where the URL says.
    fn place(&self, object: &mut Value) -> Outcome<()> {
        let namespace = self.namespace();
        let sent = meta::text(object, "namespace");
        if !sent.is_empty() && sent != namespace {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        Ok(())
    }

    /// Brings the object into the shape of its schema.
    fn fit(&mut self, object: &mut Value, as_sent: bool) -> Outcome<()> {
        let Some(schema) = &self.resource.schema else { return Ok(()) };
        let unknown = schema.prune(object);
        schema.default(object);
        if !as_sent || unknown.is_empty() {
            return Ok(());
        }
        let fields: Vec<String> =
            unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        match self.query.unknown_fields {
            UnknownFields::Ignore => {}
            UnknownFields::Warn => self.warnings.extend(fields),
            UnknownFields::Strict => {
                let Resource { kind, version, .. } = &*self.resource;
                let fields = fields.join(", ");
                return Err(Failure::bad_request(format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {fields}"
                )));
            }
        }
        Ok(())
    }

    /// Lets a write of the status change nothing else, and any other write all but the status.
    fn keep_apart(&self, old: &Value, object: &mut Value) {
        if self.asked.subresource.as_deref() == Some("status") {
            let status = object.as_object_mut().and_then(|fields| fields.shift_remove("status"));
            *object = old.clone();
            if let Some(fields) = object.as_object_mut() {
                fields.shift_remove("status");
                fields.extend(status.map(|status| ("status".to_owned(), status)));
            }
            return;
        }
        meta::restore(old, object);
        if self.resource.status
            && let Some(fields) = object.as_object_mut()
        {
            fields.shift_remove("status");
            let status = old.get("status").cloned();
            fields.extend(status.map(|status| ("status".to_owned(), status)));
        }
    }
}

pub(crate) fn key(resource: &Resource, namespace: &str, name: &str) -> Key {
    Key {
        group: stored_group(resource),
        plural: resource.plural.clone(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

pub(crate) fn scope(resource: &Resource, namespace: Option<&str>) -> Scope {
    Scope {
        group: stored_group(resource),
        plural: resource.plural.clone(),
        namespace: namespace.filter(|_| resource.namespaced).map(Into::into),
    }
}

/// Events of both groups lie together.
fn stored_group(resource: &Resource) -> String {
    if event::is(resource) { String::new() } else { resource.group.clone() }
}

/// Whether the namespace is there and takes new objects.
fn accepts(world: &World, resource: &Resource, namespace: &str, name: &str) -> Outcome<()> {
    let Some(object) = world.store.get(&Key::namespace(namespace)) else {
        let mut failure =
            Failure::new(404, "NotFound", format!("namespaces {namespace:?} not found"));
        *failure.details = json!({"name": namespace, "kind": "namespaces"});
        return Err(failure);
    };
    if object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut failure = Failure::forbidden(resource, name, &why);
    let message = format!("namespace {namespace} is being terminated");
    failure.details["causes"] = json!([{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]);
    Err(failure)
}

/// The options of a write, as webhooks are told.
fn options(kind: &str, exchange: &Exchange) -> Value {
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if exchange.query.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}
