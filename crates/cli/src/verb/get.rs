//! `wharf get`: the objects themselves, as tables or as they are.

mod brief;
mod columns;

use std::fmt::Debug;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, TypeMeta};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use wharfinger_api::v1alpha1::{
    ClusterConfig, ClusterPromotionTask, Freight, Project, ProjectConfig, Promotion,
    PromotionRequest, PromotionTask, Stage, Target, Warehouse,
};

use crate::exit::{Exit, Failure};
use crate::find::all;
use crate::freight;
use crate::near::did_you_mean;
use crate::output::{Format, Table, clean, objects};
use crate::session::Session;

use columns::{
    Around, CLUSTER_CONFIGS, CLUSTER_TASKS, Columns, FREIGHTS, PROJECT_CONFIGS, PROJECTS,
    PROMOTIONS, REQUESTS, Row, STAGES, TARGETS, TASKS, WAREHOUSES, discovered,
};

/// List the objects of a kind
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf get stages
  wharf get freight --warehouse web -o wide
  wharf get promotions --stage prod -o json")]
pub struct Get {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// The Projects of the cluster
    #[command(visible_alias = "project")]
    Projects(Named),
    /// What each Stage holds, and how it is
    #[command(visible_alias = "stage")]
    Stages(Named),
    /// The Freight, the newest first
    #[command(alias = "freights")]
    Freight(OfFreight),
    /// The Promotions, the newest first
    #[command(visible_aliases = ["promotion", "promos", "promo"])]
    Promotions(OfPromotions),
    /// The Warehouses, and what each has found
    #[command(visible_alias = "warehouse")]
    Warehouses(Named),
    /// How the Project works
    #[command(visible_alias = "projectconfig")]
    Projectconfigs(Named),
    /// How the whole installation works
    #[command(visible_alias = "clusterconfig")]
    Clusterconfigs(Named),
    /// Steps that the Project's Stages share
    #[command(visible_aliases = ["promotiontask", "promotasks", "promotask"])]
    Promotiontasks(Named),
    /// Steps that the Stages of all Projects share
    #[command(visible_aliases = ["clusterpromotiontask", "clusterpromotasks", "clusterpromotask"])]
    Clusterpromotiontasks(Named),
    /// Promotions to several Targets at once
    #[command(visible_alias = "promotionrequest")]
    Promotionrequests(Named),
    /// The places that a Stage may promote to
    #[command(visible_alias = "target")]
    Targets(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// Names; without any, all
    names: Vec<String>,

    /// Leave out the line above the columns
    #[arg(long)]
    no_headers: bool,
}

#[derive(Debug, Args)]
struct OfFreight {
    #[command(flatten)]
    named: Named,

    /// Freight of that name, as Kargo's flag names it
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Freight of that alias, as Kargo's flag names it
    #[arg(long, value_name = "ALIAS")]
    alias: Vec<String>,

    /// Freight of that Warehouse alone
    #[arg(long, visible_alias = "origin", value_name = "WAREHOUSE")]
    warehouse: Option<String>,
}

#[derive(Debug, Args)]
struct OfPromotions {
    #[command(flatten)]
    named: Named,

    /// Promotions to that Stage alone
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
}

impl Get {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self.kind {
            Kind::Projects(named) => of_cluster::<Project>(session, &named, &PROJECTS).await,
            Kind::Clusterconfigs(named) => {
                of_cluster::<ClusterConfig>(session, &named, &CLUSTER_CONFIGS).await
            }
            Kind::Clusterpromotiontasks(named) => {
                of_cluster::<ClusterPromotionTask>(session, &named, &CLUSTER_TASKS).await
            }
            Kind::Stages(named) => listed::<Stage>(session, &named, &STAGES).await,
            Kind::Warehouses(named) => listed::<Warehouse>(session, &named, &WAREHOUSES).await,
            Kind::Projectconfigs(named) => {
                listed::<ProjectConfig>(session, &named, &PROJECT_CONFIGS).await
            }
            Kind::Promotiontasks(named) => listed::<PromotionTask>(session, &named, &TASKS).await,
            Kind::Promotionrequests(named) => {
                listed::<PromotionRequest>(session, &named, &REQUESTS).await
            }
            Kind::Targets(named) => listed::<Target>(session, &named, &TARGETS).await,
            Kind::Promotions(OfPromotions { named, stage }) => {
                let mut found = of_project::<Promotion>(session, &named.names).await?;
                found.retain(|f| stage.as_ref().is_none_or(|s| f.object.spec.stage == *s));
                let (empty, anew) = (found.is_empty(), |f: &Found<Promotion>| f.created());
                if let Some(stage) = stage.filter(|_| empty) {
                    session.stage(&stage).await?;
                }
                found.sort_by(|a, b| anew(b).cmp(&anew(a)).then(b.name().cmp(&a.name())));
                print(session, &named, &found, &PROMOTIONS, &Around::nothing(session.now()))
            }
            Kind::Freight(OfFreight { named, name, alias, warehouse }) => {
                let mut found = of_project::<Freight>(session, &[]).await?;
                let around = around(session, &found).await?;
                let wanted: Vec<_> = named.names.iter().chain(&name).chain(&alias).collect();
                if !wanted.is_empty() {
                    let known: Vec<_> = found.iter().map(|f| f.object.clone()).collect();
                    let mut chosen = vec![];
                    for wanted in wanted {
                        chosen.push(freight::choose(&known, wanted, None)?.name_any());
                    }
                    found.retain(|f| chosen.contains(&f.name()));
                }
                let of = |f: &Found<Freight>| f.object.origin.name.clone();
                found.retain(|f| warehouse.as_ref().is_none_or(|w| of(f) == *w));
                found.sort_by_key(|f| (std::cmp::Reverse(discovered(&f.object)), f.name()));
                print(session, &named, &found, &FREIGHTS, &around)
            }
        }
    }
}

