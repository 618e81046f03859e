//! What has been found out for a review so far.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use wharfinger_api::v1alpha1::{
    Freight, FreightOrigin, ProjectConfig, PromotionTaskSpec, Stage, StageStatus,
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
    /// All Freight of an origin, as far as it matters for a choice: read from the API server itself.
    FreightOf { project: String, origin: FreightOrigin },
    /// A task of a Project, or one of the cluster; read from the API server itself.
    Task { project: Option<String>, name: String },
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
