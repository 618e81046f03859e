//! The Applications and what their Stages hold: read once, for more than one part judges by them.

use std::collections::BTreeMap;

use kube::Api;
use tokio::sync::OnceCell;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::Stage;
use wharfinger_core::check::{Check, Code};
use wharfinger_core::claim::{StageName, authorized_stages};

use super::unseen;
use crate::exit::Failure;
use crate::session::Session;

#[derive(Debug, Default)]
pub struct Seen {
    pub applications: Vec<Application>,
    /// Whether those are all that there are, in all namespaces.
    pub everywhere: bool,
    /// The Stages that they name: nothing where there is no such Stage.
    pub stages: BTreeMap<StageName, Option<Stage>>,
    /// Those that could not be read, and what is to be said of each.
    pub unseen: BTreeMap<StageName, Check>,
}

/// What is read when it is first asked for.
#[derive(Default)]
pub struct Sight(OnceCell<Seen>);

impl Sight {
    pub async fn seen(&self, session: &Session) -> Result<&Seen, Failure> {
        self.0.get_or_try_init(|| look(session)).await
    }
}

async fn look(session: &Session) -> Result<Seen, Failure> {
    let (applications, everywhere) = session.applications_seen().await?;
    let mut seen = Seen { applications, everywhere, ..Seen::default() };
    let named = seen.applications.iter().filter_map(|app| authorized_stages(app).ok()).flatten();
    for name in named {
        if seen.stages.contains_key(&name) || seen.unseen.contains_key(&name) {
            continue;
        }
        let api: Api<Stage> = Api::namespaced(session.client().await?.clone(), &name.project);
        match api.get_opt(&name.stage).await {
            Ok(stage) => drop(seen.stages.insert(name, stage)),
            Err(e) => {
                let check = unseen(Code::StageMissing, &format!("Stage {name}"), &e)?;
                seen.unseen.insert(name, check);
            }
        }
    }
    Ok(seen)
}
