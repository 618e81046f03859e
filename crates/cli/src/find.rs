//! Objects of the Project, found by what a person calls them; where there is none, what they may have meant.

use std::fmt::Debug;

use kube::ResourceExt as _;
use kube::api::{Api, ListParams, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, Freight, Project, Promotion, STAGE_LABEL, Stage};
use wharfinger_core::claim::{StageName, authorized};

use crate::exit::{Exit, Failure};
use crate::freight;
use crate::near::did_you_mean;
use crate::session::Session;

/// How many objects are asked for at a time.
const PAGE: u32 = 500;
/// How long the name of Freight is.
const HASH: usize = 40;

impl Session {
    pub async fn stage(&self, name: &str) -> Result<Stage, Failure> {
        self.named("Stage", name).await
    }

    pub async fn stages(&self) -> Result<Vec<Stage>, Failure> {
        all(&self.of_project().await?, ListParams::default(), "list Stages").await
    }

    pub async fn freights(&self) -> Result<Vec<Freight>, Failure> {
        all(&self.of_project().await?, ListParams::default(), "list Freight").await
    }

    /// The Freight that `wanted` stands for; see [`freight::choose`].
    pub async fn freight(&self, wanted: &str, to: Option<&Stage>) -> Result<Freight, Failure> {
        if wanted.len() == HASH && wanted.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let api: Api<Freight> = self.of_project().await?;
            let attempt = format!("read Freight {wanted}");
            if let Some(found) = api.get_opt(wanted).await.map_err(|e| Failure::api(attempt, &e))? {
                return Ok(found);
            }
        }
        freight::choose(&self.freights().await?, wanted, to).cloned()
    }

    /// The Promotions of a Stage, the newest first.
    pub async fn promotions(&self, stage: &Stage) -> Result<Vec<Promotion>, Failure> {
        let name = stage.metadata.name.as_deref().unwrap_or_default();
        // The webhook labels every Promotion; a longer name is cut there.
        let params = if name.len() <= 63 {
            ListParams::default().labels(&format!("{STAGE_LABEL}={name}"))
        } else {
            ListParams::default()
        };
        let mut promotions: Vec<Promotion> =
            all(&self.of_project().await?, params, "list Promotions").await?;
        promotions.retain(|p| p.spec.stage == name);
        promotions.sort_by(|a, b| b.metadata.name.cmp(&a.metadata.name));
        Ok(promotions)
    }

    /// All Applications that may be listed, or what is asked for of them.
    pub async fn applications<K>(&self) -> Result<Vec<K>, Failure>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        Ok(self.applications_seen().await?.0)
    }

    /// The same, and whether those are all that there are.
    pub async fn applications_seen<K>(&self) -> Result<(Vec<K>, bool), Failure>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        const LIST: &str = "list Applications";
        let client = self.client().await?.clone();
        match all(&Api::all(client.clone()), ListParams::default(), LIST).await {
            // Whoever may not look everywhere may look in Argo CD's own namespace, where most of them are.
            Err(failure) if failure.exit == Exit::NotAllowed => {
                let there = Api::namespaced(client, &self.global.argocd_namespace);
                Ok((all(&there, ListParams::default(), LIST).await?, false))
            }
            listed => Ok((listed?, true)),
        }
    }

    /// The Applications that name a Stage, by namespace and name.
    pub async fn applications_of(
        &self,
        stage: &StageName,
    ) -> Result<Vec<(String, String)>, Failure> {
        // Their metadata is enough, and much less than all of them.
        let applications: Vec<PartialObjectMeta<Application>> = self.applications().await?;
        let names = |app: &PartialObjectMeta<Application>| {
            let annotation = app.annotations().get(AUTHORIZED_STAGE)?;
            let named = authorized(annotation).is_ok_and(|stages| stages.contains(stage));
            named.then(|| (app.namespace().unwrap_or_default(), app.name_any()))
        };
        Ok(applications.iter().filter_map(names).collect())
    }

    /// The object of that name in the Project, or a failure that says what is there instead.
    pub async fn named<K>(&self, kind: &str, name: &str) -> Result<K, Failure>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = self.of_project().await?;
        let attempt = format!("read {kind} {name}");
        match api.get_opt(name).await.map_err(|e| Failure::api(attempt, &e))? {
            Some(found) => Ok(found),
            None => Err(self.missing::<K>(kind, name).await?),
        }
    }

    pub(crate) async fn missing<K>(&self, kind: &str, name: &str) -> Result<Failure, Failure>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let project = self.project().await?;
        let failure = Failure::new(format!("there is no {kind} {name} in Project {project}"));
        let api: Api<PartialObjectMeta<K>> = self.of_project().await?;
        let Ok(there) = all(&api, ListParams::default(), "").await else { return Ok(failure) };
        if there.is_empty() {
            return Ok(self.no_project().await.unwrap_or(failure.next("There is none at all yet")));
        }
        let names = there.iter().filter_map(|o| o.metadata.name.as_deref());
        Ok(match did_you_mean(name, names) {
            Some(meant) => failure.next(meant),
            None => failure.next(format!("List them: wharf get {}", K::plural(&()))),
        })
    }

    /// That there is no such Project, where that can be told: asked when nothing is found in it.
    pub async fn no_project(&self) -> Option<Failure> {
        let (client, project) = (self.client().await.ok()?, self.project().await.ok()?);
        let api: Api<Project> = Api::all(client.clone());
        let projects = all(&api, ListParams::default(), "list Projects").await.ok()?;
        let names: Vec<_> = projects.iter().filter_map(|p| p.metadata.name.as_deref()).collect();
        if names.contains(&project) {
            return None;
        }
        let meant = did_you_mean(project, names);
        let failure = Failure::new(format!("there is no Project {project}"));
        Some(failure.next(meant.unwrap_or_else(|| "List them: wharf get projects".into())))
    }
}

/// All objects of a kind, page by page.
pub async fn all<K>(api: &Api<K>, params: ListParams, attempt: &str) -> Result<Vec<K>, Failure>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = params.limit(PAGE);
    let mut found = vec![];
    loop {
        let page = api.list(&params).await.map_err(|e| Failure::api(attempt, &e))?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|c| !c.is_empty()) {
            Some(more) => params = params.continue_token(&more),
            None => return Ok(found),
        }
    }
}
