//! Finding out what a judgement asks for: from the caches, from the API server, and from its authorizer.

use std::sync::Arc;

use anyhow::Context as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use wharfinger_api::v1alpha1::{
    ALIAS_LABEL, ClusterPromotionTask, ClusterPromotionTaskSpec, Freight, FreightOrigin, GROUP,
    PROJECT_LABEL, Project, ProjectConfig, PromotionTask, PromotionTaskSpec, Stage, Target,
    Warehouse,
};
use wharfinger_core::admission::{Fact, Namespace, Question, Verb};
use wharfinger_core::claim::StageName;

use crate::cache::Caches;
use crate::page::gather;
use crate::review::User;

pub(crate) trait Find: Send + Sync + 'static {
    fn find(
        &self,
        question: Question,
        user: &User,
    ) -> impl Future<Output = anyhow::Result<Fact>> + Send;
}

pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) caches: Caches,
}

impl Find for Cluster {
    async fn find(&self, question: Question, user: &User) -> anyhow::Result<Fact> {
        Ok(match question {
            Question::Stage { name, live } => {
                let cached = if live { None } else { self.caches.stage(&name) };
                match cached {
                    Some(stage) => Fact::Stage { name, live: false, stage },
                    None => Fact::Stage { stage: self.stage(&name).await?, name, live: true },
                }
            }
            Question::May { verb, stage } => {
                Fact::May { allowed: self.may(user, verb, &stage).await?, verb, stage }
            }
            Question::ApplicationsNaming(named) => {
                let applications = match self.caches.applications_naming(&named) {
                    Some(applications) => applications,
                    None => crate::cache::list_applications_naming(&self.client, &named)
                        .await
                        .context("the Applications")?,
                };
                Fact::ApplicationsNaming(named, applications)
            }
            Question::Freight { project, name } => {
                let api: Api<Freight> = Api::namespaced(self.client.clone(), &project);
                let freight = api.get_opt(&name).await.context("the Freight")?;
                Fact::Freight { project, name, freight: freight.map(Box::new) }
            }
            Question::FreightOf { project, origin } => {
                let freights = self.freight_of(&project, &origin).await?;
                Fact::FreightOf { project, origin, freights }
            }
            Question::Task { project, name } => {
                let task = self.task(project.as_deref(), &name).await?;
                Fact::Task { project, name, task: task.map(Box::new) }
            }
            Question::Config { project, live } => {
                let cached = if live { None } else { self.caches.config(&project) };
                match cached {
                    Some(config) => Fact::Config { project, live: false, config },
                    None => {
                        let config = self.config(&project).await?;
                        Fact::Config { project, live: true, config }
                    }
                }
            }
            Question::Namespace { name } => {
                Fact::Namespace { namespace: self.namespace(&name).await?, name }
            }
            Question::ProjectGoes { name } => {
                let api: Api<Project> = Api::all(self.client.clone());
                let project = api.get_metadata_opt(&name).await.context("the Project")?;
                let goes = project.is_some_and(|p| p.metadata.deletion_timestamp.is_some());
                Fact::ProjectGoes { name, goes }
            }
            Question::Warehouse { project, name } => {
                let api: Api<Warehouse> = Api::namespaced(self.client.clone(), &project);
                let warehouse = api.get_opt(&name).await.context("the Warehouse")?;
                Fact::Warehouse { project, name, warehouse: warehouse.map(Box::new) }
            }
            Question::Alias { project, alias } => {
                let freight = self.with_alias(&project, &alias).await?;
                Fact::Alias { project, alias, freight }
            }
            Question::Holding { project, freight } => {
                let stages = match self.caches.holding(&project, &freight) {
                    Some(stages) => stages,
                    None => crate::cache::list_holding(&self.client, &project, &freight)
                        .await
                        .context("the Stages")?,
                };
                Fact::Holding { project, freight, stages }
            }
            Question::Target { project, name } => {
                let api: Api<Target> = Api::namespaced(self.client.clone(), &project);
                let exists = api.get_metadata_opt(&name).await.context("the Target")?.is_some();
                Fact::Target { project, name, exists }
            }
        })
    }
}

