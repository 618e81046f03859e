//! Which webhooks are asked about a write, and what comes of their answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::conditions::{self, Subject};
use crate::failure::{Failure, Outcome, qualified};
use crate::form::shown;
use crate::meta::strings;
use crate::resource::Resource;
use crate::selector::Labels;
use crate::state::State;
use crate::store::{Key, Scope};
use crate::user::User;

const GROUP: &str = "admissionregistration.k8s.io";

/// One write, as webhooks are asked about it.
pub(crate) struct Admission<'a> {
    pub(crate) state: &'a State,
    pub(crate) user: &'a User,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) operation: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) options: &'a Value,
    pub(crate) old: Option<&'a Value>,
}

impl Admission<'_> {
    /// Lets the mutating webhooks change the object, one after the other.
    pub(crate) async fn mutate(
        &self,
        object: &mut Option<Value>,
        warnings: &mut Vec<String>,
    ) -> Outcome<()> {
        let webhooks = self.webhooks("mutatingwebhookconfigurations");
        let mut last_change = None;
        for (index, webhook) in webhooks.iter().enumerate() {
            if self.ask_to_mutate(webhook, object, warnings).await? {
                last_change = Some(index);
            }
        }
        // Those that asked for it see once what the later ones made of it.
        let before = last_change.unwrap_or(0);
        for webhook in webhooks[..before].iter().filter(|w| w["reinvocationPolicy"] == "IfNeeded") {
            self.ask_to_mutate(webhook, object, warnings).await?;
        }
        Ok(())
    }

    /// Lets the validating webhooks refuse.
    pub(crate) async fn validate(
        &self,
        object: Option<&Value>,
        warnings: &mut Vec<String>,
    ) -> Outcome<()> {
        let webhooks = self.webhooks("validatingwebhookconfigurations");
        for webhook in &webhooks {
            self.ask(webhook, object, warnings).await?;
        }
        Ok(())
    }

    /// Whether the object is another one now.
    async fn ask_to_mutate(
        &self,
        webhook: &Value,
        object: &mut Option<Value>,
        warnings: &mut Vec<String>,
    ) -> Outcome<bool> {
        let Some(answer) = self.ask(webhook, object.as_ref(), warnings).await? else {
            return Ok(false);
        };
        let (Some(object), Some(patch)) = (object, patch(&answer["response"])) else {
            return Ok(false);
        };
        let applied = patch.and_then(|patch| {
            let mut changed = shown(self.resource, object);
            json_patch::patch(&mut changed, &patch).map_err(|error| error.to_string())?;
            Ok(changed)
        });
        let changed = applied.map_err(|error| {
            let name = webhook["name"].as_str().unwrap_or_default();
            Failure::internal(format!(
                "failed calling webhook {name:?}: the patch can't be applied: {error}"
            ))
        })?;
        let differs = changed != *object;
        *object = changed;
        Ok(differs)
    }

    /// The answer, if the webhook is to be asked and does not refuse.
    async fn ask(
        &self,
        webhook: &Value,
        object: Option<&Value>,
        warnings: &mut Vec<String>,
    ) -> Outcome<Option<Value>> {
        if !self.is_for(webhook, object)? {
            return Ok(None);
        }
        let name = webhook["name"].as_str().unwrap_or_default();
        let uid = self.state.draw_uid();
        let seconds = webhook["timeoutSeconds"].as_u64().unwrap_or(10).clamp(1, 30);
        let review = self.review(&uid, object);
        let called = self
            .state
            .webhooks
            .call(&webhook["clientConfig"], &review, Duration::from_secs(seconds))
            .await
            .and_then(|answer| match answer["response"]["uid"].as_str() {
                Some(answered) if answered == uid => Ok(answer),
                other => Err(format!(
                    "expected response.uid={uid:?}, got {:?}",
                    other.unwrap_or_default()
                )),
            });
        let answer = match called {
            Ok(answer) => answer,
            Err(why) if webhook["failurePolicy"] == "Ignore" => {
                tracing::warn!(webhook = name, error = why, "Webhook failed and is ignored");
                return Ok(None);
            }
            Err(why) => {
                let why = format!("failed calling webhook {name:?}: failed to call webhook: {why}");
                return Err(Failure::internal(why));
            }
        };
        let response = &answer["response"];
        warnings.extend(strings(&response["warnings"]).map(Into::into));
        if response["allowed"] == true { Ok(Some(answer)) } else { Err(refusal(name, response)) }
    }

    fn review(&self, uid: &str, object: Option<&Value>) -> Value {
        let Resource { group, version, kind, plural, .. } = self.resource;
        let kind = json!({"group": group, "version": version, "kind": kind});
        let resource = json!({"group": group, "version": version, "resource": plural});
        let shown = |object: Option<&Value>| object.map(|object| shown(self.resource, object));
        let mut request = json!({
            "uid": uid, "kind": kind, "resource": resource,
            "requestKind": kind, "requestResource": resource,
            "operation": self.operation, "userInfo": self.user.info(),
            "object": shown(object), "oldObject": shown(self.old),
            "dryRun": self.dry_run, "options": self.options,
        });
        let texts = [
            ("subResource", self.subresource.unwrap_or_default()),
            ("requestSubResource", self.subresource.unwrap_or_default()),
            ("namespace", self.namespace),
            ("name", self.name),
        ];
        for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            request[field] = text.into();
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    }

    /// The webhooks of all configurations, in their order.
    fn webhooks(&self, plural: &str) -> Vec<Value> {
        // Nobody may lock themselves out of repairing a configuration.
        if self.resource.group == GROUP {
            return Vec::new();
        }
        let scope = Scope { group: GROUP.into(), plural: plural.into(), namespace: None };
        let world = self.state.world();
        let configurations = world.store.scan(&scope);
        configurations
            .flat_map(|(_, configuration)| {
                configuration["webhooks"].as_array().into_iter().flatten()
            })
            .cloned()
            .collect()
    }

    fn is_for(&self, webhook: &Value, object: Option<&Value>) -> Outcome<bool> {
        let rules = webhook["rules"].as_array().into_iter().flatten();
        if !rules.into_iter().any(|rule| self.is_in(rule)) || !self.is_selected(webhook, object)? {
            return Ok(false);
        }
        let subject = Subject {
            operation: self.operation,
            username: &self.user.name,
            object: object.unwrap_or(&Value::Null),
            old: self.old.unwrap_or(&Value::Null),
        };
        let conditions = webhook["matchConditions"].as_array().into_iter().flatten();
        // An expression that is not known was refused with its configuration.
        Ok(conditions.into_iter().all(|condition| {
            let expression = condition["expression"].as_str().unwrap_or_default();
            conditions::find(expression).is_none_or(|holds| holds(&subject))
        }))
    }

    fn is_in(&self, rule: &Value) -> bool {
        let any =
            |field: &str, wanted: &str| strings(&rule[field]).any(|v| v == "*" || v == wanted);
        let plural = self.resource.plural.as_str();
        let resource = strings(&rule["resources"]).any(|pattern| {
            let (wanted, sub) = match pattern.split_once('/') {
                Some((wanted, sub)) => (wanted, Some(sub)),
                None => (pattern, None),
            };
            let sub_matches = match (sub, self.subresource) {
                (Some("*"), _) | (None, None) => true,
                (Some(sub), Some(asked)) => sub == asked,
                _ => false,
            };
            (wanted == "*" || wanted == plural) && sub_matches
        });
        let scope = match rule["scope"].as_str() {
            // A Namespace is not in itself.
            Some("Namespaced") => self.resource.namespaced,
            Some("Cluster") => !self.resource.namespaced,
            _ => true,
        };
        any("operations", self.operation)
            && any("apiGroups", &self.resource.group)
            && any("apiVersions", &self.resource.version)
            && resource
            && scope
    }

    fn is_selected(&self, webhook: &Value, object: Option<&Value>) -> Outcome<bool> {
        let by_object = Labels::of(&webhook["objectSelector"])?;
        let selected = by_object.is_empty()
            || [object, self.old].into_iter().flatten().any(|object| by_object.matches(object));
        let by_namespace = Labels::of(&webhook["namespaceSelector"])?;
        if !selected || by_namespace.is_empty() {
            return Ok(selected);
        }
        if qualified(self.resource) == "namespaces" {
            return Ok(object.or(self.old).is_some_and(|object| by_namespace.matches(object)));
        }
        if !self.resource.namespaced {
            return Ok(true);
        }
        let namespace = self.state.world().store.get(&Key::namespace(self.namespace)).cloned();
        Ok(namespace.is_some_and(|namespace| by_namespace.matches(&namespace)))
    }
}

