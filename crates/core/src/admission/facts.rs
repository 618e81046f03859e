//! What has been found out for a review so far.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use wharfinger_api::v1alpha1::{
    Freight, FreightOrigin, ProjectConfig, PromotionTaskSpec, Stage, StageStatus, Warehouse,
};

use super::Stop;
use crate::assignment::Seen;
use crate::claim::StageName;

/// What has to be known before a review is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// A Stage; read from the API server itself where `live` says so, else from a cache.
    Stage { name: StageName, live: bool },
    /// Whether the writer may do something with a Stage. An empty name of a Stage means all of the Project's.
    May { verb: Verb, stage: StageName },
    /// The Applications that name something.
    ApplicationsNaming(Named),
    /// A piece of Freight, read from the API server itself.
    Freight { project: String, name: String },
    /// How a Project works; read from the API server itself where `live` says so, else from a cache.
    Config { project: String, live: bool },
    /// A namespace, read from the API server itself.
    Namespace { name: String },
    /// Whether a Project is being deleted, read from the API server itself.
    ProjectGoes { name: String },
    /// A Warehouse, read from the API server itself.
    Warehouse { project: String, name: String },
    /// The Freight of a Project that has an alias, read from the API server itself.
    Alias { project: String, alias: String },
    /// The Stages of a Project that hold a piece of Freight, from a cache if there is one.
    Holding { project: String, freight: String },
    /// Whether there is a Target, read from the API server itself.
    Target { project: String, name: String },
    /// All Freight of an origin, as far as it matters for a choice: read from the API server itself.
    FreightOf { project: String, origin: FreightOrigin },
    /// A task of a Project, or one of the cluster; read from the API server itself.
    Task { project: Option<String>, name: String },
}

/// As much of a namespace as matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// It is labelled as a Project's.
    pub labelled: bool,
    /// It is being deleted.
    pub terminating: bool,
}

/// What Applications name in their annotation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    Stage(StageName),
    /// Any Stage of a Project.
    Project(String),
}

