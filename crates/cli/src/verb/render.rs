//! `wharf render`: what an Application deploys with Freight, as the sidecar renders it.

use std::path::Path;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharfinger_api::v1alpha1::{Freight, FreightCollection};
use wharfinger_core::freight::{push, reference};
use wharfinger_render::documents;

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
        let (app, collection) = if offline {
            let app = App::of(one(Path::new(&app), "Application")?)?;
            (app, from_file(Path::new(freight.as_deref().unwrap_or_default()))?)
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
            (app, collection)
        };
        let rendering = Rendering::new(session, place, offline).await;
        let documents = rendering.app(&app, &collection).await?;
        print(session, &documents)?;
        Ok(Exit::Done)
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
        // A name is its content's; it may be missing in a file, and means nothing here.
        freight.metadata.name.get_or_insert_default();
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