/// What the lines of Freight tell of beside it. Nothing of it is for programs.
async fn around(session: &Session, all: &[Found<Freight>]) -> Result<Around, Failure> {
    let nothing = Around::nothing(session.now());
    if all.is_empty() || !for_people(session.global.output) {
        return Ok(nothing);
    }
    let freights = all.iter().map(|found| found.object.clone()).collect();
    match session.stages().await {
        Ok(stages) => Ok(Around { freights, stages, ..nothing }),
        // Freight is worth a look all the same.
        Err(failure) if failure.exit == Exit::NotAllowed => {
            session.console.say("You may not list Stages, so NEXT stays empty.");
            Ok(nothing)
        }
        Err(failure) => Err(failure),
    }
}

fn for_people(format: Format) -> bool {
    matches!(format, Format::Table | Format::Wide)
}

/// An object, as it is and as it is understood.
struct Found<K> {
    raw: DynamicObject,
    object: K,
}

impl<K> Found<K> {
    fn name(&self) -> String {
        self.raw.name_any()
    }

    fn created(&self) -> Timestamp {
        self.raw.metadata.creation_timestamp.as_ref().map(|t| t.0).unwrap_or_default()
    }
}

/// The objects of a kind that is in no Project.
async fn of_cluster<K>(
    session: &Session,
    named: &Named,
    columns: &Columns<K>,
) -> Result<Exit, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let api = |resource: &ApiResource, client| Api::all_with(client, resource);
    let found = found::<K>(session, api, &named.names).await?;
    if found.is_empty() {
        session.console.say("There is none.");
    }
    print(session, named, &found, columns, &Around::nothing(session.now()))
}

/// The objects of a kind in the Project, in the order of their names.
async fn listed<K>(session: &Session, named: &Named, columns: &Columns<K>) -> Result<Exit, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let found = of_project::<K>(session, &named.names).await?;
    print(session, named, &found, columns, &Around::nothing(session.now()))
}

async fn of_project<K>(session: &Session, names: &[String]) -> Result<Vec<Found<K>>, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let project = session.project().await?;
    let api = |resource: &ApiResource, client| Api::namespaced_with(client, project, resource);
    let found = found(session, api, names).await?;
    if found.is_empty() {
        if let Some(failure) = session.no_project().await {
            return Err(failure);
        }
        session.console.say(clean(&format!("There is none in Project {project}.")));
    }
    Ok(found)
}

async fn found<K>(
    session: &Session,
    api: impl Fn(&ApiResource, kube::Client) -> Api<DynamicObject>,
    names: &[String],
) -> Result<Vec<Found<K>>, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let resource = ApiResource::erase::<K>(&());
    let api = api(&resource, session.client().await?.clone());
    let attempt = format!("list {}", resource.plural);
    let mut listed = all(&api, ListParams::default(), &attempt).await?;
    if !names.is_empty() {
        let known: Vec<_> = listed.iter().map(|o| o.name_any()).collect();
        if let Some(missing) = names.iter().find(|name| !known.contains(name)) {
            let failure = Failure::new(format!("there is no {} {missing}", resource.kind));
            let list = format!("List them: wharf get {}", resource.plural);
            let meant = did_you_mean(missing, known.iter().map(String::as_str));
            return Err(failure.next(meant.unwrap_or(list)));
        }
        listed.retain(|o| names.contains(&o.name_any()));
    }
    listed.into_iter().map(|raw| understood(raw, &resource)).collect()
}

fn understood<K: Resource<DynamicType = ()> + DeserializeOwned>(
    mut raw: DynamicObject,
    resource: &ApiResource,
) -> Result<Found<K>, Failure> {
    // The items of a list come without.
    let (api_version, kind) = (resource.api_version.clone(), resource.kind.clone());
    raw.types = Some(TypeMeta { api_version, kind });
    let object = raw.clone().try_parse().map_err(|e| {
        Failure::new(format!("{} {} can't be understood", resource.kind, raw.name_any()))
            .because(&e)
    })?;
    Ok(Found { raw, object })
}

fn print<K>(
    session: &Session,
    named: &Named,
    found: &[Found<K>],
    columns: &Columns<K>,
    around: &Around,
) -> Result<Exit, Failure> {
    let Session { console, global, .. } = session;
    if !for_people(global.output) {
        let raw: Vec<_> = found.iter().map(|f| &f.raw).collect();
        objects(console, global.output, &raw, named.names.len() == 1)?;
        return Ok(Exit::Done);
    }
    let wide = global.output == Format::Wide;
    let more = if wide { columns.wide } else { &[] };
    let mut table = if named.no_headers {
        Table::without_header(console.out)
    } else {
        Table::new(console.out, columns.header.iter().chain(more).copied())
    };
    for found in found {
        let Row { cells, wide: more } = (columns.row)(found, around);
        table.row(cells.into_iter().chain(more.into_iter().filter(|_| wide)));
    }
    if found.is_empty() {
        return Ok(Exit::Done);
    }
    for line in table.lines() {
        console.line(line)?;
    }
    Ok(Exit::Done)
}
