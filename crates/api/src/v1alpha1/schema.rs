//! The CustomResourceDefinitions, and the schema fragments that several kinds share.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON,
};
use kube::CustomResourceExt as _;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{GROUP, VERSION, freight, project};

/// The names that Kubernetes takes for most objects: labels of DNS, joined by dots.
pub(super) const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The definitions of every kind, ordered by name.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let crds = [
        super::ClusterConfig::crd(),
        super::ClusterPromotionTask::crd(),
        freight::crd(),
        super::ProjectConfig::crd(),
        project::crd(),
        super::PromotionRequest::crd(),
        super::Promotion::crd(),
        super::PromotionTask::crd(),
        super::Stage::crd(),
        super::Target::crd(),
        super::Warehouse::crd(),
    ];
    crds.into_iter().map(as_kubernetes_writes_it).map(spec_may_be_absent).collect()
}

/// The kinds of which an object without a spec is one with an empty spec.
const WITHOUT_SPEC: [&str; 3] = ["ClusterConfig", "ProjectConfig", "Target"];

/// Lets the API server put an empty spec where there is none, so that whoever reads finds one.
fn spec_may_be_absent(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    if WITHOUT_SPEC.contains(&crd.spec.names.kind.as_str()) {
        for version in &mut crd.spec.versions {
            let schema = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut());
            let Some(schema) = schema else { continue };
            schema.required = None;
            let spec = schema.properties.as_mut().and_then(|fields| fields.get_mut("spec"));
            if let Some(spec) = spec {
                spec.default = Some(JSON(Value::Object(serde_json::Map::new())));
            }
        }
    }
    crd
}

/// Mends what a derived schema says about Rust and not about the API: that an absent field has an empty default, that an
/// optional field may be null, that a number has no sign.
fn as_kubernetes_writes_it(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    fn walk(node: &mut Value) {
        if let Some(list) = node.as_array_mut() {
            list.iter_mut().for_each(walk);
        }
        let Some(map) = node.as_object_mut() else { return };
        map.values_mut().for_each(walk);
        if map.get("type").is_some_and(Value::is_string) {
            map.remove("nullable");
            // Formats that Kubernetes does not know; the minimum says the same.
            if map.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint")) {
                map.insert("format".into(), "int64".into());
            }
            let empty = |v: &Value| match v {
                Value::Null => true,
                Value::Bool(b) => !b,
                Value::Number(n) => n.as_i64() == Some(0),
                Value::String(s) => s.is_empty(),
                Value::Array(a) => a.is_empty(),
                Value::Object(_) => true,
            };
            if map.get("default").is_some_and(empty) {
                map.remove("default");
            }
        }
    }
    let mut value = serde_json::to_value(crd).expect("a definition is JSON");
    if let Some(versions) = value["spec"]["versions"].as_array_mut() {
        for version in versions {
            let schema = &mut version["schema"]["openAPIV3Schema"];
            walk(schema);
        }
    }
    serde_json::from_value(value).expect("a mended definition is a definition")
}

/// A definition for a kind whose content is not under `spec`, which kube's derive can't express.
pub(super) fn definition<T: schemars::JsonSchema>(
    names: &Value,
    scope: &str,
    columns: &Value,
) -> CustomResourceDefinition {
    let mut schema = schemars::generate::SchemaSettings::openapi3()
        .with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        })
        .with_transform(kube::core::schema::StructuralSchemaRewriter)
        .into_generator()
        .into_root_schema_for::<T>();
    if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
        // The API server has its own idea of these three.
        for own in ["apiVersion", "kind", "metadata"] {
            properties.shift_remove(own);
        }
    }
    let plural = names["plural"].as_str().unwrap_or_default().to_owned();
    let crd = serde_json::json!({
        "metadata": { "name": format!("{plural}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": scope,
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    });
    serde_json::from_value(crd).expect("what is built above is a CustomResourceDefinition")
}

/// Any JSON value.
pub(super) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// A map whose values may be anything.
pub(super) fn any_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "x-kubernetes-preserve-unknown-fields": true },
    })
}

/// A list that has something in it, which is understood in code.
pub(super) fn some_of_anything(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "minItems": 1, "items": any(generator) })
}

/// A list of policies, each of which is about one Stage by name or about some by a selector.
pub(super) fn promotion_policies(generator: &mut SchemaGenerator) -> Schema {
    let mut policy = generator.subschema_for::<super::PromotionPolicy>();
    policy.insert(
        "x-kubernetes-validations".into(),
        serde_json::json!([{ "rule": "has(self.stage) != has(self.stageSelector)", "message": "exactly one of stage and stageSelector must be set" }]),
    );
    json_schema!({
        "description": "Which Stages new Freight is promoted to without being asked. The first policy that matches a Stage decides.",
        "type": "array",
        "items": policy,
    })
}

/// Ends of a Promotion.
pub(super) fn failed_or_errored(_: &mut SchemaGenerator) -> Schema {
    set_of(&["Failed", "Errored"])
}

/// Ends of a verification.
pub(super) fn failed_or_error(_: &mut SchemaGenerator) -> Schema {
    set_of(&["Failed", "Error"])
}

fn set_of(values: &[&str]) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": values.len(),
        "items": { "type": "string", "enum": values },
        "x-kubernetes-list-type": "set",
    })
}

/// A point in time, to the second, as Kubernetes writes it.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// `metav1.Condition`.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What is known about the object, one entry a type.",
        "type": "array",
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": { "description": "What it is about, such as `Ready`.", "type": "string", "maxLength": 316, "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$" },
                "status": { "description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"] },
                "observedGeneration": { "description": "The generation of the spec that it is about.", "type": "integer", "format": "int64", "minimum": 0 },
                "lastTransitionTime": { "description": "When `status` last changed.", "type": "string", "format": "date-time" },
                "reason": { "description": "Why, in one word for programs.", "type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" },
                "message": { "description": "Why, for people.", "type": "string", "maxLength": 32768 },
            },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}
