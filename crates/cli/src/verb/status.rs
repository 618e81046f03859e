//! `wharf status`: how Projects, Stages and Applications are, and what needs somebody.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::{Resource as _, ResourceExt as _};
use serde::Serialize;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{Promotion, Stage, StageStatus};
use wharfinger_core::check::{Check, State};
use wharfinger_core::claim::StageName;
use wharfinger_core::converge::{self, Situation};
use wharfinger_core::promotion::over;

use crate::actor::person;
use crate::exit::{Exit, Failure};
use crate::find::all;
use crate::freight::versions;
use crate::output::{Cell, Format, Mark, Table, age, clean, documents};
use crate::pipeline::ordered;
use crate::session::Session;

/// Show how things are: of all Projects, of the Stages of one, or of the Applications of a Stage
///
/// Without a Stage and without -p or WHARF_PROJECT it looks at every Project.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf status
  wharf status -p shop
  wharf status prod")]
pub struct Status {
    /// A Stage
    stage: Option<String>,
}

impl Status {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if let Some(name) = &self.stage {
            return of_stage(session, name).await;
        }
        if session.global.project.as_deref().is_none_or(str::is_empty) {
            match of_projects(session).await {
                // Whoever may not look everywhere has a Project of their own.
                Err(failure) if failure.exit == Exit::NotAllowed => {}
                done => return done,
            }
        }
        of_project(session).await
    }
}

/// How a Stage is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    stage: String,
    version: String,
    freight: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    health: String,
    /// What goes on, or what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Now>,
    /// Promotions that wait for their turn.
    queued: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Now {
    state: State,
    text: String,
}

fn standing(stage: &Stage, promotions: &[&Promotion]) -> Standing {
    let status = stage.status.clone().unwrap_or_default();
    let held = status.freight_history.first();
    let mut open: Vec<_> = promotions.iter().filter(|p| !over(p)).collect();
    open.sort_by_key(|p| p.name_any());
    let running = open
        .iter()
        .find(|p| p.status.as_ref().is_some_and(|s| s.phase == "Running"))
        .or(open.first());
    let health = status.health.clone().unwrap_or_default();
    let last = status.last_promotion.as_ref();
    let failed = last.and_then(|l| l.status.as_ref()).filter(|s| s.phase != "Succeeded");
    let now = if let Some(running) = running {
        let message = running.status.as_ref().map_or("", |s| &s.message);
        let colon = if message.is_empty() { "" } else { ": " };
        let text = format!("promotion {}{colon}{message}", running.name_any());
        Some(Now { state: State::Waiting, text })
    } else if let Some(failed) = failed {
        let name = last.map_or("", |l| &l.name);
        let text = format!("promotion {name} {}: {}", failed.phase, failed.message);
        Some(Now { state: State::Failed, text })
    } else if health.status == "Unhealthy" {
        Some(Now { state: State::Failed, text: health.issues.join("; ") })
    } else {
        None
    };
    Standing {
        stage: stage.name_any(),
        version: held.map(versions).unwrap_or_default(),
        freight: held.iter().flat_map(|c| c.items.values()).map(|f| f.name.clone()).collect(),
        generation: status.assignment.as_ref().map(|a| a.generation),
        since: status.assignment.as_ref().map(|a| a.assigned_at),
        health: health.status,
        queued: open.len().saturating_sub(1),
        now,
    }
}

impl Standing {
    fn words(&self) -> String {
        let now = self.now.as_ref().map_or("", |n| &n.text);
        let more =
            if self.queued > 0 { format!(" (+{} queued)", self.queued) } else { String::new() };
        format!("{now}{more}")
    }

    fn failed(&self) -> bool {
        self.now.as_ref().is_some_and(|n| n.state == State::Failed)
    }
}

