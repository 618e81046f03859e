//! The documents of a YAML stream: passed on as they are written, except where plain processes
//! need something else.

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::{role::Instance, wharfinger::Door};

/// The documents of `text` that hold an object.
pub(crate) fn split(text: &str) -> Vec<Document> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
        .into_iter()
        .filter(|text| text.lines().any(|line| line.starts_with("kind:")))
        .map(|text| Document { text })
        .collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Document {
    text: String,
}

impl Document {
    pub(crate) fn join(documents: &[Self]) -> String {
        let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
        texts.join("---\n")
    }

    pub(crate) fn is(&self, kind: &str, name: &str) -> bool {
        self.kind() == kind && self.object().is_ok_and(|object| object["metadata"]["name"] == name)
    }

    pub(crate) fn is_webhook(&self) -> bool {
        self.kind().ends_with("WebhookConfiguration")
    }

    /// A webhook configuration that calls a port of loopback instead of a Service.
    pub(crate) fn reached_at(&self, door: &Door) -> Result<Self> {
        let mut object = self.object()?;
        for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
            let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or("/");
            let url = format!("https://127.0.0.1:{}{path}", door.port);
            webhook["clientConfig"] = json!({ "url": url });
            if let Some(authority) = &door.authority_pem {
                webhook["clientConfig"]["caBundle"] = BASE64.encode(authority).into();
            }
        }
        Ok(Self::of(&object))
    }

    /// With the accounts of every instance where the manifest names those of the first.
    pub(crate) fn knowing(self, instances: &[Instance]) -> Result<Self> {
        if !instances.contains(&Instance::Second) {
            return Ok(self);
        }
        let quoted = |namespace: &str| {
            format!("'system:serviceaccount:{namespace}:argocd-application-controller'")
        };
        let first = quoted(Instance::First.namespace());
        let mut object = self.object()?;
        for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
            for condition in webhook["matchConditions"].as_array_mut().into_iter().flatten() {
                if let Some(expression) = condition["expression"].as_str() {
                    let both = format!("{first}, {}", quoted(Instance::Second.namespace()));
                    condition["expression"] = expression.replace(&first, &both).into();
                }
            }
        }
        Ok(Self::of(&object))
    }

    /// What grants something to the first instance, and the same for `instance`: one more subject
    /// in a binding, one more object where it lies in the instance's own namespace.
    pub(crate) fn granting(self, instance: Instance) -> Result<Vec<Self>> {
        let (first, namespace) = (Instance::First.namespace(), instance.namespace());
        if !self.text.contains(first) {
            return Ok(vec![self]);
        }
        let mut object = self.object()?;
        if object["metadata"]["namespace"] == first {
            for subject in object["subjects"].as_array_mut().into_iter().flatten() {
                if subject["namespace"] == first {
                    subject["namespace"] = namespace.into();
                }
            }
            object["metadata"]["namespace"] = namespace.into();
            let second = Self::of(&object);
            return Ok(vec![self, second]);
        }
        if let Some(subjects) = object.get_mut("subjects").and_then(Value::as_array_mut) {
            let mut more: Vec<Value> =
                subjects.iter().filter(|subject| subject["namespace"] == first).cloned().collect();
            for subject in &mut more {
                subject["namespace"] = namespace.into();
            }
            subjects.extend(more);
            return Ok(vec![Self::of(&object)]);
        }
        Ok(vec![self])
    }

    pub(crate) fn kind(&self) -> &str {
        let line = self.text.lines().find_map(|line| line.strip_prefix("kind:"));
        line.unwrap_or_default().trim()
    }

    pub(crate) fn object(&self) -> Result<Value> {
        serde_saphyr::from_str(&self.text).with_context(|| format!("parsing a {}", self.kind()))
    }

    // YAML's block style for the first level, so that `kind` is found again.
    fn of(object: &Value) -> Self {
        let fields = object.as_object().into_iter().flatten();
        Self {
            text: fields
                .map(|(key, value)| match value {
                    Value::String(text) if key == "kind" => format!("kind: {text}\n"),
                    _ => format!("{key}: {value}\n"),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\
# a comment is no object
---
apiVersion: v1
kind: ConfigMap
metadata: {name: keep, namespace: elsewhere}
data:
  text: |
    ---indented is no border
    mode: 0644
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: wharfinger}
webhooks:
- name: applications.wharfinger.dev
  clientConfig: {service: {namespace: wharfinger, name: wharfinger-webhook, path: /validate}}
  matchConditions:
  - {name: identity, expression: \"request.userInfo.username in ['system:serviceaccount:argocd:argocd-application-controller']\"}
";

    #[test]
    fn a_document_is_passed_on_as_it_is_written() {
        let documents = split(STREAM);
        assert_eq!(documents.len(), 2);
        assert!(documents[0].text.contains("    ---indented is no border\n    mode: 0644\n"));
        assert!(!documents[0].is_webhook() && documents[1].is_webhook());
    }

    #[test]
    fn a_webhook_is_reached_by_url_under_the_same_path() {
        let door = Door { port: 1234, authority_pem: Some("pem".to_owned()) };
        let document = split(STREAM)[1].reached_at(&door).unwrap();
        let config = &document.object().unwrap()["webhooks"][0]["clientConfig"];
        assert_eq!(config, &json!({"url": "https://127.0.0.1:1234/validate", "caBundle": "cGVt"}));
        assert!(document.is_webhook());
    }

    #[test]
    fn a_second_instance_counts_as_argo_cd() {
        let document =
            split(STREAM)[1].clone().knowing(&[Instance::First, Instance::Second]).unwrap();
        assert_eq!(
            document.object().unwrap()["webhooks"][0]["matchConditions"][0]["expression"],
            "request.userInfo.username in ['system:serviceaccount:argocd:argocd-application-controller', \
             'system:serviceaccount:argocd-b:argocd-application-controller']"
        );
    }

    #[test]
    fn a_second_instance_is_granted_what_the_first_is() {
        let binding = "kind: ClusterRoleBinding\nmetadata: {name: b}\nsubjects:\n- {kind: ServiceAccount, name: r, namespace: argocd}\n";
        let granted = split(binding).remove(0).granting(Instance::Second).unwrap();
        assert_eq!(granted.len(), 1);
        assert_eq!(granted[0].object().unwrap()["subjects"][1]["namespace"], "argocd-b");

        let role = "kind: Role\nmetadata: {name: r, namespace: argocd}\n";
        let granted = split(role).remove(0).granting(Instance::Second).unwrap();
        assert_eq!(granted.len(), 2);
        assert_eq!(granted[0].text, role);
        assert_eq!(granted[1].object().unwrap()["metadata"]["namespace"], "argocd-b");
    }
}
