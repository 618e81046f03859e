//! Whether Freight may go to a Stage, and what it lacks.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use serde::Serialize;
use wharfinger_api::v1alpha1::{Freight, GROUP, Stage};
use wharfinger_core::admission::Verb;
use wharfinger_core::availability::{
    Upstream, applications, availability, permission, queue, upstream_of,
};
use wharfinger_core::check::{Check, Code, State};
use wharfinger_core::claim::StageName;
use wharfinger_core::stage::is_control_flow;

use crate::exit::{Exit, Failure};
use crate::freight::{alias, called, name, version};
use crate::output::{Format, Look, Mark, age, clean, documents, moment, span};
use crate::session::Session;

pub(super) async fn show(session: &Session, freight: &str, to: String) -> Result<Exit, Failure> {
    let stage = session.stage(&to).await?;
    let freight = session.freight(freight, Some(&stage)).await?;
    let on = StageName { project: session.project().await?.into(), stage: to };
    let reasons = Reasons::found(session, &on, &stage, &freight).await?;
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide => {
            for line in reasons.lines(session, console.out) {
                console.line(line)?;
            }
        }
        Format::Name => {
            for check in reasons.checks.iter().filter(|c| c.state != State::Passed) {
                console.line(check.code.to_string())?;
            }
        }
        format => documents(console, format, &[&reasons])?,
    }
    Ok(reasons.exit())
}

/// What speaks for and against a promotion.
#[derive(Debug, Serialize)]
struct Reasons {
    project: String,
    stage: String,
    freight: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    alias: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    available: bool,
    permitted: bool,
    /// Nobody promotes to the Stage: it has no steps.
    #[serde(skip)]
    passes_on: bool,
    checks: Vec<Check>,
    #[serde(skip)]
    called: String,
}

impl Reasons {
    async fn found(
        session: &Session,
        on: &StageName,
        stage: &Stage,
        freight: &Freight,
    ) -> Result<Self, Failure> {
        let mut upstream = vec![];
        for name in upstream_of(stage, freight) {
            let api: Api<Stage> = session.of_project().await?;
            let found = api.get_opt(name).await;
            upstream
                .push((name, found.map_err(|e| Failure::api(format!("read Stage {name}"), &e))?));
        }
        let upstream: Upstream<'_> = upstream.iter().map(|(n, s)| (*n, s.as_ref())).collect();
        let mut checks = availability(stage, freight, &upstream, session.now());
        let available = checks.iter().all(|c| c.state == State::Passed);

        let (passes_on, mut permitted) = (is_control_flow(stage), true);
        if !passes_on {
            checks.push(waiting(session, stage).await?);
            let permissions = permissions(session, on).await?;
            permitted = permissions.iter().all(|c| c.state == State::Passed);
            checks.extend(permissions);
            checks.extend(brought_along(session, on, stage).await?);
        }
        Ok(Self {
            project: on.project.clone(),
            stage: on.stage.clone(),
            freight: name(freight).into(),
            alias: alias(freight).into(),
            version: version(freight),
            available,
            permitted,
            passes_on,
            checks,
            called: called(freight),
        })
    }

    fn exit(&self) -> Exit {
        match (self.available, self.permitted) {
            (false, _) => Exit::Blocked,
            (true, false) => Exit::NotAllowed,
            (true, true) => Exit::Done,
        }
    }

    fn lines(&self, session: &Session, look: Look) -> Vec<String> {
        let Self { project, stage, called, .. } = self;
        let (mark, verdict) = match (self.available, self.permitted) {
            (false, _) => (Mark::Failed, "is not available to"),
            (true, false) => (Mark::Failed, "is available, but you may not promote it to"),
            (true, true) => (Mark::Passed, "is available to"),
        };
        let head = format!("{called} {verdict} {project}/{stage}");
        let mut lines = vec![format!("{} {}", mark.painted(look), clean(&head))];
        let width = self.checks.iter().map(|c| c.code.to_string().len()).max().unwrap_or_default();
        for check in &self.checks {
            let mark = Mark::from(check.state).painted(look);
            let text = format!("{:width$}  {}{}", check.code, check.text, times(session, check));
            lines.push(format!("  {mark} {}", clean(&text)));
            if !check.fix.is_empty() {
                lines.push(format!("    {:width$}  {}", "", clean(&check.fix)));
            }
        }
        if self.passes_on {
            let text =
                format!("Stage {stage} has no steps: what is available to it passes on by itself");
            lines.push(clean(&text).into());
        } else if self.available && self.permitted {
            let next = format!("next: wharf promote {} --to {stage} --wait", self.freight);
            lines.push(clean(&session.proposed(&next)).into());
        }
        lines
    }
}

/// Since when a check is so, and how long still.
fn times(session: &Session, check: &Check) -> String {
    let since = check.since.map(|at| format!(" ({} ago)", age(at, session.now())));
    let until = check.until.map(|at| {
        format!(", until {} (in {})", moment(at), span(at.duration_since(session.now())))
    });
    format!("{}{}", since.unwrap_or_default(), until.unwrap_or_default())
}

/// The Promotions that would come first.
async fn waiting(session: &Session, stage: &Stage) -> Result<Check, Failure> {
    let mut promotions = session.promotions(stage).await?;
    promotions.reverse();
    Ok(queue(&promotions))
}

/// The Applications that would come along; nothing for whoever may not look at them.
async fn brought_along(
    session: &Session,
    on: &StageName,
    stage: &Stage,
) -> Result<Option<Check>, Failure> {
    match session.applications_of(on).await {
        Ok(names) => {
            let names: Vec<_> = names.iter().map(|(at, name)| format!("{at}/{name}")).collect();
            Ok(Some(applications(stage, &names)))
        }
        Err(failure) if failure.exit == Exit::NotAllowed => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What whoever asks lacks to promote to the Stage: its verb, and to create Promotions at all.
async fn permissions(session: &Session, on: &StageName) -> Result<Vec<Check>, Failure> {
    let user = whoami(session).await?;
    let promote = may(session, on, Verb::Promote.as_str(), "stages", Some(&on.stage)).await?;
    let mut checks = vec![permission(on, &user, promote)];
    if !may(session, on, "create", "promotions", None).await? {
        let text = format!("{user} may not create Promotions in Project {}", on.project);
        checks.push(
            Check::failed(Code::Permission, text)
                .fix(format!("Grant it create on promotions of the group {GROUP}")),
        );
    }
    Ok(checks)
}

async fn whoami(session: &Session) -> Result<String, Failure> {
    let api: Api<SelfSubjectReview> = Api::all(session.client().await?.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let review = review.map_err(|e| Failure::api("ask the cluster who you are", &e))?;
    let user = review.status.and_then(|s| s.user_info).and_then(|u| u.username);
    Ok(user.unwrap_or_else(|| "you".into()))
}

async fn may(
    session: &Session,
    on: &StageName,
    verb: &str,
    resource: &str,
    name: Option<&str>,
) -> Result<bool, Failure> {
    let api: Api<SelfSubjectAccessReview> = Api::all(session.client().await?.clone());
    let attributes = ResourceAttributes {
        group: Some(GROUP.into()),
        resource: Some(resource.into()),
        namespace: Some(on.project.clone()),
        name: name.map(Into::into),
        verb: Some(verb.into()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let review = api.create(&PostParams::default(), &review).await;
    let review = review.map_err(|e| Failure::api("ask the cluster what you may do", &e))?;
    Ok(review.status.is_some_and(|s| s.allowed))
}
