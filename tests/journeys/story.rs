//! The vocabulary of the journeys.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch,
    PatchParams, PostParams,
};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tempfile::TempDir;
use wharfinger_daemon::Clock;
use wharfinger_localapi::User;
use wharfinger_standalone::{Options, World};

pub(crate) const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: ghcr.io/acme/web:in-git}]}
";

/// In virtual time: it has passed as soon as nothing is left to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// Project `shop` with Freight v1 and v2, and whatever a journey adds.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) admin: Person,
    _folder: TempDir,
}

/// Somebody at the API.
pub(crate) struct Person(kube::Client);

impl Story {
    pub(crate) async fn begin() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Clock::with_timers("2026-01-01T00:00:00Z".parse()?);
        let world = World::start(folder.path(), Options { clock, ..Options::default() }).await?;
        let admin = Person(world.client(&User::admin()));
        world.repository.commit(&[("web/deployment.yaml", DEPLOYMENT)], "A Deployment")?;
        let story = Self { world, admin, _folder: folder };
        story.namespace("shop").await?;
        story.create("projects", "", json!({ "metadata": { "name": "shop" } })).await?;
        let spec = json!({ "freightCreationPolicy": "Manual", "subscriptions": [{ "image": { "repoURL": "ghcr.io/acme/web" } }] });
        story
            .create("warehouses", "shop", json!({ "metadata": { "name": "web" }, "spec": spec }))
            .await?;
        for tag in ["v1", "v2"] {
            story.freight_from("shop", "web", tag).await?;
        }
        Ok(story)
    }

    pub(crate) async fn end(self) -> Result<()> {
        self.world.stop().await
    }

    pub(crate) async fn create(
        &self,
        plural: &str,
        namespace: &str,
        object: Value,
    ) -> Result<Value> {
        self.admin.create(plural, namespace, object).await
    }

    /// The namespace of a Project.
    pub(crate) async fn namespace(&self, project: &str) -> Result<()> {
        let labels = json!({ "kargo.akuity.io/project": "true" });
        let metadata = json!({ "name": project, "labels": labels });
        self.create("namespaces", "", json!({ "metadata": metadata })).await?;
        Ok(())
    }

    /// Freight with the image at that tag. Returns its name.
    pub(crate) async fn freight_from(
        &self,
        project: &str,
        warehouse: &str,
        tag: &str,
    ) -> Result<String> {
        let images = json!([{ "repoURL": "ghcr.io/acme/web", "tag": tag }]);
        let origin = json!({ "kind": "Warehouse", "name": warehouse });
        let made = self.create("freights", project, json!({ "metadata": { "generateName": "f-" }, "alias": tag, "origin": origin, "images": images })).await?;
        Ok(made["metadata"]["name"].as_str().context("Freight has a name")?.into())
    }

    pub(crate) async fn stage(&self, name: &str, sources: Value) -> Result<Value> {
        let origin = json!({ "kind": "Warehouse", "name": "web" });
        let spec = json!({
            "requestedFreight": [{ "origin": origin, "sources": sources }],
            "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
        });
        self.create("stages", "shop", json!({ "metadata": { "name": name }, "spec": spec })).await
    }

    /// An Application that deploys to a namespace of its own name.
    pub(crate) async fn application(&self, name: &str, stage: &str) -> Result<Value> {
        self.application_of("shop", name, stage).await
    }

    /// The same, of another Project's Stage.
    pub(crate) async fn application_of(
        &self,
        project: &str,
        name: &str,
        stage: &str,
    ) -> Result<Value> {
        self.create("namespaces", "", json!({ "metadata": { "name": name } })).await?;
        let source = json!({ "repoURL": self.world.repository.url(), "path": "web", "targetRevision": "main", "plugin": { "name": "wharfinger" } });
        let destination = json!({ "server": "https://kubernetes.default.svc", "namespace": name });
        let annotations =
            json!({ "kargo.akuity.io/authorized-stage": format!("{project}:{stage}") });
        self.create(
            "applications",
            "argocd",
            json!({
                "metadata": { "name": name, "annotations": annotations },
                "spec": { "project": "default", "source": source, "destination": destination },
            }),
        )
        .await
    }

    /// Somebody who may edit Applications, create Promotions, and nothing more.
    pub(crate) async fn editor(&self, name: &str) -> Result<Person> {
        self.grant(name, "argocd", "argoproj.io", "applications", "*").await?;
        self.grant(name, "shop", "kargo.akuity.io", "promotions", "create").await?;
        Ok(Person(self.world.client(&User::new(name, []))))
    }

    /// Lets somebody do this to every Stage.
    pub(crate) async fn may(&self, name: &str, verb: &str) -> Result<()> {
        self.grant(name, "shop", "kargo.akuity.io", "stages", verb).await
    }

    pub(crate) async fn grant(
        &self,
        user: &str,
        namespace: &str,
        group: &str,
        resource: &str,
        verb: &str,
    ) -> Result<()> {
        let name = format!("{user}-{resource}-{}", verb.replace('*', "all"));
        let rules = json!([{ "apiGroups": [group], "resources": [resource], "verbs": [verb] }]);
        self.create("roles", namespace, json!({ "metadata": { "name": name }, "rules": rules }))
            .await?;
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
        let subject =
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user });
        self.create(
            "rolebindings",
            namespace,
            json!({ "metadata": { "name": name }, "roleRef": role, "subjects": [subject] }),
        )
        .await?;
        Ok(())
    }

    pub(crate) async fn promote(
        &self,
        stage: &str,
        alias: &str,
        annotations: Value,
    ) -> Result<String> {
        self.asking(&self.admin, stage, alias, annotations).await
    }

    pub(crate) async fn promote_as(
        &self,
        person: &Person,
        stage: &str,
        alias: &str,
    ) -> Result<String> {
        self.asking(person, stage, alias, json!({})).await
    }

    async fn asking(
        &self,
        person: &Person,
        stage: &str,
        alias: &str,
        annotations: Value,
    ) -> Result<String> {
        let spec = json!({ "stage": stage, "freight": self.freight(alias).await? });
        let promotion = json!({ "metadata": { "generateName": "p-", "annotations": annotations }, "spec": spec });
        let made = person.create("promotions", "shop", promotion).await?;
        Ok(made["metadata"]["name"].as_str().context("a Promotion has a name")?.into())
    }

    /// Promotes Freight, by its name, in any Project, and waits for the end.
    pub(crate) async fn promote_in(
        &self,
        project: &str,
        stage: &str,
        freight: &str,
    ) -> Result<Value> {
        let promotion = json!({ "metadata": { "generateName": "p-" }, "spec": { "stage": stage, "freight": freight } });
        let made = self.create("promotions", project, promotion).await?;
        let name = made["metadata"]["name"].as_str().context("a Promotion has a name")?;
        self.until("promotions", project, name, over).await
    }

    /// Asks for whatever automatic promotion would choose.
    pub(crate) async fn promote_by_origin(&self, stage: &str) -> Result<Value> {
        let origin = json!({ "kind": "Warehouse", "name": "web" });
        let spec = json!({ "stage": stage, "origin": origin });
        let promotion = json!({ "metadata": { "generateName": "p-" }, "spec": spec });
        self.create("promotions", "shop", promotion).await
    }

    /// Promotes, and is content with nothing but success.
    pub(crate) async fn promoted(&self, stage: &str, alias: &str) -> Result<Value> {
        let ended = self.promoted_to_an_end(stage, alias).await?;
        ensure!(ended["status"]["phase"] == "Succeeded", "{ended:#}");
        Ok(ended)
    }

    pub(crate) async fn promoted_to_an_end(&self, stage: &str, alias: &str) -> Result<Value> {
        let name = self.promote(stage, alias, json!({})).await?;
        self.ended(&name).await
    }

    pub(crate) async fn ended(&self, promotion: &str) -> Result<Value> {
        self.until("promotions", "shop", promotion, over).await
    }

    pub(crate) async fn verified(&self, alias: &str, stage: &str) -> Result<Value> {
        let name = self.freight(alias).await?;
        self.until("freights", "shop", &name, |f| f["status"]["verifiedIn"][stage].is_object())
            .await
    }

    /// The name of the Freight with this alias.
    pub(crate) async fn freight(&self, alias: &str) -> Result<String> {
        let all = self.admin.of("freights", "shop").list(&ListParams::default()).await?;
        let found = all
            .items
            .into_iter()
            .find(|f| f.data["alias"] == alias)
            .with_context(|| format!("no Freight {alias}"))?;
        found.metadata.name.context("Freight has a name")
    }

    /// What a Stage holds, as a claim.
    pub(crate) async fn held(&self, stage: &str) -> Result<String> {
        let assignment = &self.admin.get("stages", "shop", stage).await?["status"]["assignment"];
        Ok(format!(
            "{}-{}",
            assignment["generation"],
            assignment["collection"].as_str().unwrap_or_default()
        ))
    }

    /// The claim that an Application carries now.
    pub(crate) async fn claim(&self, app: &Value) -> Result<String> {
        let name = app["metadata"]["name"].as_str().context("an Application has a name")?;
        let app = self.admin.get("applications", "argocd", name).await?;
        let env = app["spec"]["source"]["plugin"]["env"].as_array().cloned().unwrap_or_default();
        let claim = env
            .iter()
            .find(|e| e["name"] == "WHARFINGER_FREIGHT")
            .and_then(|e| e["value"].as_str());
        Ok(claim.unwrap_or_default().into())
    }

    /// The image that an Application has deployed.
    pub(crate) async fn image(&self, app: &str) -> Result<String> {
        let deployment = self.admin.get("deployments", app, "web").await?;
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        Ok(image.as_str().unwrap_or_default().into())
    }

    /// Waits for an Event with this reason and text.
    pub(crate) async fn event(&self, namespace: &str, reason: &str, text: &str) -> Result<()> {
        for _ in 0..100 {
            let events = self.admin.of("events", namespace).list(&ListParams::default()).await?;
            if events
                .items
                .iter()
                .any(|e| e.data["reason"] == reason && e.data.to_string().contains(text))
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("no Event {reason} with {text:?}")
    }

    pub(crate) async fn until(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let seen = |object: Option<&DynamicObject>| object.is_some_and(|o| wanted(&json!(o)));
        let found = tokio::time::timeout(
            PATIENCE,
            await_condition(self.admin.of(plural, namespace), name, seen),
        )
        .await;
        match found {
            Ok(found) => Ok(json!(found?)),
            Err(_) => bail!(
                "{plural} {namespace}/{name} stayed {:#}",
                self.admin.get(plural, namespace, name).await?
            ),
        }
    }
}