impl Cluster {
    async fn stage(&self, name: &StageName) -> anyhow::Result<Option<Arc<Stage>>> {
        let api: Api<Stage> = Api::namespaced(self.client.clone(), &name.project);
        let stage = api.get_opt(&name.stage).await.with_context(|| format!("Stage {name}"))?;
        Ok(stage.map(Arc::new))
    }

    async fn config(&self, project: &str) -> anyhow::Result<Option<Arc<ProjectConfig>>> {
        let api: Api<ProjectConfig> = Api::namespaced(self.client.clone(), project);
        let config = api.get_opt(project).await;
        Ok(config.with_context(|| format!("the ProjectConfig of {project}"))?.map(Arc::new))
    }

    async fn namespace(&self, name: &str) -> anyhow::Result<Option<Namespace>> {
        let api: Api<v1::Namespace> = Api::all(self.client.clone());
        let found = api.get_metadata_opt(name).await.context("the namespace")?;
        Ok(found.map(|namespace| Namespace {
            labelled: namespace.labels().get(PROJECT_LABEL).is_some_and(|value| value == "true"),
            terminating: namespace.metadata.deletion_timestamp.is_some(),
        }))
    }

    async fn with_alias(&self, project: &str, alias: &str) -> anyhow::Result<Vec<String>> {
        let api: Api<Freight> = Api::namespaced(self.client.clone(), project);
        let labelled = ListParams::default().labels(&format!("{ALIAS_LABEL}={alias}"));
        let found = api.list_metadata(&labelled).await.context("the Freight of that alias")?;
        Ok(found.items.iter().map(ResourceExt::name_any).collect())
    }

    /// Of each piece of Freight only what a choice is made by: a Project may have very many.
    async fn freight_of(
        &self,
        project: &str,
        origin: &FreightOrigin,
    ) -> anyhow::Result<Vec<Freight>> {
        let api: Api<Freight> = Api::namespaced(self.client.clone(), project);
        let of_it = |freight: Freight| (freight.origin == *origin).then(|| pruned(freight));
        gather(&api, of_it).await.with_context(|| format!("the Freight of {origin}"))
    }

    async fn task(
        &self,
        project: Option<&str>,
        name: &str,
    ) -> anyhow::Result<Option<PromotionTaskSpec>> {
        let client = self.client.clone();
        Ok(match project {
            Some(project) => {
                let task = Api::<PromotionTask>::namespaced(client, project).get_opt(name).await;
                task.with_context(|| format!("PromotionTask {name}"))?.map(|task| task.spec)
            }
            None => {
                let task = Api::<ClusterPromotionTask>::all(client).get_opt(name).await;
                let task = task.with_context(|| format!("ClusterPromotionTask {name}"))?;
                task.map(|task| {
                    let ClusterPromotionTaskSpec { vars, steps } = task.spec;
                    PromotionTaskSpec { vars, steps }
                })
            }
        })
    }

    /// The authorizer's answer for whoever writes. It is asked each time: a permission that is gone is gone.
    async fn may(&self, user: &User, verb: Verb, stage: &StageName) -> anyhow::Result<bool> {
        let review = SubjectAccessReview {
            spec: access(user, verb, stage),
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = api
            .create(&PostParams::default(), &review)
            .await
            .context("the permissions of the writer")?;
        Ok(review.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }
}

/// Where Freight comes from, how old it is, and where it may go.
fn pruned(freight: Freight) -> Freight {
    let Freight { metadata, discovered_at, origin, status, .. } = freight;
    let metadata = ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        creation_timestamp: metadata.creation_timestamp,
        ..ObjectMeta::default()
    };
    Freight { metadata, discovered_at, origin, status, ..Freight::default() }
}

fn access(user: &User, verb: Verb, stage: &StageName) -> SubjectAccessReviewSpec {
    let User { username, uid, groups, extra } = user.clone();
    SubjectAccessReviewSpec {
        user: Some(username),
        uid,
        groups,
        extra,
        resource_attributes: Some(ResourceAttributes {
            verb: Some(verb.as_str().into()),
            group: Some(GROUP.into()),
            resource: Some("stages".into()),
            namespace: Some(stage.project.clone()),
            // No name means all of them: a Role that lists names does not give that.
            name: Some(stage.stage.clone()).filter(|name| !name.is_empty()),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

#[cfg(test)]
mod tests;
