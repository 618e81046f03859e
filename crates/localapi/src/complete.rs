//! The few rules of built-in kinds without which they would not work.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::conditions;
use crate::event;
use crate::failure::{Failure, Outcome};
use crate::meta::{strings, text};
use crate::resource::Resource;
use crate::schema::{Problem, ProblemKind};

/// Fills in what the server fills in, and refuses what could not be acted on.
pub(crate) fn complete(
    resource: &Resource,
    old: Option<&Value>,
    object: &mut Value,
    now: &str,
) -> Outcome<()> {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "secrets") => secret(object),
        ("", "namespaces") => {
            namespace(old, object);
            Ok(())
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            definition(resource, old, object, now)
        }
        ("admissionregistration.k8s.io", _) => webhooks(resource, object),
        ("" | event::GROUP, "events") => event(resource, object),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            binding(resource, old, object)
        }
        _ => Ok(()),
    }
}

/// Whether an update need not say which version it replaces.
pub(crate) fn is_replaced_blindly(resource: &Resource) -> bool {
    resource.schema.is_none()
        && resource.plural != "serviceaccounts"
        && !matches!(
            resource.group.as_str(),
            "apiextensions.k8s.io" | "admissionregistration.k8s.io" | "coordination.k8s.io"
        )
}

/// Kinds without a schema whose changes are counted.
pub(crate) fn counts_generations(resource: &Resource) -> bool {
    matches!(
        resource.group.as_str(),
        "apiextensions.k8s.io" | "admissionregistration.k8s.io" | "apps" | "batch"
    )
}

fn secret(secret: &mut Value) -> Outcome<()> {
    if !matches!(secret["data"], Value::Null | Value::Object(_)) {
        return Err(Failure::bad_request("data: must be an object"));
    }
    let plain = secret.as_object_mut().and_then(|secret| secret.shift_remove("stringData"));
    for (key, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let value = value
            .as_str()
            .ok_or_else(|| Failure::bad_request(format!("stringData[{key}]: must be a string")))?;
        secret["data"][key] = BASE64.encode(value).into();
    }
    for (key, value) in secret["data"].as_object().into_iter().flatten() {
        let encoded = value.as_str().is_some_and(|value| BASE64.decode(value).is_ok());
        if !encoded {
            return Err(Failure::bad_request(format!("data[{key}]: must be base64")));
        }
    }
    if secret["type"].as_str().unwrap_or_default().is_empty() {
        secret["type"] = "Opaque".into();
    }
    Ok(())
}

fn namespace(old: Option<&Value>, namespace: &mut Value) {
    let name = text(namespace, "name").to_owned();
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.into();
    namespace["spec"] =
        old.map_or(json!({"finalizers": ["kubernetes"]}), |old| old["spec"].clone());
    let terminating = !namespace["metadata"]["deletionTimestamp"].is_null();
    namespace["status"] = json!({"phase": if terminating { "Terminating" } else { "Active" }});
}

fn definition(
    resource: &Resource,
    old: Option<&Value>,
    definition: &mut Value,
    now: &str,
) -> Outcome<()> {
    if !definition["spec"]["names"].is_object() {
        return Err(Failure::bad_request("spec.names: must be an object"));
    }
    let names = &mut definition["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    for (field, default) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))]
    {
        if names[field].as_str().unwrap_or_default().is_empty() {
            names[field] = default.into();
        }
    }
    if definition["spec"].get("conversion").is_none() {
        definition["spec"]["conversion"] = json!({"strategy": "None"});
    }
    let name = text(definition, "name").to_owned();
    let invalid = |problems: &[_]| Err(Failure::invalid(resource, &name, problems));
    let expected = format!(
        "{}.{}",
        definition["spec"]["names"]["plural"].as_str().unwrap_or_default(),
        definition["spec"]["group"].as_str().unwrap_or_default()
    );
    if name != expected {
        let why = "must be spec.names.plural+\".\"+spec.group";
        let message = format!("Invalid value: {name:?}: {why}");
        return invalid(&[Problem::new("metadata.name", ProblemKind::Invalid, message)]);
    }
    if let Err(problems) = Resource::of_crd(definition) {
        return invalid(&problems);
    }
    for field in ["group", "scope"] {
        if old.is_some_and(|old| old["spec"][field] != definition["spec"][field]) {
            let path = format!("spec.{field}");
            let message =
                format!("Invalid value: {}: field is immutable", definition["spec"][field]);
            return invalid(&[Problem::new(path.as_str(), ProblemKind::Invalid, message)]);
        }
    }
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let conditions = match old.map(|old| &old["status"]["conditions"]) {
        Some(conditions) if conditions.is_array() => conditions.clone(),
        _ => json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition(
                "Established",
                "InitialNamesAccepted",
                "the initial names have been accepted"
            ),
        ]),
    };
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let stored: Vec<Value> =
        versions.filter(|v| v["storage"] == true).map(|v| v["name"].clone()).collect();
    definition["status"] = json!({
        "conditions": conditions, "acceptedNames": definition["spec"]["names"], "storedVersions": stored,
    });
    Ok(())
}