fn patch(response: &Value) -> Option<Result<json_patch::Patch, String>> {
    let bytes = match &response["patch"] {
        Value::Null => return None,
        // As Go reads bytes: base64, or numbers.
        Value::Array(numbers) => numbers
            .iter()
            .map(|n| n.as_u64().and_then(|n| u8::try_from(n).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or("patch: must be bytes".to_owned()),
        text => BASE64
            .decode(text.as_str().unwrap_or_default())
            .map_err(|error| format!("patch: {error}")),
    };
    if response["patchType"] != "JSONPatch" {
        return Some(Err("patchType: must be JSONPatch".into()));
    }
    Some(bytes.and_then(|bytes| {
        serde_json::from_slice(&bytes).map_err(|error| format!("patch: {error}"))
    }))
}

fn refusal(name: &str, response: &Value) -> Failure {
    let status = &response["status"];
    let text = |field: &str| status[field].as_str().filter(|text| !text.is_empty());
    let denied = format!("admission webhook {name:?} denied the request");
    let message = match text("message").or(text("reason")) {
        Some(why) => format!("{denied}: {why}"),
        None => format!("{denied} without explanation"),
    };
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    let mut failure = Failure::new(code, text("reason").unwrap_or_default(), message);
    *failure.details = status["details"].clone();
    failure
}
