//! A Project of a test: its own namespace, Stages, Freight and Git repository.

use anyhow::{Context as _, Result, ensure};
use kube::api::PostParams;
use serde_json::{Value, json};
use wharfinger_cluster::Cluster;

use crate::{Kubernetes, on_runtime};

/// The image that every test deploys. There is no registry: kwok makes the Pods ready.
pub const IMAGE: &str = "ghcr.io/acme/web";

pub struct Project<'c> {
    pub cluster: &'c Cluster,
    pub name: String,
    pub admin: Kubernetes,
}

impl<'c> Project<'c> {
    /// A Project of that name, with a namespace, a Warehouse `main` and an empty Git repository of the same name.
    pub fn new(cluster: &'c Cluster, name: &str) -> Result<Self> {
        let project = Self::unfounded(cluster, name)?;
        project.found()?;
        Ok(project)
    }

    /// The Git repository alone: Wharfinger's kinds need not exist yet.
    pub fn unfounded(cluster: &'c Cluster, name: &str) -> Result<Self> {
        cluster.git().create(name)?;
        Ok(Self { cluster, name: name.into(), admin: Kubernetes::admin(cluster)? })
    }

    /// The Project itself, its namespace and its Warehouse.
    pub fn found(&self) -> Result<()> {
        let Self { name, admin, .. } = self;
        let labels = json!({ "kargo.akuity.io/project": "true" });
        admin.create("namespace", "", json!({ "metadata": { "name": name, "labels": labels } }))?;
        admin.create("project", "", json!({ "metadata": { "name": name } }))?;
        let subscriptions = json!([{ "image": { "repoURL": IMAGE } }]);
        let spec = json!({ "freightCreationPolicy": "Manual", "subscriptions": subscriptions });
        admin.create("warehouse", name, json!({ "metadata": { "name": "main" }, "spec": spec }))?;
        Ok(())
    }

    /// A Stage that takes Freight straight from the Warehouse and assigns it.
    pub fn stage(&self, name: &str) -> Result<()> {
        self.stage_with(name, &json!([{ "uses": "assign" }]))
    }

    pub fn stage_with(&self, name: &str, steps: &Value) -> Result<()> {
        self.stage_of(name, &json!({ "direct": true }), steps)
    }

    /// A Stage that takes Freight from such sources and assigns it.
    pub fn stage_after(&self, name: &str, sources: &Value) -> Result<()> {
        self.stage_of(name, sources, &json!([{ "uses": "assign" }]))
    }

    fn stage_of(&self, name: &str, sources: &Value, steps: &Value) -> Result<()> {
        let origin = json!({ "kind": "Warehouse", "name": "main" });
        let spec = json!({
            "requestedFreight": [{ "origin": origin, "sources": sources }],
            "promotionTemplate": { "spec": { "steps": steps } },
        });
        self.admin.create(
            "stage",
            &self.name,
            json!({ "metadata": { "name": name }, "spec": spec }),
        )?;
        Ok(())
    }

    /// Freight with the image at that tag. Returns its name, which the webhook gives it.
    pub fn freight(&self, tag: &str) -> Result<String> {
        self.freight_with(tag, &json!([]))
    }

    /// Freight with the image at that tag, and commits, to which the Warehouse subscribes from then on.
    pub fn freight_with(&self, tag: &str, commits: &Value) -> Result<String> {
        let image = json!({ "repoURL": IMAGE, "tag": tag });
        let commits = commits.as_array().cloned().unwrap_or_default();
        if !commits.is_empty() {
            let git = commits.iter().map(|c| json!({ "git": { "repoURL": c["repoURL"] } }));
            let image = json!({ "image": { "repoURL": IMAGE } });
            let subscriptions: Vec<_> = git.chain([image]).collect();
            let patch = json!({ "spec": { "subscriptions": subscriptions } });
            self.admin.merge("warehouse", &self.name, "main", &patch)?;
        }
        let origin = json!({ "kind": "Warehouse", "name": "main" });
        let freight = json!({ "metadata": { "generateName": "freight-" }, "alias": tag, "origin": origin, "images": [image], "commits": commits });
        let made = self.admin.create("freight", &self.name, freight)?;
        let name = made["metadata"]["name"].as_str().context("Freight must have a name")?;
        ensure!(name.len() == 40, "the webhook must name Freight by its content, not {name}");
        Ok(name.into())
    }

    /// Asks for a promotion and does not wait for it. Returns its name.
    pub fn promote(&self, stage: &str, freight: &str) -> Result<String> {
        self.promote_with(stage, freight, json!({}))
    }

    pub fn promote_with(&self, stage: &str, freight: &str, annotations: Value) -> Result<String> {
        on_runtime(self.asking(stage, freight, annotations))
    }

    /// As `promote`, for many at once.
    pub async fn promoting(&self, stage: &str, freight: &str) -> Result<String> {
        self.asking(stage, freight, json!({})).await
    }

    async fn asking(&self, stage: &str, freight: &str, annotations: Value) -> Result<String> {
        let promotion = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": { "generateName": "promo-", "annotations": annotations },
            "spec": { "stage": stage, "freight": freight },
        });
        let api = self.admin.of("promotion", &self.name);
        let made = api.create(&PostParams::default(), &serde_json::from_value(promotion)?).await?;
        made.metadata.name.context("a Promotion must have a name")
    }

    /// Waits for a Promotion to end and returns it.
    pub fn ended(&self, promotion: &str) -> Result<Value> {
        self.admin
            .wait("promotion", &self.name, promotion, "end", |p| {
                let phase = p["status"]["phase"].as_str()?;
                matches!(phase, "Succeeded" | "Failed" | "Errored" | "Aborted").then(|| p.clone())
            })
            .with_context(|| format!("the Applications: {}", self.admin.applications(&self.name)))
    }

    /// Promotes and waits for success.
    pub fn promoted(&self, stage: &str, freight: &str) -> Result<Value> {
        let promotion = self.ended(&self.promote(stage, freight)?)?;
        ensure!(
            promotion["status"]["phase"] == "Succeeded",
            "the Promotion must succeed: {:#}\nthe Applications: {}",
            promotion["status"],
            self.admin.applications(&self.name)
        );
        Ok(promotion)
    }

    /// What a Stage holds now, as a claim.
    pub fn claim(&self, stage: &str) -> Result<String> {
        let stage = self.admin.get("stage", &self.name, stage)?;
        let assignment = &stage["status"]["assignment"];
        let collection =
            assignment["collection"].as_str().context("the Stage must hold something")?;
        Ok(format!("{}-{collection}", assignment["generation"]))
    }

    /// The rules of the Project for Applications; they hold at once.
    pub fn rules(&self, rules: &Value) -> Result<()> {
        let Self { name, admin, .. } = self;
        let config = json!({ "metadata": { "name": name }, "spec": { "wharfinger": rules } });
        match admin.get("projectconfig", name, name) {
            Err(_) => admin.create("projectconfig", name, config)?,
            Ok(mut config) => {
                config["spec"] = json!({ "wharfinger": rules });
                admin.replace("projectconfig", name, config)?
            }
        };
        Ok(())
    }

    pub fn commit(&self, files: &[(&str, &str)]) -> Result<String> {
        self.cluster.git().commit(&self.name, files, "test")
    }

    pub fn head(&self) -> Result<String> {
        self.cluster.git().head(&self.name)
    }
}