async fn of_projects(session: &Session) -> Result<Exit, Failure> {
    let client = session.client().await?;
    let stages: Vec<Stage> =
        all(&Api::all(client.clone()), ListParams::default(), "list Stages").await?;
    let promotions: Vec<Promotion> =
        all(&Api::all(client.clone()), ListParams::default(), "list Promotions").await?;
    let mut standings: BTreeMap<String, Vec<Standing>> = BTreeMap::new();
    for (stage, promotions) in with_promotions(&stages, &promotions) {
        let project = stage.namespace().unwrap_or_default();
        standings.entry(project).or_default().push(standing(stage, &promotions));
    }
    let projects: Vec<Overview> =
        standings.into_iter().map(|(project, stages)| Overview::of(project, &stages)).collect();
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide => {
            if projects.is_empty() {
                console.say("There is no Stage yet.");
                return Ok(Exit::Done);
            }
            let mut table =
                Table::new(console.out, ["PROJECT", "STAGES", "HEALTHY", "PROMOTING", "NEEDS YOU"]);
            for project in projects {
                let mut needs = project.needs.iter().map(|n| format!("{}: {}", n.stage, n.text));
                let first = needs.next().unwrap_or_default();
                let more = match needs.count() {
                    0 => String::new(),
                    more => format!(" (+{more})"),
                };
                table.row([
                    project.project.into(),
                    project.stages.to_string().into(),
                    project.healthy.to_string().into(),
                    project.promoting.to_string().into(),
                    Cell::styled(format!("{first}{more}"), Mark::Failed.style()),
                ]);
            }
            for line in table.lines() {
                console.line(line)?;
            }
        }
        Format::Name => {
            for project in projects {
                console.line(clean(&format!("project.kargo.akuity.io/{}", project.project)))?;
            }
        }
        Format::Jsonl => documents(console, Format::Jsonl, &projects)?,
        format => documents(console, format, &[Overviews { projects }])?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Overviews {
    projects: Vec<Overview>,
}

/// How a Project is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    project: String,
    stages: usize,
    healthy: usize,
    promoting: usize,
    needs: Vec<Need>,
}

/// What somebody should look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Need {
    stage: String,
    text: String,
}

impl Overview {
    fn of(project: String, stages: &[Standing]) -> Self {
        let count = |is: &dyn Fn(&&Standing) -> bool| stages.iter().filter(is).count();
        let need = |s: &Standing| Need { stage: s.stage.clone(), text: s.words() };
        Self {
            project,
            stages: stages.len(),
            healthy: count(&|s| s.health == "Healthy"),
            promoting: count(&|s| s.now.as_ref().is_some_and(|n| n.state == State::Waiting)),
            needs: stages.iter().filter(|s| s.failed()).map(need).collect(),
        }
    }
}

/// Each Stage with its own Promotions.
fn with_promotions<'a>(
    stages: &'a [Stage],
    promotions: &'a [Promotion],
) -> impl Iterator<Item = (&'a Stage, Vec<&'a Promotion>)> {
    let mut of: BTreeMap<(String, &str), Vec<&Promotion>> = BTreeMap::new();
    for promotion in promotions {
        let project = promotion.namespace().unwrap_or_default();
        of.entry((project, &promotion.spec.stage)).or_default().push(promotion);
    }
    stages.iter().map(move |stage| {
        let key = (
            stage.namespace().unwrap_or_default(),
            stage.meta().name.as_deref().unwrap_or_default(),
        );
        (stage, of.get(&key).cloned().unwrap_or_default())
    })
}

