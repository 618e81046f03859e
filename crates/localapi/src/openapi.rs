//! The OpenAPI v3 documents: for `kubectl explain`, and for what kubectl asks before it patches.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use crate::resource::Resource;

mod built_in;

/// `GET /openapi/v3`
pub fn index(resources: &[&Resource]) -> Value {
    let mut versions: Vec<String> = resources.iter().map(|r| r.api_version()).collect();
    versions.sort();
    versions.dedup();
    let paths: Map<String, Value> = versions
        .into_iter()
        .filter_map(|version| {
            let document = group_version(resources, &version)?;
            let path = place(&version);
            // Clients keep a document for as long as its address stays the same.
            let url = format!("/openapi/v3/{path}?hash={:016X}", hash(&document));
            Some((path, json!({ "serverRelativeURL": url })))
        })
        .collect();
    json!({ "paths": paths })
}

/// `GET /openapi/v3/api/v1`, `GET /openapi/v3/apis/GROUP/VERSION`. Nothing for one that is not served.
pub fn group_version(resources: &[&Resource], group_version: &str) -> Option<Value> {
    let served: Vec<&Resource> =
        resources.iter().copied().filter(|r| r.api_version() == group_version).collect();
    if served.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    let mut schemas = built_in::schemas(&served);
    for resource in served {
        paths.extend(of_resource(resource));
        if let Some(schema) = &resource.schema {
            schemas.insert(component(resource), published(resource, schema.source()));
        }
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": schemas },
    }))
}

/// `api/v1`, `apis/GROUP/VERSION`
fn place(group_version: &str) -> String {
    let root = if group_version.contains('/') { "apis" } else { "api" };
    format!("{root}/{group_version}")
}

fn hash(document: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.to_string().hash(&mut hasher);
    hasher.finish()
}

/// The paths of one resource, with as much as kubectl reads of them.
fn of_resource(resource: &Resource) -> Vec<(String, Value)> {
    let namespace = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
    let all = format!("/{}/{namespace}{}", place(&resource.api_version()), resource.plural);
    let post = operation(resource, "post", Some("application/json"));
    if resource.review {
        return vec![(all, json!({ "post": post }))];
    }
    let one = format!("{all}/{{name}}");
    let list = operation(resource, "list", None);
    vec![
        (all, json!({ "get": list, "post": post })),
        (
            one,
            json!({
                "get": operation(resource, "get", None),
                "put": operation(resource, "put", Some("application/json")),
                "patch": operation(resource, "patch", Some("application/merge-patch+json")),
                "delete": operation(resource, "delete", None),
            }),
        ),
    ]
}

/// `body` is the type of what is sent, for operations that write.
fn operation(resource: &Resource, action: &str, body: Option<&str>) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{}", component(resource)) });
    let mut operation = json!({
        "responses": { "200": {
            "description": "OK",
            "content": { "application/json": { "schema": schema } },
        } },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind(resource),
    });
    if let Some(body) = body {
        let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
            .into_iter()
            .map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } }))
            .collect();
        operation["parameters"] = Value::from(parameters);
        let schema = if action == "patch" { json!({ "type": "object" }) } else { schema };
        operation["requestBody"] =
            json!({ "content": { body: { "schema": schema } }, "required": true });
    }
    operation
}

/// A custom resource's schema with what every object has.
fn published(resource: &Resource, source: &Value) -> Value {
    let mut schema = source.clone();
    let metadata = json!({
        "description": "Standard object's metadata.",
        "allOf": [{ "$ref": format!("#/components/schemas/{}", built_in::OBJECT_META) }],
        "default": {},
    });
    let text = |description: &str| json!({ "description": description, "type": "string" });
    let mut properties = Map::new();
    let kinds = "What the object is.";
    properties.insert("apiVersion".to_owned(), text("The group and version of the kind."));
    properties.insert("kind".to_owned(), text(kinds));
    properties.insert("metadata".to_owned(), metadata);
    let own = schema["properties"].as_object().cloned().unwrap_or_default();
    for (name, property) in own {
        properties.entry(name).or_insert(property);
    }
    schema["properties"] = Value::Object(properties);
    schema["x-kubernetes-group-version-kind"] = json!([kind(resource)]);
    schema
}

/// The name of a resource's schema: its group backwards, its version and its kind.
fn component(resource: &Resource) -> String {
    if let Some(name) = built_in::name(resource) {
        return name;
    }
    let group: Vec<&str> = resource.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

fn kind(resource: &Resource) -> Value {
    json!({ "group": resource.group, "version": resource.version, "kind": resource.kind })
}