/// What may be done with a Stage, beyond the verbs of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Change what it holds, let Freight in, let an Application go.
    Promote,
    /// Lift the rules.
    Bypass,
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub enum Fact {
    Stage {
        name: StageName,
        live: bool,
        stage: Option<Arc<Stage>>,
    },
    May {
        verb: Verb,
        stage: StageName,
        allowed: bool,
    },
    /// As `<namespace>/<name>`, in order.
    ApplicationsNaming(Named, Vec<String>),
    Freight {
        project: String,
        name: String,
        freight: Option<Box<Freight>>,
    },
    Config {
        project: String,
        live: bool,
        config: Option<Arc<ProjectConfig>>,
    },
    Namespace {
        name: String,
        namespace: Option<Namespace>,
    },
    ProjectGoes {
        name: String,
        goes: bool,
    },
    Warehouse {
        project: String,
        name: String,
        warehouse: Option<Box<Warehouse>>,
    },
    /// Names of Freight.
    Alias {
        project: String,
        alias: String,
        freight: Vec<String>,
    },
    /// Names of Stages.
    Holding {
        project: String,
        freight: String,
        stages: Vec<String>,
    },
    Target {
        project: String,
        name: String,
        exists: bool,
    },
    FreightOf {
        project: String,
        origin: FreightOrigin,
        freights: Vec<Freight>,
    },
    /// What a task says; both kinds say the same.
    Task {
        project: Option<String>,
        name: String,
        task: Option<Box<PromotionTaskSpec>>,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    stages: BTreeMap<StageName, (Option<Arc<Stage>>, bool)>,
    may: BTreeMap<(Verb, StageName), bool>,
    naming: BTreeMap<Named, Vec<String>>,
    freights: BTreeMap<(String, String), Option<Box<Freight>>>,
    configs: BTreeMap<String, (Option<Arc<ProjectConfig>>, bool)>,
    namespaces: BTreeMap<String, Option<Namespace>>,
    going: BTreeMap<String, bool>,
    warehouses: BTreeMap<(String, String), Option<Box<Warehouse>>>,
    aliases: BTreeMap<(String, String), Vec<String>>,
    holding: BTreeMap<(String, String), Vec<String>>,
    targets: BTreeMap<(String, String), bool>,
    freight_of: BTreeMap<(String, FreightOrigin), Vec<Freight>>,
    tasks: BTreeMap<(Option<String>, String), Option<Box<PromotionTaskSpec>>>,
}

/// A Stage without a status holds nothing, which is not the same as no Stage.
static NOTHING: LazyLock<StageStatus> = LazyLock::new(StageStatus::default);

impl Facts {
    pub fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Stage { name, live, stage } => {
                self.stages.insert(name, (stage, live));
            }
            Fact::May { verb, stage, allowed } => {
                self.may.insert((verb, stage), allowed);
            }
            Fact::ApplicationsNaming(named, applications) => {
                self.naming.insert(named, applications);
            }
            Fact::Freight { project, name, freight } => {
                self.freights.insert((project, name), freight);
            }
            Fact::Config { project, live, config } => {
                self.configs.insert(project, (config, live));
            }
            Fact::Namespace { name, namespace } => {
                self.namespaces.insert(name, namespace);
            }
            Fact::ProjectGoes { name, goes } => {
                self.going.insert(name, goes);
            }
            Fact::Warehouse { project, name, warehouse } => {
                self.warehouses.insert((project, name), warehouse);
            }
            Fact::Alias { project, alias, freight } => {
                self.aliases.insert((project, alias), freight);
            }
            Fact::Holding { project, freight, stages } => {
                self.holding.insert((project, freight), stages);
            }
            Fact::Target { project, name, exists } => {
                self.targets.insert((project, name), exists);
            }
            Fact::FreightOf { project, origin, freights } => {
                self.freight_of.insert((project, origin), freights);
            }
            Fact::Task { project, name, task } => {
                self.tasks.insert((project, name), task);
            }
        }
    }

    /// A Stage as last seen, and whether that was live.
    pub(super) fn stage(&self, name: &StageName) -> Result<(Option<&Stage>, bool), Stop> {
        let seen = self.stages.get(name).map(|(stage, live)| (stage.as_deref(), *live));
        seen.ok_or_else(|| ask_stage(name, false))
    }

    /// A Stage of which a cache is not to be believed.
    pub(super) fn stage_live(&self, name: &StageName) -> Result<Option<&Stage>, Stop> {
        match self.stages.get(name) {
            Some((stage, true)) => Ok(stage.as_deref()),
            _ => Err(ask_stage(name, true)),
        }
    }

    /// A Stage that exists, from a cache if need be. That there is none is believed only when read live.
    pub(super) fn stage_if_any(&self, name: &StageName) -> Result<Option<&Stage>, Stop> {
        match self.stage(name)? {
            (Some(stage), _) => Ok(Some(stage)),
            (None, _) => self.stage_live(name),
        }
    }

    /// How a Project works, from a cache if need be.
    pub(super) fn config(&self, project: &str) -> Result<Option<&ProjectConfig>, Stop> {
        let known = self.configs.get(project).map(|(config, _)| config.as_deref());
        known.ok_or_else(|| ask_config(project, false))
    }

    /// How a Project works, where a cache is not to be believed: before something is denied because of it.
    pub(super) fn config_live(&self, project: &str) -> Result<Option<&ProjectConfig>, Stop> {
        match self.configs.get(project) {
            Some((config, true)) => Ok(config.as_deref()),
            _ => Err(ask_config(project, true)),
        }
    }

    pub(super) fn seen(&self, name: &StageName) -> Result<Seen<'_>, Stop> {
        let (stage, live) = self.stage(name)?;
        Ok(Seen { status: stage.map(status), live })
    }

    pub(super) fn may(&self, verb: Verb, stage: &StageName) -> Result<bool, Stop> {
        let known = self.may.get(&(verb, stage.clone())).copied();
        known.ok_or_else(|| Stop::Ask(Question::May { verb, stage: stage.clone() }))
    }

    pub(super) fn applications_naming(&self, named: &Named) -> Result<&[String], Stop> {
        let known = self.naming.get(named).map(Vec::as_slice);
        known.ok_or_else(|| Stop::Ask(Question::ApplicationsNaming(named.clone())))
    }

    pub(super) fn freight(&self, project: &str, name: &str) -> Result<Option<&Freight>, Stop> {
        let known = self.freights.get(&(project.to_owned(), name.to_owned())).map(Option::as_deref);
        known.ok_or_else(|| {
            Stop::Ask(Question::Freight { project: project.to_owned(), name: name.to_owned() })
        })
    }

    pub(super) fn namespace(&self, name: &str) -> Result<Option<Namespace>, Stop> {
        let known = self.namespaces.get(name).copied();
        known.ok_or_else(|| Stop::Ask(Question::Namespace { name: name.to_owned() }))
    }

    pub(super) fn project_goes(&self, name: &str) -> Result<bool, Stop> {
        let known = self.going.get(name).copied();
        known.ok_or_else(|| Stop::Ask(Question::ProjectGoes { name: name.to_owned() }))
    }

    pub(super) fn warehouse(&self, project: &str, name: &str) -> Result<Option<&Warehouse>, Stop> {
        let (project, name) = (project.to_owned(), name.to_owned());
        let known = self.warehouses.get(&(project.clone(), name.clone())).map(Option::as_deref);
        known.ok_or(Stop::Ask(Question::Warehouse { project, name }))
    }

    /// The names of the Freight that has an alias.
    pub(super) fn with_alias(&self, project: &str, alias: &str) -> Result<&[String], Stop> {
        let (project, alias) = (project.to_owned(), alias.to_owned());
        let known = self.aliases.get(&(project.clone(), alias.clone())).map(Vec::as_slice);
        known.ok_or(Stop::Ask(Question::Alias { project, alias }))
    }

    /// The names of the Stages that hold a piece of Freight, as far as a cache knows.
    pub(super) fn holding(&self, project: &str, freight: &str) -> Result<&[String], Stop> {
        let (project, freight) = (project.to_owned(), freight.to_owned());
        let known = self.holding.get(&(project.clone(), freight.clone())).map(Vec::as_slice);
        known.ok_or(Stop::Ask(Question::Holding { project, freight }))
    }

    pub(super) fn target(&self, project: &str, name: &str) -> Result<bool, Stop> {
        let (project, name) = (project.to_owned(), name.to_owned());
        let known = self.targets.get(&(project.clone(), name.clone())).copied();
        known.ok_or(Stop::Ask(Question::Target { project, name }))
    }

    pub(super) fn freight_of(
        &self,
        project: &str,
        origin: &FreightOrigin,
    ) -> Result<&[Freight], Stop> {
        let (project, origin) = (project.to_owned(), origin.clone());
        let known = self.freight_of.get(&(project.clone(), origin.clone())).map(Vec::as_slice);
        known.ok_or(Stop::Ask(Question::FreightOf { project, origin }))
    }

    /// A task of a Project, or of the cluster.
    pub(super) fn task(
        &self,
        project: Option<&str>,
        name: &str,
    ) -> Result<Option<&PromotionTaskSpec>, Stop> {
        let (project, name) = (project.map(str::to_owned), name.to_owned());
        let known = self.tasks.get(&(project.clone(), name.clone())).map(Option::as_deref);
        known.ok_or(Stop::Ask(Question::Task { project, name }))
    }
}

pub(super) fn status(stage: &Stage) -> &StageStatus {
    stage.status.as_ref().unwrap_or_else(|| &NOTHING)
}

fn ask_config(project: &str, live: bool) -> Stop {
    Stop::Ask(Question::Config { project: project.to_owned(), live })
}

pub(super) fn ask_stage(name: &StageName, live: bool) -> Stop {
    Stop::Ask(Question::Stage { name: name.clone(), live })
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Bypass => "bypass",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