async fn of_project(session: &Session) -> Result<Exit, Failure> {
    let project = session.project().await?.to_owned();
    let stages = ordered(session.stages().await?);
    let api: Api<Promotion> = session.of_project().await?;
    let promotions = all(&api, ListParams::default(), "list Promotions").await?;
    let stages: Vec<Standing> = with_promotions(&stages, &promotions)
        .map(|(stage, promotions)| standing(stage, &promotions))
        .collect();
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide => {
            if stages.is_empty() {
                if let Some(failure) = session.no_project().await {
                    return Err(failure);
                }
                console.say(clean(&format!("There is no Stage in Project {project}.")));
                return Ok(Exit::Done);
            }
            let header = ["STAGE", "VERSION", "GEN", "SINCE", "HEALTH", "NOW"];
            let mut table = Table::new(console.out, header);
            for stage in stages {
                let now = Cell::styled(
                    stage.words(),
                    stage.now.as_ref().map(|n| Mark::from(n.state).style()).unwrap_or_default(),
                );
                table.row([
                    stage.stage.into(),
                    stage.version.into(),
                    stage.generation.map(|g| g.to_string()).unwrap_or_default().into(),
                    stage.since.map(|at| age(at, session.now())).unwrap_or_default().into(),
                    Cell::word(&stage.health),
                    now,
                ]);
            }
            for line in table.lines() {
                console.line(line)?;
            }
        }
        Format::Name => {
            for stage in stages {
                console.line(clean(&format!("stage.kargo.akuity.io/{}", stage.stage)))?;
            }
        }
        Format::Jsonl => documents(console, Format::Jsonl, &stages)?,
        format => documents(console, format, &[Stages { project, stages }])?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Stages {
    project: String,
    stages: Vec<Standing>,
}

async fn of_stage(session: &Session, name: &str) -> Result<Exit, Failure> {
    let detail = Detail::found(session, name).await?;
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide => {
            for line in detail.lines(session) {
                console.line(line)?;
            }
        }
        Format::Name => {
            for deployed in &detail.applications {
                console
                    .line(clean(&format!("application.argoproj.io/{}", deployed.application)))?;
            }
        }
        format => documents(console, format, &[detail])?,
    }
    Ok(Exit::Done)
}

/// How far an Application is on its way to what its Stage holds.
pub(crate) fn progress(
    app: &Application,
    on: &StageName,
    status: &StageStatus,
    now: Timestamp,
) -> Check {
    let running = status.current_promotion.as_ref();
    let actor = status.assignment.as_ref().map_or("", |a| &a.actor);
    let promotion = running.map(|p| converge::Promotion { name: &p.name, actor });
    converge::progress(&Situation { app, stage: on, status, promotion, now }).check
}

/// A Stage with its Applications.
#[derive(Serialize)]
pub(crate) struct Detail {
    project: String,
    #[serde(flatten)]
    standing: Standing,
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    applications: Vec<Deployed>,
}

#[derive(Serialize)]
struct Deployed {
    application: String,
    check: Check,
}

impl Detail {
    pub(crate) async fn found(session: &Session, name: &str) -> Result<Self, Failure> {
        let stage = session.stage(name).await?;
        let promotions = session.promotions(&stage).await?;
        let on = StageName { project: session.project().await?.into(), stage: name.into() };
        let status = stage.status.clone().unwrap_or_default();
        let mut applications = vec![];
        for (namespace, name) in session.applications_of(&on).await? {
            let api: Api<Application> =
                Api::namespaced(session.client().await?.clone(), &namespace);
            let attempt = format!("read Application {namespace}/{name}");
            // One that went between the list and now belongs to no Stage.
            let Some(app) = api.get_opt(&name).await.map_err(|e| Failure::api(attempt, &e))? else {
                continue;
            };
            let check = progress(&app, &on, &status, session.now());
            applications.push(Deployed { application: format!("{namespace}/{name}"), check });
        }
        let assignment = status.assignment;
        Ok(Self {
            project: on.project,
            standing: standing(&stage, &promotions.iter().collect::<Vec<_>>()),
            actor: assignment.as_ref().map_or("", |a| person(&a.actor)).into(),
            reason: assignment.map(|a| a.reason).unwrap_or_default(),
            applications,
        })
    }

