//! The columns of each kind's table.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use wharfinger_api::additions::REASON;
use wharfinger_api::v1alpha1::{
    CREATE_ACTOR, ClusterConfig, ClusterPromotionTask, ExpressionVariable, Freight, Project,
    ProjectConfig, Promotion, PromotionRequest, PromotionStep, PromotionTask, Stage, StageStatus,
    Target, Warehouse,
};
use wharfinger_core::availability::next;

use super::{Found, brief};
use crate::actor::person;
use crate::freight::{alias, commits, short, version, versions};
use crate::output::{Cell, age};

/// The columns of a kind, and for wide screens some more.
pub(super) struct Columns<K> {
    pub(super) header: &'static [&'static str],
    pub(super) wide: &'static [&'static str],
    pub(super) row: fn(&Found<K>, &Around) -> Row,
}

/// What a line is seen in the light of.
pub(super) struct Around {
    pub(super) now: Timestamp,
    /// All Freight of the Project and all its Stages, where a column tells of them.
    pub(super) freights: Vec<Freight>,
    pub(super) stages: Vec<Stage>,
}

impl Around {
    pub(super) fn nothing(now: Timestamp) -> Self {
        Self { now, freights: vec![], stages: vec![] }
    }
}

/// What of an object stands in its line.
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) wide: Vec<Cell>,
}

pub(super) const PROJECTS: Columns<Project> =
    Columns { header: &["NAME", "READY", "AGE"], wide: &[], row: projects };

fn projects(found: &Found<Project>, &Around { now, .. }: &Around) -> Row {
    let conditions = found.object.status.iter().flat_map(|s| &s.conditions);
    Row {
        cells: vec![found.name().into(), ready(conditions).0, age(found.created(), now).into()],
        wide: vec![],
    }
}

pub(super) const STAGES: Columns<Stage> = Columns {
    header: &["NAME", "VERSION", "FREIGHT", "GEN", "SINCE", "HEALTH", "STATUS"],
    wide: &["COLLECTION", "PROMOTION"],
    row: stages,
};

