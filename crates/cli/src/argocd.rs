//! Applications: found by name, and who writes them.

use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::Value;
use wharfinger_api::argocd::{Application, Source, Sources as _};

use crate::exit::Failure;
use crate::session::Session;

/// An Application, and all that Wharfinger's types leave out of it.
#[derive(Clone, Debug)]
pub struct App {
    pub app: Application,
    pub raw: Value,
}

impl App {
    pub fn of(raw: Value) -> Result<Self, Failure> {
        let app = serde_json::from_value(raw.clone())
            .map_err(|e| Failure::usage("it is not an Application").because(&e))?;
        Ok(Self { app, raw })
    }

    pub fn name(&self) -> &str {
        self.app.name()
    }

    /// `<namespace>/<name>`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.app.namespace(), self.app.name())
    }

    pub fn sources(&self) -> &[Source] {
        self.app.spec.sources()
    }

    /// The revision that a source was synced to; its `targetRevision` where it never was.
    pub fn revision(&self, index: usize) -> &str {
        let sync = &self.raw["status"]["sync"];
        let several = sync["revisions"][index].as_str();
        let synced = several.or(sync["revision"].as_str()).filter(|revision| !revision.is_empty());
        let source = self.sources().get(index).map(Source::target_revision);
        synced.or(source).unwrap_or_default()
    }

    /// Who writes the Application, if that is not a person: what is written here would be undone there.
    pub fn writer(&self) -> Option<String> {
        let owners = self.app.metadata.owner_references.iter().flatten();
        let set = owners.into_iter().find(|owner| owner.kind == "ApplicationSet");
        if let Some(set) = set {
            return Some(format!("the ApplicationSet {}", set.name));
        }
        let parent = self.app.annotation("argocd.argoproj.io/tracking-id");
        let parent = parent.and_then(|id| id.split(':').next());
        let label = self.app.metadata.labels.iter().flatten();
        let mut label = label.filter(|(key, _)| {
            *key == "app.kubernetes.io/instance" || *key == "argocd.argoproj.io/instance"
        });
        let parent = parent.or_else(|| label.next().map(|(_, value)| value.as_str()));
        parent.map(|parent| format!("the Application {parent}"))
    }
}

impl Session {
    pub async fn apps(&self, namespace: &str) -> Result<Api<DynamicObject>, Failure> {
        let resource = ApiResource::erase::<Application>(&());
        Ok(Api::namespaced_with(self.client().await?.clone(), namespace, &resource))
    }

    /// An Application by `<name>`, or by `<namespace>/<name>` where it is not in Argo CD's own namespace.
    pub async fn app(&self, name: &str) -> Result<App, Failure> {
        let (namespace, name) =
            name.split_once('/').unwrap_or((&self.global.argocd_namespace, name));
        let api = self.apps(namespace).await?;
        let found = api.get_opt(name).await;
        let attempt = format!("read the Application {namespace}/{name}");
        match found.map_err(|e| Failure::api(attempt, &e))? {
            Some(object) => App::of(serde_json::to_value(object).unwrap_or_default()),
            None => Err(Failure::new(format!(
                "there is no Application {name} in namespace {namespace}"
            ))
            .next(format!("List them: kubectl -n {namespace} get applications.argoproj.io"))
            .next("One that lies elsewhere is named with its namespace: NAMESPACE/NAME")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_writes_an_application_is_known() {
        let check = |metadata: Value, writer: Option<&str>| {
            let app = App::of(json!({ "metadata": metadata, "spec": {} })).unwrap();
            assert_eq!(app.writer().as_deref(), writer);
        };
        check(json!({ "name": "web" }), None);
        check(
            json!({ "ownerReferences": [{ "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "all", "uid": "1" }] }),
            Some("the ApplicationSet all"),
        );
        let id = "parent:argoproj.io/Application:argocd/web";
        check(
            json!({ "annotations": { "argocd.argoproj.io/tracking-id": id } }),
            Some("the Application parent"),
        );
        check(
            json!({ "labels": { "app.kubernetes.io/instance": "parent" } }),
            Some("the Application parent"),
        );
    }

    #[test]
    fn a_revision_is_the_synced_one_where_there_is_one() {
        let app = |status: Value| {
            App::of(json!({ "metadata": {}, "spec": { "source": { "repoURL": "x", "targetRevision": "main" } }, "status": status }))
                .unwrap()
        };
        assert_eq!(app(json!({ "sync": { "revision": "abc" } })).revision(0), "abc");
        assert_eq!(app(json!({ "sync": { "revisions": ["abc", "def"] } })).revision(0), "abc");
        assert_eq!(app(json!({})).revision(0), "main");
    }
}
