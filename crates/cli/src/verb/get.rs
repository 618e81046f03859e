//! `wharf get`: the objects themselves, as tables or as they are.

use std::fmt::Debug;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, TypeMeta};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use wharfinger_api::additions::REASON;
use wharfinger_api::v1alpha1::{
    CREATE_ACTOR, Freight, Project, Promotion, Stage, StageStatus, Warehouse,
};

use crate::actor::person;
use crate::exit::{Exit, Failure};
use crate::find::all;
use crate::freight::{self, alias, commits, short, version, versions};
use crate::near::did_you_mean;
use crate::output::{Cell, Format, Table, age, clean, objects};
use crate::session::Session;

/// List Projects, Stages, Freight, Promotions or Warehouses
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
            Kind::Projects(named) => {
                let api = |resource: &ApiResource, client| Api::all_with(client, resource);
                let found = found::<Project>(session, api, &named.names).await?;
                print(session, &named, &found, &PROJECTS)
            }
            Kind::Stages(named) => {
                let found = of_project::<Stage>(session, &named.names).await?;
                print(session, &named, &found, &STAGES)
            }
            Kind::Warehouses(named) => {
                let found = of_project::<Warehouse>(session, &named.names).await?;
                print(session, &named, &found, &WAREHOUSES)
            }
            Kind::Promotions(OfPromotions { named, stage }) => {
                let mut found = of_project::<Promotion>(session, &named.names).await?;
                found.retain(|f| stage.as_ref().is_none_or(|s| f.object.spec.stage == *s));
                let (empty, anew) = (found.is_empty(), |f: &Found<Promotion>| f.created());
                if let Some(stage) = stage.filter(|_| empty) {
                    session.stage(&stage).await?;
                }
                found.sort_by(|a, b| anew(b).cmp(&anew(a)).then(b.name().cmp(&a.name())));
                print(session, &named, &found, &PROMOTIONS)
            }
            Kind::Freight(OfFreight { named, name, alias, warehouse }) => {
                let mut found = of_project::<Freight>(session, &[]).await?;
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
                print(session, &named, &found, &FREIGHTS)
            }
        }
    }
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

/// The columns of a kind, and for wide screens some more.
struct Columns<K> {
    header: &'static [&'static str],
    wide: &'static [&'static str],
    row: fn(&Found<K>, Timestamp) -> Row,
}

