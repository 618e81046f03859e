//! An object, and why it is as it is.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, FreightCollection, Promotion, PromotionStatus};
use wharfinger_core::check::{Check, Code, State};
use wharfinger_core::claim::{StageName, ours, the_stage};
use wharfinger_core::substitute::{Images, repository_of};
use wharfinger_core::url::normalise_image;
use wharfinger_core::usage::{Scope, Subscribed, judge};

use super::denial::codes;
use super::{Explained, unique};
use crate::argocd::App;
use crate::exit::{Exit, Failure};
use crate::held::holding;
use crate::output::{Format, Mark, clean, documents};
use crate::session::Session;
use crate::verb::{Detail, progress};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Object {
    Stage(String),
    /// `<name>` or `<namespace>/<name>`.
    Application(String),
    Promotion(String),
}

impl Object {
    /// `<kind>/<name>`, as `kubectl` and `-o name` write it.
    pub(super) fn named(text: &str) -> Option<Self> {
        let (kind, name) = text.trim().split_once('/')?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        match kind.split('.').next()? {
            "stage" | "stages" => Some(Self::Stage(name.into())),
            "promotion" | "promotions" => Some(Self::Promotion(name.into())),
            "app" | "application" | "applications" => Some(Self::Application(name.into())),
            _ => None,
        }
    }

    pub(super) async fn show(&self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Stage(name) => {
                let detail = Detail::found(session, name).await?;
                let lines = detail.lines(session);
                let codes = unique(lines.iter().flat_map(|line| codes(line)));
                print(session, &detail, lines, &codes)
            }
            Self::Application(name) => {
                let app = session.app(name).await?;
                let standing = Standing::found(session, &app).await?;
                let checks = standing.check.iter().chain(&standing.images);
                let codes = checks.filter(|c| c.state != State::Passed);
                let codes = unique(codes.map(|c| c.code));
                print(session, &standing, standing.lines(session), &codes)
            }
            Self::Promotion(name) => {
                let promotion: Promotion = session.named("Promotion", name).await?;
                let Promotion { spec, status, .. } = promotion;
                let PromotionStatus { phase, message, .. } = status.unwrap_or_default();
                let line = match &*phase {
                    "" => format!("{name} to Stage {} waits for its turn", spec.stage),
                    phase => format!("{name} to Stage {} is {phase}: {message}", spec.stage),
                };
                let codes = codes(&message);
                let ended = Ended { promotion: name, stage: &spec.stage, phase, message };
                print(session, &ended, vec![clean(&line).into_owned()], &codes)
            }
        }
    }
}

/// How far a Promotion is, or how it ended.
#[derive(Debug, Serialize)]
struct Ended<'p> {
    promotion: &'p str,
    stage: &'p str,
    phase: String,
    message: String,
}

/// How an Application stands to its Stage.
#[derive(Debug, Serialize)]
struct Standing {
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
    /// Images that run, and that no Freight is of though they are subscribed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Check>,
}

impl Standing {
    async fn found(session: &Session, app: &App) -> Result<Self, Failure> {
        let annotation = app.app.annotation(AUTHORIZED_STAGE);
        let renders = ours(app.sources()).next().is_some();
        let said = |stage: Option<&StageName>, text: String, check| Self {
            application: app.full_name(),
            stage: stage.map(ToString::to_string),
            text,
            check,
            images: vec![],
        };
        let on = match (renders, annotation) {
            (false, None) => {
                let text = "names no Stage: what it deploys is Argo CD's business alone";
                return Ok(said(None, text.into(), None));
            }
            (false, Some(stages)) => {
                let text = format!(
                    "names {stages}, and no source of it names the plugin {PLUGIN}: only who may change the annotation is looked after"
                );
                return Ok(said(None, text, None));
            }
            (true, annotation) => match the_stage(annotation) {
                Ok(stage) => stage,
                Err(check) => return Ok(said(None, "can't be rendered".into(), Some(check))),
            },
        };
        let stage = session.stage_named(&on).await?;
        let status = stage.status.clone().unwrap_or_default();
        let held = match &status.assignment {
            Some(assignment) => format!(
                "which holds {}, generation {}",
                crate::freight::versions(&holding(&stage, None)),
                assignment.generation
            ),
            None => "which holds nothing yet".into(),
        };
        let check = progress(&app.app, &on, &status, session.now());
        let images =
            unmanaged(app, &holding(&stage, None), &session.subscribed(&on, &stage).await?);
        let said = said(Some(&on), format!("belongs to Stage {on}, {held}"), Some(check));
        Ok(Self { images, ..said })
    }

    fn lines(&self, session: &Session) -> Vec<String> {
        let Self { application, text, check, images, .. } = self;
        let mut lines = vec![clean(&format!("{application} {text}")).into_owned()];
        for check in check.iter().chain(images) {
            let mark = Mark::from(check.state).painted(session.console.out);
            let text = format!("{}  {}", check.code, check.text);
            lines.push(format!("{mark} {}", clean(&text)));
            if !check.fix.is_empty() {
                lines.push(format!("    {}", clean(&check.fix)));
            }
        }
        lines
    }
}

/// Of the images that run, as Argo CD saw them. Which of the Freight's are used can't be told from what happens to run.
fn unmanaged(app: &App, collection: &FreightCollection, subscribed: &Subscribed) -> Vec<Check> {
    let run = app.raw["status"]["summary"]["images"].as_array().into_iter().flatten();
    let run = run.filter_map(Value::as_str).map(|image| normalise_image(&repository_of(image)));
    let run: BTreeSet<String> = run.collect();
    let used = run.iter().map(String::as_str).collect();
    let checks = judge(&Images::of(collection), &used, subscribed, Scope::Part).into_iter();
    checks.filter(|check| check.code == Code::ImageUnmanaged).collect()
}

fn print(
    session: &Session,
    found: &impl Serialize,
    lines: Vec<String>,
    codes: &[Code],
) -> Result<Exit, Failure> {
    let explained: Vec<_> = codes.iter().map(|code| Explained::of(*code)).collect();
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide => {
            for line in lines.into_iter().chain(explained.iter().flat_map(Explained::lines)) {
                console.line(line)?;
            }
        }
        Format::Name => {
            for code in codes {
                console.line(code.to_string())?;
            }
        }
        format => documents(console, format, &[Document { found, explained }])?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Document<'d, T> {
    #[serde(flatten)]
    found: &'d T,
    explained: Vec<Explained>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_kubectl_does() {
        let stage = |name: &str| Some(Object::Stage(name.into()));
        let app = |name: &str| Some(Object::Application(name.into()));
        for (text, object) in [
            ("stage/prod", stage("prod")),
            ("stages.kargo.akuity.io/prod\n", stage("prod")),
            ("application/web", app("web")),
            ("app/argocd/web", app("argocd/web")),
            ("application.argoproj.io/argocd/web", app("argocd/web")),
            ("promotion/prod.1", Some(Object::Promotion("prod.1".into()))),
            ("freight/x", None),
            ("stage/", None),
            ("stage/prod was denied [soak]", None),
            ("prod", None),
        ] {
            assert_eq!(Object::named(text), object, "{text}");
        }
    }
}