fn stages(found: &Found<Stage>, &Around { now, .. }: &Around) -> Row {
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

pub(super) const FREIGHTS: Columns<Freight> = Columns {
    header: &["NAME", "ALIAS", "VERSION", "COMMIT", "WAREHOUSE", "AGE", "IN", "VERIFIED", "NEXT"],
    wide: &["APPROVED", "FULL NAME"],
    row: freights,
};

fn freights(found: &Found<Freight>, around: &Around) -> Row {
    let Around { now, stages, freights } = around;
    let freight = &found.object;
    let status = freight.status.clone().unwrap_or_default();
    let all = stages.iter().filter(|s| takes(s, freight)).count();
    let listed =
        |stages: Vec<String>| Cell::from(brief::names(stages.iter().map(String::as_str), all));
    Row {
        cells: vec![
            short(&found.name()).to_owned().into(),
            alias(freight).to_owned().into(),
            version(freight).into(),
            commits(freight).into(),
            freight.origin.name.clone().into(),
            age(discovered(freight), *now).into(),
            listed(status.currently_in.into_keys().collect()),
            listed(status.verified_in.into_keys().collect()),
            brief::next(&next(freight, stages, freights, *now), *now).into(),
        ],
        wide: vec![listed(status.approved_for.into_keys().collect()), found.name().into()],
    }
}

fn takes(stage: &Stage, freight: &Freight) -> bool {
    stage.spec.requested_freight.iter().any(|request| request.origin == freight.origin)
}

pub(super) const PROMOTIONS: Columns<Promotion> = Columns {
    header: &["NAME", "STAGE", "VERSION", "FREIGHT", "PHASE", "AGE"],
    wide: &["BY", "REASON", "MESSAGE"],
    row: promotions,
};

fn promotions(found: &Found<Promotion>, &Around { now, .. }: &Around) -> Row {
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

pub(super) const WAREHOUSES: Columns<Warehouse> = Columns {
    header: &["NAME", "POLICY", "INTERVAL", "READY", "LAST FREIGHT", "DISCOVERED", "AGE"],
    wide: &["STATUS"],
    row: warehouses,
};

fn warehouses(found: &Found<Warehouse>, &Around { now, .. }: &Around) -> Row {
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

pub(super) const PROJECT_CONFIGS: Columns<ProjectConfig> = Columns {
    header: &["NAME", "POLICIES", "WINDOWS", "RECEIVERS", "READY", "AGE"],
    wide: &["STATUS"],
    row: project_configs,
};

fn project_configs(found: &Found<ProjectConfig>, &Around { now, .. }: &Around) -> Row {
    let ProjectConfig { spec, status, .. } = &found.object;
    let (ready, message) = ready(status.iter().flat_map(|s| &s.conditions));
    Row {
        cells: vec![
            found.name().into(),
            spec.promotion_policies.len().to_string().into(),
            spec.promotion_windows.len().to_string().into(),
            spec.webhook_receivers.len().to_string().into(),
            ready,
            age(found.created(), now).into(),
        ],
        wide: vec![message.into()],
    }
}

pub(super) const CLUSTER_CONFIGS: Columns<ClusterConfig> = Columns {
    header: &["NAME", "WINDOWS", "RECEIVERS", "READY", "AGE"],
    wide: &["STATUS"],
    row: cluster_configs,
};

fn cluster_configs(found: &Found<ClusterConfig>, &Around { now, .. }: &Around) -> Row {
    let ClusterConfig { spec, status, .. } = &found.object;
    let (ready, message) = ready(status.iter().flat_map(|s| &s.conditions));
    Row {
        cells: vec![
            found.name().into(),
            spec.promotion_windows.len().to_string().into(),
            spec.webhook_receivers.len().to_string().into(),
            ready,
            age(found.created(), now).into(),
        ],
        wide: vec![message.into()],
    }
}

const TASK: &[&str] = &["NAME", "TAKES", "STEPS", "AGE"];

pub(super) const TASKS: Columns<PromotionTask> = Columns {
    header: TASK,
    wide: &[],
    row: |found, around| task(found, &found.object.spec.vars, &found.object.spec.steps, around.now),
};

pub(super) const CLUSTER_TASKS: Columns<ClusterPromotionTask> = Columns {
    header: TASK,
    wide: &[],
    row: |found, around| task(found, &found.object.spec.vars, &found.object.spec.steps, around.now),
};

fn task<K>(
    found: &Found<K>,
    vars: &[ExpressionVariable],
    steps: &[PromotionStep],
    now: Timestamp,
) -> Row {
    // Those that whoever names the task has to give.
    let takes = vars.iter().filter(|v| v.value.is_empty()).map(|v| v.name.as_str());
    Row {
        cells: vec![
            found.name().into(),
            joined(takes).into(),
            joined(steps.iter().map(|s| s.uses.as_str())).into(),
            age(found.created(), now).into(),
        ],
        wide: vec![],
    }
}

pub(super) const REQUESTS: Columns<PromotionRequest> = Columns {
    header: &["NAME", "STAGE", "FREIGHT", "TARGETS", "PHASE", "AGE"],
    wide: &["STATUS"],
    row: requests,
};

fn requests(found: &Found<PromotionRequest>, &Around { now, .. }: &Around) -> Row {
    let PromotionRequest { spec, status, .. } = &found.object;
    let phase = status.as_ref().map(|s| s.phase.as_str()).filter(|phase| !phase.is_empty());
    let (_, message) = ready(status.iter().flat_map(|s| &s.conditions));
    Row {
        cells: vec![
            found.name().into(),
            spec.stage.clone().into(),
            short(&spec.freight).to_owned().into(),
            joined(spec.targets.iter().map(|t| t.name.as_str())).into(),
            Cell::word(phase.unwrap_or("Pending")),
            age(found.created(), now).into(),
        ],
        wide: vec![message.into()],
    }
}

pub(super) const TARGETS: Columns<Target> =
    Columns { header: &["NAME", "PARAMS", "AGE"], wide: &["LABELS"], row: targets };

fn targets(found: &Found<Target>, &Around { now, .. }: &Around) -> Row {
    let labels = found.raw.labels().iter().map(|(name, value)| format!("{name}={value}"));
    Row {
        cells: vec![
            found.name().into(),
            joined(found.object.spec.params.keys().map(String::as_str)).into(),
            age(found.created(), now).into(),
        ],
        wide: vec![labels.collect::<Vec<_>>().join(",").into()],
    }
}

fn joined<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    texts.collect::<Vec<_>>().join(",")
}

/// The condition Ready, and why.
fn ready<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> (Cell, String) {
    let ready = conditions.into_iter().find(|c| c.type_ == "Ready");
    ready.map_or_else(Default::default, |c| (Cell::word(&c.status), c.message.clone()))
}

/// When the newest artifact of Freight was discovered, or the Freight made.
pub(super) fn discovered(freight: &Freight) -> Timestamp {
    let created = freight.metadata.creation_timestamp.as_ref();
    freight.discovered_at.as_ref().or(created).map(|t| t.0).unwrap_or_default()
}