impl Person {
    pub(crate) fn of(&self, plural: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = resource(plural);
        if namespace.is_empty() {
            Api::all_with(self.0.clone(), &resource)
        } else {
            Api::namespaced_with(self.0.clone(), namespace, &resource)
        }
    }

    pub(crate) async fn create(
        &self,
        plural: &str,
        namespace: &str,
        mut object: Value,
    ) -> Result<Value> {
        let api = self.of(plural, namespace);
        let ApiResource { api_version, kind, .. } = resource(plural);
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        Ok(json!(api.create(&PostParams::default(), &serde_json::from_value(object)?).await?))
    }

    pub(crate) async fn get(&self, plural: &str, namespace: &str, name: &str) -> Result<Value> {
        Ok(json!(self.of(plural, namespace).get(name).await?))
    }

    pub(crate) async fn delete(&self, plural: &str, namespace: &str, name: &str) -> Result<()> {
        self.of(plural, namespace).delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    pub(crate) async fn merge_status(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        Ok(json!(
            self.of(plural, namespace)
                .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
                .await?
        ))
    }

    pub(crate) async fn merge(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        Ok(json!(
            self.of(plural, namespace)
                .patch(name, &PatchParams::default(), &Patch::Merge(patch))
                .await?
        ))
    }
}

/// Whether a Promotion has ended.
fn over(promotion: &Value) -> bool {
    let phase = promotion["status"]["phase"].as_str();
    matches!(phase, Some("Succeeded" | "Failed" | "Errored" | "Aborted"))
}

fn resource(plural: &str) -> ApiResource {
    let (group, version, kind) = match plural {
        "namespaces" => ("", "v1", "Namespace"),
        "events" => ("events.k8s.io", "v1", "Event"),
        "deployments" => ("apps", "v1", "Deployment"),
        "applications" => ("argoproj.io", "v1alpha1", "Application"),
        "roles" => ("rbac.authorization.k8s.io", "v1", "Role"),
        "rolebindings" => ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
        "projects" => ("kargo.akuity.io", "v1alpha1", "Project"),
        "warehouses" => ("kargo.akuity.io", "v1alpha1", "Warehouse"),
        "freights" => ("kargo.akuity.io", "v1alpha1", "Freight"),
        "stages" => ("kargo.akuity.io", "v1alpha1", "Stage"),
        "promotions" => ("kargo.akuity.io", "v1alpha1", "Promotion"),
        "projectconfigs" => ("kargo.akuity.io", "v1alpha1", "ProjectConfig"),
        "promotiontasks" => ("kargo.akuity.io", "v1alpha1", "PromotionTask"),
        "clusterpromotiontasks" => ("kargo.akuity.io", "v1alpha1", "ClusterPromotionTask"),
        "clusterconfigs" => ("kargo.akuity.io", "v1alpha1", "ClusterConfig"),
        "targets" => ("kargo.akuity.io", "v1alpha1", "Target"),
        "promotionrequests" => ("kargo.akuity.io", "v1alpha1", "PromotionRequest"),
        other => unreachable!("no journey speaks of {other}"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// The text of a refusal with this code.
pub(crate) fn refused<T: std::fmt::Debug>(done: Result<T>, code: &str) -> Result<String> {
    match done {
        Err(error) if error.to_string().contains(&format!("[{code}]")) => Ok(error.to_string()),
        other => Err(anyhow!("expected a refusal [{code}], got {other:?}")),
    }
}