fn print<K>(
    session: &Session,
    named: &Named,
    found: &[Found<K>],
    columns: &Columns<K>,
) -> Result<Exit, Failure> {
    let Session { console, global, .. } = session;
    if !matches!(global.output, Format::Table | Format::Wide) {
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
        let Row { cells, wide: more } = (columns.row)(found, session.now());
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

struct Row {
    cells: Vec<Cell>,
    wide: Vec<Cell>,
}

const PROJECTS: Columns<Project> =
    Columns { header: &["NAME", "READY", "AGE"], wide: &[], row: projects };

fn projects(found: &Found<Project>, now: Timestamp) -> Row {
    let conditions = found.object.status.iter().flat_map(|s| &s.conditions);
    Row {
        cells: vec![found.name().into(), ready(conditions).0, age(found.created(), now).into()],
        wide: vec![],
    }
}

const STAGES: Columns<Stage> = Columns {
    header: &["NAME", "VERSION", "FREIGHT", "GEN", "SINCE", "HEALTH", "STATUS"],
    wide: &["COLLECTION", "PROMOTION"],
    row: stages,
};

fn stages(found: &Found<Stage>, now: Timestamp) -> Row {
    static NOTHING: std::sync::LazyLock<StageStatus> = std::sync::LazyLock::new(Default::default);
    let status = found.object.status.as_ref().unwrap_or(&NOTHING);
    let held = status.freight_history.first();
    let names = held.iter().flat_map(|c| c.items.values()).map(|f| short(&f.name));
    let assignment = status.assignment.as_ref();
    let health = status.health.as_ref().map_or("", |h| &h.status);
    let (_, message) = ready(&status.conditions);
    Row {
        cells: vec![
            found.name().into(),
            held.map(versions).unwrap_or_default().into(),
            names.collect::<Vec<_>>().join(",").into(),
            assignment.map(|a| a.generation.to_string()).unwrap_or_default().into(),
            assignment.map(|a| age(a.assigned_at, now)).unwrap_or_default().into(),
            Cell::word(health),
            message.into(),
        ],
        wide: vec![
            assignment.map(|a| a.collection.clone()).unwrap_or_default().into(),
            assignment.map(|a| a.promotion.clone()).unwrap_or_default().into(),
        ],
    }
}

const FREIGHTS: Columns<Freight> = Columns {
    header: &["NAME", "ALIAS", "VERSION", "COMMIT", "WAREHOUSE", "AGE", "IN", "VERIFIED"],
    wide: &["APPROVED", "FULL NAME"],
    row: freights,
};

fn freights(found: &Found<Freight>, now: Timestamp) -> Row {
    let freight = &found.object;
    let status = freight.status.clone().unwrap_or_default();
    let listed = |stages: Vec<String>| Cell::from(stages.join(","));
    Row {
        cells: vec![
            short(&found.name()).to_owned().into(),
            alias(freight).to_owned().into(),
            version(freight).into(),
            commits(freight).into(),
            freight.origin.name.clone().into(),
            age(discovered(freight), now).into(),
            listed(status.currently_in.into_keys().collect()),
            listed(status.verified_in.into_keys().collect()),
        ],
        wide: vec![listed(status.approved_for.into_keys().collect()), found.name().into()],
    }
}

const PROMOTIONS: Columns<Promotion> = Columns {
    header: &["NAME", "STAGE", "VERSION", "FREIGHT", "PHASE", "AGE"],
    wide: &["BY", "REASON", "MESSAGE"],
    row: promotions,
};

fn promotions(found: &Found<Promotion>, now: Timestamp) -> Row {
    let promotion = &found.object;
    let status = promotion.status.clone().unwrap_or_default();
    let annotation = |key: &str| promotion.annotations().get(key).cloned().unwrap_or_default();
    let phase = if status.phase.is_empty() { "Pending" } else { &status.phase };
    let held = status.freight_collection.as_ref().map(versions).unwrap_or_default();
    Row {
        cells: vec![
            found.name().into(),
            promotion.spec.stage.clone().into(),
            held.into(),
            short(promotion.spec.freight.as_deref().unwrap_or_default()).to_owned().into(),
            Cell::word(phase),
            age(found.created(), now).into(),
        ],
        wide: vec![
            person(&annotation(CREATE_ACTOR)).to_owned().into(),
            annotation(REASON).into(),
            status.message.into(),
        ],
    }
}

const WAREHOUSES: Columns<Warehouse> = Columns {
    header: &["NAME", "POLICY", "INTERVAL", "READY", "LAST FREIGHT", "DISCOVERED", "AGE"],
    wide: &["STATUS"],
    row: warehouses,
};

fn warehouses(found: &Found<Warehouse>, now: Timestamp) -> Row {
    let Warehouse { spec, status, .. } = &found.object;
    let status = status.clone().unwrap_or_default();
    let (ready, message) = ready(&status.conditions);
    let at = status.discovered_artifacts.as_ref().and_then(|d| d.discovered_at.as_ref());
    Row {
        cells: vec![
            found.name().into(),
            spec.freight_creation_policy.clone().into(),
            spec.interval.clone().into(),
            ready,
            short(&status.last_freight_id).to_owned().into(),
            at.map(|t| age(t.0, now)).unwrap_or_default().into(),
            age(found.created(), now).into(),
        ],
        wide: vec![message.into()],
    }
}

/// The condition Ready, and why.
fn ready<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> (Cell, String) {
    let ready = conditions.into_iter().find(|c| c.type_ == "Ready");
    ready.map_or_else(Default::default, |c| (Cell::word(&c.status), c.message.clone()))
}

/// When the newest artifact of Freight was discovered, or the Freight made.
fn discovered(freight: &Freight) -> Timestamp {
    let created = freight.metadata.creation_timestamp.as_ref();
    freight.discovered_at.as_ref().or(created).map(|t| t.0).unwrap_or_default()
}
