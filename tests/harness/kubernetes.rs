//! The API server, as somebody.

use std::{path::Path, sync::OnceLock, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch,
    PatchParams, PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value;
use wharfinger_cluster::{Cluster, Identity};

/// How long anything may take that the product promises to do in seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// A client of the API server that acts as one identity.
#[derive(Clone)]
pub struct Kubernetes {
    pub client: kube::Client,
}

/// Runs a future to its end on the runtime that all tests share.
pub fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        // A second call finds it installed: that is what is wanted.
        drop(rustls::crypto::ring::default_provider().install_default());
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime must start")
    });
    runtime.block_on(future)
}

impl Kubernetes {
    pub fn admin(cluster: &Cluster) -> Result<Self> {
        Self::from(&cluster.kubeconfig_admin(), None)
    }

    /// With the token of a ServiceAccount.
    pub fn account(
        cluster: &Cluster,
        namespace: &'static str,
        account: &'static str,
    ) -> Result<Self> {
        Self::from(&cluster.kubeconfig(Identity { namespace, account })?, None)
    }

    /// As a person, in no group but that of everybody who is known.
    pub fn person(cluster: &Cluster, name: &str) -> Result<Self> {
        Self::from(&cluster.kubeconfig_admin(), Some(name))
    }

    fn from(kubeconfig: &Path, person: Option<&str>) -> Result<Self> {
        on_runtime(async {
            let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
            let mut config =
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                    .await?;
            config.auth_info.impersonate = person.map(Into::into);
            Ok(Self { client: kube::Client::try_from(config)? })
        })
    }

