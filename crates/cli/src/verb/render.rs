//! `wharf render`: what an Application deploys with Freight, as the sidecar renders it.

use std::path::Path;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, Freight, FreightCollection};
use wharfinger_core::claim::{Claim, Claimed, StageName, ours, the_stage};
use wharfinger_core::freight::{name, push, reference};
use wharfinger_core::usage::{Scope, Subscribed, judge, nowhere};
use wharfinger_render::{Images, Provenance, documents};

use crate::argocd::App;
use crate::exit::{Exit, Failure};
use crate::held::{holding, stage_of};
use crate::output::{Format, objects, yaml};
use crate::rendering::{self, Place, Rendering};
use crate::session::Session;

/// Print what an Application deploys with Freight, as Argo CD will get it
///
/// One JSON document an object, as the sidecar answers; -o yaml for reading
#[derive(Debug, Args)]
pub struct Render {
    /// The Application: its name, or NAMESPACE/NAME; with --offline a file
    #[arg(long, value_name = "NAME")]
    app: String,

    /// The Freight: its name, alias or version; with --offline a file. Without it, what the Stage holds
    #[arg(long, value_name = "FREIGHT", required_if_eq("offline", "true"))]
    freight: Option<String>,

    /// The Stage. Without it, the one the Application names
    #[arg(long, value_name = "STAGE", conflicts_with = "offline")]
    stage: Option<String>,

    /// Ask no cluster: the Application and the Freight are files
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    place: Place,
}

impl Render {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { app, freight, stage, offline, place } = self;
        let (app, collection, provenance, looked) = if offline {
            let app = App::of(one(Path::new(&app), "Application")?)?;
            let collection = from_file(Path::new(freight.as_deref().unwrap_or_default()))?;
            let claimed = ours(app.sources()).find_map(|source| Claimed::of(source).ok()?.claim);
            let name = the_stage(app.app.annotation(AUTHORIZED_STAGE)).ok();
            let provenance =
                name.map(|name| Provenance::next(&name, claimed.as_ref(), &collection));
            (app, collection, provenance, (Subscribed::default(), Scope::Part))
        } else {
            let app = session.app(&app).await?;
            let name = stage_of(session, &app, stage.as_deref()).await?;
            let stage = session.stage_named(&name).await?;
            let freight = match freight {
                Some(wanted) => Some(session.freight_for(&name, &wanted, &stage).await?),
                None => None,
            };
            let collection = holding(&stage, freight.as_ref());
            if collection.items.is_empty() {
                return Err(Failure::new(format!("Stage {name} holds no Freight yet"))
                    .next("Name some: --freight FREIGHT"));
            }
            let assignment = stage.status.as_ref().and_then(|s| s.assignment.as_ref());
            let claim = assignment.map(Claim::of);
            let provenance = Provenance::next(&name, claim.as_ref(), &collection);
            let looked = (session.subscribed(&name, &stage).await?, scope(session, &name).await);
            (app, collection, Some(provenance), looked)
        };
        let rendering = Rendering::new(session, place, offline).await;
        let rendered = rendering.app(&app, &collection, provenance.as_ref()).await?;
        print(session, &rendered.documents)?;
        let used = rendered.repositories.iter().map(String::as_str).collect();
        let (subscribed, scope) = looked;
        let mut checks = judge(&Images::of(&collection), &used, &subscribed, scope);
        checks.extend(nowhere(rendered.unused_paths.iter().map(String::as_str)));
        session.console.warn(&checks);
        Ok(Exit::Done)
    }
}

/// Whether the Application is all there is of the Stage.
async fn scope(session: &Session, name: &StageName) -> Scope {
    match session.applications_of(name).await {
        Ok(apps) if apps.len() == 1 => Scope::Stage,
        // Several, or it is not for whoever asks to know.
        _ => Scope::Part,
    }
}

fn print(session: &Session, documents: &[String]) -> Result<(), Failure> {
    let console = &session.console;
    match session.global.output {
        // As the sidecar's own `generate`. JSON has no control characters in it.
        Format::Table | Format::Wide => {
            for document in documents {
                console.raw(format!("---\n{document}\n").as_bytes())?;
            }
        }
        Format::Yaml => {
            for object in rendering::objects(documents) {
                console.raw(format!("---\n{}", yaml(&object)?).as_bytes())?;
            }
        }
        format => objects(console, format, &rendering::objects(documents), false)?,
    }
    Ok(())
}

fn from_file(path: &Path) -> Result<FreightCollection, Failure> {
    let mut collection = FreightCollection::default();
    for value in read(path)? {
        let mut freight: Freight = typed(path, value, "Freight")?;
        // A name is its content's; it may be missing in a file.
        if freight.metadata.name.as_deref().is_none_or(str::is_empty) {
            freight.metadata.name = Some(name(&freight));
        }
        push(&mut collection, [reference(&freight)]);
    }
    Ok(collection)
}

fn one(path: &Path, kind: &str) -> Result<Value, Failure> {
    let mut all = read(path)?;
    match (all.pop(), all.is_empty()) {
        (Some(value), true) if value["kind"] == kind => Ok(value),
        _ => Err(Failure::usage(format!(
            "{} must hold one {kind}, and nothing else",
            path.display()
        ))),
    }
}

fn read(path: &Path) -> Result<Vec<Value>, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("can't read {shown}")).because(&e))?;
    documents::objects(&shown, &text).map_err(|e| Failure::usage(e.to_string()))
}

fn typed<T: DeserializeOwned>(path: &Path, value: Value, kind: &str) -> Result<T, Failure> {
    if value["kind"] != kind {
        return Err(Failure::usage(format!("{} must hold {kind}", path.display())));
    }
    let what = format!("{} holds no {kind}", path.display());
    serde_json::from_value(value).map_err(|e| Failure::usage(what).because(&e))
}
