//! What Stages hold and would hold. An Application names its Project with its Stage, so it need not be the session's.

use kube::Api;
use kube::api::ListParams;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, Freight, FreightCollection, Stage, Warehouse};
use wharfinger_core::assignment::target;
use wharfinger_core::claim::{StageName, the_stage};
use wharfinger_core::freight::reference;
use wharfinger_core::usage::{Subscribed, subscribed};

use crate::argocd::App;
use crate::exit::{Exit, Failure};
use crate::find::all;
use crate::freight::choose;
use crate::session::Session;

impl Session {
    pub async fn stage_named(&self, name: &StageName) -> Result<Stage, Failure> {
        let api: Api<Stage> = Api::namespaced(self.client().await?.clone(), &name.project);
        let found = api.get_opt(&name.stage).await;
        let found = found.map_err(|e| Failure::api(format!("read Stage {name}"), &e))?;
        found.ok_or_else(|| {
            Failure::new(format!("there is no Stage {} in Project {}", name.stage, name.project))
                .next(format!("List them: wharf get stages -p {}", name.project))
        })
    }

    /// The Freight of a Stage's Project.
    pub async fn freights_of(&self, stage: &StageName) -> Result<Vec<Freight>, Failure> {
        let api: Api<Freight> = Api::namespaced(self.client().await?.clone(), &stage.project);
        all(&api, ListParams::default(), "list Freight").await
    }

    /// The images that the Warehouses of a Stage subscribe, as far as whoever asks may read them.
    pub async fn subscribed(&self, name: &StageName, stage: &Stage) -> Result<Subscribed, Failure> {
        let api: Api<Warehouse> = Api::namespaced(self.client().await?.clone(), &name.project);
        let mut warehouses = Vec::new();
        for request in &stage.spec.requested_freight {
            match api.get_opt(&request.origin.name).await {
                Ok(warehouse) => warehouses.extend(warehouse),
                Err(e) => {
                    let failure = Failure::api("read the Warehouses of the Stage", &e);
                    if failure.exit != Exit::NotAllowed {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(subscribed(&warehouses))
    }

    /// The Freight that `wanted` stands for, to be placed on a Stage.
    pub async fn freight_for(
        &self,
        name: &StageName,
        wanted: &str,
        stage: &Stage,
    ) -> Result<Freight, Failure> {
        choose(&self.freights_of(name).await?, wanted, Some(stage)).cloned()
    }
}

/// What a Stage holds, or what it would hold with `freight`.
pub fn holding(stage: &Stage, freight: Option<&Freight>) -> FreightCollection {
    let status = stage.status.clone().unwrap_or_default();
    match freight {
        Some(freight) => target(&status, &stage.spec.requested_freight, reference(freight)),
        None => status.freight_history.into_iter().next().unwrap_or_default(),
    }
}

/// The Stage that a flag names, as `<stage>` or `<project>:<stage>`, else the one that the Application names.
pub async fn stage_of(
    session: &Session,
    app: &App,
    flag: Option<&str>,
) -> Result<StageName, Failure> {
    match flag {
        Some(flag) => named(session, flag).await,
        None => the_stage(app.app.annotation(AUTHORIZED_STAGE))
            .map_err(|check| Failure::of(&check, Exit::Usage).next("Or name one: --stage STAGE")),
    }
}

/// A Stage as a person writes it: `<stage>`, or `<project>:<stage>`.
pub async fn named(session: &Session, text: &str) -> Result<StageName, Failure> {
    let full = match text.contains(':') {
        true => text.to_owned(),
        false => format!("{}:{text}", session.project().await?),
    };
    full.parse().map_err(|e| Failure::usage("--stage").because(&e))
}