    /// The objects of a kind: `stage`, `application`, `deployment`, …
    pub fn of(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version, kind, plural) = resource(kind);
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }

    pub fn create(&self, kind: &str, namespace: &str, object: Value) -> Result<Value> {
        let api = self.of(kind, namespace);
        let object: DynamicObject = serde_json::from_value(with_types(kind, object))?;
        let made = on_runtime(api.create(&PostParams::default(), &object))?;
        Ok(serde_json::to_value(made)?)
    }

    pub fn replace(&self, kind: &str, namespace: &str, object: Value) -> Result<Value> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let object: DynamicObject = serde_json::from_value(with_types(kind, object))?;
        let api = self.of(kind, namespace);
        Ok(serde_json::to_value(on_runtime(api.replace(&name, &PostParams::default(), &object))?)?)
    }

    /// Server-side: the fields of the object become those of a manager of this name, whoever had them.
    pub fn apply(&self, kind: &str, namespace: &str, object: Value) -> Result<Value> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let (how, object) =
            (PatchParams::apply("wharfinger-tests").force(), with_types(kind, object));
        let applied =
            on_runtime(self.of(kind, namespace).patch(&name, &how, &Patch::Apply(&object)))?;
        Ok(serde_json::to_value(applied)?)
    }

    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(on_runtime(self.of(kind, namespace).get(name))?)?)
    }

    pub fn list(&self, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let list = on_runtime(self.of(kind, namespace).list(&ListParams::default()))?;
        list.items.into_iter().map(|o| Ok(serde_json::to_value(o)?)).collect()
    }

    pub fn merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<Value> {
        let (how, patch) = (PatchParams::default(), Patch::Merge(patch));
        let patched = on_runtime(self.of(kind, namespace).patch(name, &how, &patch))?;
        Ok(serde_json::to_value(patched)?)
    }

    pub fn merge_status(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        let (how, patch) = (PatchParams::default(), Patch::Merge(patch));
        let patched = on_runtime(self.of(kind, namespace).patch_status(name, &how, &patch))?;
        Ok(serde_json::to_value(patched)?)
    }

    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        on_runtime(self.of(kind, namespace).delete(name, &DeleteParams::default()))?;
        Ok(())
    }

    /// Watches one object until `wanted` finds what it looks for in it.
    pub fn wait<T>(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let api = self.of(kind, namespace);
        let seen = std::sync::Mutex::new(Value::Null);
        let found = on_runtime(async {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            let mut events = watcher(api, config).default_backoff().applied_objects().boxed();
            let search = async {
                while let Some(object) = events.next().await {
                    // A watch that broke off is taken up again by the stream itself.
                    let Ok(object) = object else { continue };
                    let object = serde_json::to_value(object)?;
                    let found = wanted(&object);
                    *seen.lock().expect("no one panics while holding it") = object;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                anyhow::Ok(None)
            };
            tokio::time::timeout(PATIENCE, search).await
        });
        match found {
            Ok(found) => found?.context("the watch ended"),
            Err(_) => {
                let seen = seen.into_inner().expect("no one panics while holding it");
                bail!(
                    "waited {} s for {kind} {namespace}/{name} to {what}; last seen: {}",
                    PATIENCE.as_secs(),
                    told(&seen)
                )
            }
        }
    }

    /// The Applications that name a Stage of the Project, as a message tells them.
    pub fn applications(&self, project: &str) -> String {
        let stage = format!("{project}:");
        let named = |app: &Value| {
            let name = app["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"].as_str();
            name.is_some_and(|name| name.starts_with(&stage))
        };
        match self.list("application", "") {
            Ok(all) => all.iter().filter(|app| named(app)).map(told).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// Every state of one object that the API server shows during `time`, the present one first.
    pub fn record(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        time: Duration,
    ) -> Result<Vec<Value>> {
        let api = self.of(kind, namespace);
        on_runtime(async {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            let mut seen = vec![];
            let mut events = watcher(api, config).default_backoff().applied_objects().boxed();
            let deadline = tokio::time::Instant::now() + time;
            while let Ok(event) = tokio::time::timeout_at(deadline, events.try_next()).await {
                if let Some(object) = event? {
                    seen.push(serde_json::to_value(object)?);
                }
            }
            Ok(seen)
        })
    }
}

/// The object with `apiVersion` and `kind`, which a create has to carry.
fn with_types(kind: &str, mut object: Value) -> Value {
    let (group, version, kind, _) = resource(kind);
    object["apiVersion"] =
        if group.is_empty() { version.into() } else { format!("{group}/{version}").into() };
    object["kind"] = kind.into();
    object
}

/// Group, version, kind and plural of the kinds that the tests speak of.
pub(crate) fn resource(kind: &str) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        "stage" => ("kargo.akuity.io", "v1alpha1", "Stage", "stages"),
        "promotion" => ("kargo.akuity.io", "v1alpha1", "Promotion", "promotions"),
        "promotiontask" => ("kargo.akuity.io", "v1alpha1", "PromotionTask", "promotiontasks"),
        "freight" => ("kargo.akuity.io", "v1alpha1", "Freight", "freights"),
        "warehouse" => ("kargo.akuity.io", "v1alpha1", "Warehouse", "warehouses"),
        "project" => ("kargo.akuity.io", "v1alpha1", "Project", "projects"),
        "projectconfig" => ("kargo.akuity.io", "v1alpha1", "ProjectConfig", "projectconfigs"),
        "application" => ("argoproj.io", "v1alpha1", "Application", "applications"),
        "applicationset" => ("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets"),
        "appproject" => ("argoproj.io", "v1alpha1", "AppProject", "appprojects"),
        "crd" => {
            ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
        }
        "deployment" => ("apps", "v1", "Deployment", "deployments"),
        "job" => ("batch", "v1", "Job", "jobs"),
        "cronjob" => ("batch", "v1", "CronJob", "cronjobs"),
        "pod" => ("", "v1", "Pod", "pods"),
        "secret" => ("", "v1", "Secret", "secrets"),
        "certificate" => ("cert-manager.io", "v1", "Certificate", "certificates"),
        "configmap" => ("", "v1", "ConfigMap", "configmaps"),
        "namespace" => ("", "v1", "Namespace", "namespaces"),
        "event" => ("", "v1", "Event", "events"),
        "role" => ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
        "subjectaccessreview" => {
            ("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews")
        }
        "clusterrole" => ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
        "clusterrolebinding" => {
            ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings")
        }
        "rolebinding" => ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
        other => unreachable!("the tests know no kind {other}"),
    }
}

/// An object on one line, without what nobody looks for.
fn told(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("managedFields");
    }
    object.to_string()
}