fn webhooks(resource: &Resource, configuration: &mut Value) -> Outcome<()> {
    let mut problems = Vec::new();
    let mutating = resource.plural.starts_with("mutating");
    let webhooks = configuration["webhooks"].as_array_mut().into_iter().flatten();
    for (index, webhook) in webhooks.enumerate() {
        if !webhook.is_object() {
            return Err(Failure::bad_request(format!("webhooks[{index}]: must be an object")));
        }
        default_webhook(webhook, mutating);
        let path = format!("webhooks[{index}]");
        if webhook["name"].as_str().unwrap_or_default().is_empty() {
            let path = format!("{path}.name");
            problems.push(Problem::new(path.as_str(), ProblemKind::Required, "Required value"));
        }
        if !strings(&webhook["admissionReviewVersions"]).any(|version| version == "v1") {
            let path = format!("{path}.admissionReviewVersions");
            let message = "Invalid value: must include at least one of v1";
            problems.push(Problem::new(path.as_str(), ProblemKind::Invalid, message));
        }
        let client = &webhook["clientConfig"];
        if client["url"].is_string() == client["service"].is_object() {
            let path = format!("{path}.clientConfig");
            let message = "Required value: exactly one of url or service is required";
            problems.push(Problem::new(path.as_str(), ProblemKind::Required, message));
        }
        let conditions = webhook["matchConditions"].as_array().into_iter().flatten();
        for (number, condition) in conditions.enumerate() {
            let expression = condition["expression"].as_str().unwrap_or_default();
            if conditions::find(expression).is_none() {
                problems.push(Problem::new(
                    format!("{path}.matchConditions[{number}].expression"),
                    ProblemKind::Invalid,
                    format!("Invalid value: {expression:?}: this API server has no CEL, only the expressions of Wharfinger's manifests: add it to conditions.rs of localapi"),
                ));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(resource, text(configuration, "name"), &problems))
}

fn default_webhook(webhook: &mut Value, mutating: bool) {
    let mut defaults = vec![
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("namespaceSelector", json!({})),
        ("objectSelector", json!({})),
        ("timeoutSeconds", json!(10)),
    ];
    if mutating {
        defaults.push(("reinvocationPolicy", json!("Never")));
    }
    for (field, default) in defaults {
        if webhook[field].is_null() {
            webhook[field] = default;
        }
    }
    for rule in webhook["rules"].as_array_mut().into_iter().flatten() {
        if rule.is_object() && rule["scope"].is_null() {
            rule["scope"] = "*".into();
        }
    }
    if webhook["clientConfig"]["service"].is_object()
        && webhook["clientConfig"]["service"]["port"].is_null()
    {
        webhook["clientConfig"]["service"]["port"] = 443.into();
    }
}

/// An Event about a cluster-wide object lies in `default`.
fn event(resource: &Resource, event: &Value) -> Outcome<()> {
    let field = if resource.group == event::GROUP { "regarding" } else { "involvedObject" };
    let about = event[field]["namespace"].as_str().unwrap_or_default();
    let namespace = text(event, "namespace");
    if about == namespace || (about.is_empty() && namespace == "default") {
        return Ok(());
    }
    let message = format!("Invalid value: {about:?}: does not match event.namespace");
    let problem = Problem::new(format!("{field}.namespace"), ProblemKind::Invalid, message);
    Err(Failure::invalid(resource, text(event, "name"), &[problem]))
}

fn binding(resource: &Resource, old: Option<&Value>, binding: &mut Value) -> Outcome<()> {
    let group = "rbac.authorization.k8s.io";
    if !binding["roleRef"].is_object() {
        return Err(Failure::bad_request("roleRef: must be an object"));
    }
    if binding["roleRef"]["apiGroup"].as_str().unwrap_or_default().is_empty() {
        binding["roleRef"]["apiGroup"] = group.into();
    }
    for subject in binding["subjects"].as_array_mut().into_iter().flatten() {
        let named = matches!(subject["kind"].as_str(), Some("User" | "Group"));
        if named && subject["apiGroup"].as_str().unwrap_or_default().is_empty() {
            subject["apiGroup"] = group.into();
        }
    }
    if old.is_some_and(|old| old["roleRef"] != binding["roleRef"]) {
        let message = format!("Invalid value: {}: cannot change roleRef", binding["roleRef"]);
        let problem = Problem::new("roleRef", ProblemKind::Invalid, message);
        return Err(Failure::invalid(resource, text(binding, "name"), &[problem]));
    }
    Ok(())
}
