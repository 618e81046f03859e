//! What a person does, and how its effect is seen.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{Freight, Promotion};

use crate::world::ARGOCD;

pub(super) const PROJECT: &str = "shop";
const IMAGE: &str = "ghcr.io/acme/web";
/// Each step takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Person {
    client: Client,
}

impl Person {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The name of Freight by its alias.
    pub(super) async fn freight(&self, alias: &str) -> Result<String> {
        let all = Api::<Freight>::namespaced(self.client.clone(), PROJECT)
            .list(&ListParams::default())
            .await?;
        let found = all.items.iter().find(|f| f.alias == alias);
        Ok(found.with_context(|| format!("there is no Freight {alias}"))?.name_any())
    }

    /// Asks for a Promotion.
    pub(super) async fn promote(
        &self,
        stage: &str,
        freight: &str,
        annotations: &Value,
    ) -> kube::Result<Promotion> {
        let promotion = json!({
            "metadata": { "generateName": "promotion-", "annotations": annotations },
            "spec": { "stage": stage, "freight": freight },
        });
        let promotion = serde_json::from_value(promotion).map_err(kube::Error::SerdeError)?;
        Api::namespaced(self.client.clone(), PROJECT)
            .create(&PostParams::default(), &promotion)
            .await
    }

    /// Promotes, and waits until it is deployed and the Promotion has succeeded. Returns what there is to tell.
    pub(super) async fn carried_out(
        &self,
        stage: &str,
        freight: &str,
        annotations: &Value,
        version: &str,
    ) -> Result<Vec<String>> {
        let begun = tokio::time::Instant::now();
        let promotion = self.promote(stage, freight, annotations).await?.name_any();
        let wanted = format!("{IMAGE}:{version}");
        let runs = |found: Option<&Deployment>| found.and_then(image) == Some(&wanted);
        self.until::<Deployment>(&format!("{PROJECT}-{stage}"), "web", runs).await?;
        let rendered = begun.elapsed();
        let over = |found: Option<&Promotion>| {
            phase(found).is_some_and(|phase| phase != "Pending" && phase != "Running")
        };
        let ended = self.until::<Promotion>(PROJECT, &promotion, over).await?;
        if phase(ended.as_ref()) != Some("Succeeded") {
            bail!(
                "Promotion {promotion} has not succeeded: {:#}",
                json!(ended.and_then(|p| p.status))
            );
        }
        Ok(vec![format!(
            "Application web-{stage} was rendered and deployed with {wanted} after {:.1} ms",
            rendered.as_secs_f64() * 1000.0
        )])
    }

    /// Waits until Freight is verified in a Stage.
    pub(super) async fn verified(
        &self,
        stage: &str,
        freight: &str,
        version: &str,
    ) -> Result<String> {
        let verified = |found: Option<&Freight>| {
            found.and_then(|f| f.status.as_ref()).is_some_and(|s| s.verified_in.contains_key(stage))
        };
        self.until::<Freight>(PROJECT, freight, verified).await?;
        Ok(format!("{version} is verified in {stage}"))
    }

    /// Changes an Application.
    pub(super) async fn edit(&self, application: &str, patch: &Value) -> kube::Result<Application> {
        Api::namespaced(self.client.clone(), ARGOCD)
            .patch(application, &PatchParams::default(), &Patch::Merge(patch))
            .await
    }

    async fn until<K>(
        &self,
        namespace: &str,
        name: &str,
        wanted: impl Condition<K>,
    ) -> Result<Option<K>>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Send
            + serde::de::DeserializeOwned
            + 'static,
    {
        let api = Api::namespaced(self.client.clone(), namespace);
        match tokio::time::timeout(PATIENCE, await_condition(api, name, wanted)).await {
            Ok(found) => Ok(found?),
            Err(_) => {
                let kind = K::kind(&());
                let apps = Api::<Application>::namespaced(self.client.clone(), ARGOCD);
                let apps = apps.list(&ListParams::default()).await?;
                let status = |app: &Application| format!("{}: {}", app.name(), json!(app.status));
                let apps: Vec<_> = apps.items.iter().map(status).collect();
                bail!(
                    "{kind} {namespace}/{name} did not become what was expected within {} s; Applications: {}",
                    PATIENCE.as_secs(),
                    apps.join("\n")
                )
            }
        }
    }
}

/// The text of a denial that is to have this code.
pub(super) fn denied<T>(done: kube::Result<T>, code: &str) -> Result<String> {
    match done {
        Err(kube::Error::Api(status)) if status.message.contains(&format!("[{code}]")) => {
            Ok(status.message.clone())
        }
        Err(error) => Err(anyhow!(error).context(format!("refused, but not because of {code}"))),
        Ok(_) => bail!("it was allowed"),
    }
}

fn image(deployment: &Deployment) -> Option<&String> {
    deployment.spec.as_ref()?.template.spec.as_ref()?.containers.first()?.image.as_ref()
}

fn phase(promotion: Option<&Promotion>) -> Option<&str> {
    Some(promotion?.status.as_ref()?.phase.as_str())
}