    pub(crate) fn lines(&self, session: &Session) -> Vec<String> {
        let look = session.console.out;
        let Standing { stage, version, generation, since, health, .. } = &self.standing;
        let mut lines = vec![];
        let mut head = format!("{}/{stage}  ", self.project);
        match (generation, since) {
            (Some(generation), Some(since)) => {
                let age = age(*since, session.now());
                head.push_str(&format!("{version}  generation {generation}, since {age}"));
                if !self.actor.is_empty() {
                    head.push_str(&format!(" by {}", self.actor));
                }
                if !self.reason.is_empty() {
                    head.push_str(&format!(": {}", self.reason));
                }
            }
            _ => head.push_str("holds nothing yet"),
        }
        lines.push(clean(&head).into_owned());
        if !health.is_empty() {
            let mark = Mark::of_word(health).unwrap_or(Mark::Waiting);
            lines.push(format!("{} {}", mark.painted(look), clean(health)));
        }
        if let Some(now) = &self.standing.now {
            let mark = Mark::from(now.state).painted(look);
            lines.push(format!("{mark} {}", clean(&self.standing.words())));
        }
        if self.applications.is_empty() {
            lines.push(format!("{} no Application names the Stage", Mark::Warning.painted(look)));
        }
        for Deployed { application, check } in &self.applications {
            let code = match check.state {
                State::Passed => String::new(),
                _ => format!(" [{}]", check.code),
            };
            let text = format!("{application}  {}{code}", check.text);
            lines.push(format!("{} {}", Mark::from(check.state).painted(look), clean(&text)));
            if !check.fix.is_empty() {
                lines.push(format!("    {}", clean(&check.fix)));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stage(status: &Value) -> Stage {
        serde_json::from_value(json!({
            "metadata": { "name": "prod", "namespace": "shop" },
            "spec": { "requestedFreight": [] },
            "status": status,
        }))
        .unwrap()
    }

    fn promotion(name: &str, phase: &str, message: &str) -> Promotion {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "shop" },
            "spec": { "stage": "prod", "freight": "f", "steps": [] },
            "status": { "phase": phase, "message": message },
        }))
        .unwrap()
    }

    #[test]
    fn what_goes_on_comes_before_what_went_wrong() {
        let failed = json!({ "name": "prod.0", "status": { "phase": "Failed", "message": "no" } });
        let sick = json!({ "status": "Unhealthy", "issues": ["web: crash loop"] });
        let running = [
            promotion("prod.3", "", ""),
            promotion("prod.2", "Running", "1 of 2 Applications done"),
            promotion("prod.1", "Succeeded", ""),
        ];
        for (status, promotions, state, words) in [
            (json!({}), &running[2..], None, ""),
            (json!({ "health": sick }), &[][..], Some(State::Failed), "web: crash loop"),
            (
                json!({ "lastPromotion": failed, "health": sick }),
                &[][..],
                Some(State::Failed),
                "promotion prod.0 Failed: no",
            ),
            (
                json!({ "lastPromotion": failed }),
                &running[..],
                Some(State::Waiting),
                "promotion prod.2: 1 of 2 Applications done (+1 queued)",
            ),
            (json!({}), &running[..1], Some(State::Waiting), "promotion prod.3"),
        ] {
            let standing = standing(&stage(&status), &promotions.iter().collect::<Vec<_>>());
            assert_eq!(standing.now.as_ref().map(|n| n.state), state, "{standing:?}");
            assert_eq!(standing.words(), words);
        }
    }

    #[test]
    fn a_project_is_the_sum_of_its_stages() {
        let stages = [
            standing(&stage(&json!({ "health": { "status": "Healthy" } })), &[]),
            standing(
                &stage(&json!({ "health": { "status": "Unhealthy", "issues": ["bad"] } })),
                &[],
            ),
            standing(&stage(&json!({})), &[&promotion("prod.1", "Running", "")]),
        ];
        let overview = Overview::of("shop".into(), &stages);
        assert_eq!(
            json!(overview),
            json!({ "project": "shop", "stages": 3, "healthy": 1, "promoting": 1, "needs": [{ "stage": "prod", "text": "bad" }] })
        );
    }
}
