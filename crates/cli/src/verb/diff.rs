//! `wharf diff`: what would change, object by object.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use wharfinger_api::v1alpha1::{Freight, FreightCollection, Stage};
use wharfinger_core::claim::StageName;
use wharfinger_core::freight::push;
use wharfinger_core::usage::{Scope, judge, nowhere};
use wharfinger_render::Images;

use crate::compare::{Change, What, compare};
use crate::exit::{Exit, Failure};
use crate::freight::versions;
use crate::held::{holding, named};
use crate::output::{Format, Look, clean, documents};
use crate::rendering::{Place, Rendering, objects};
use crate::session::Session;

/// Show what would change: Freight against what a Stage holds, against other Freight, or Stage against Stage
///
/// Exit 0: nothing. 1: something. 2 and above: it can't be told.
#[derive(Debug, Args)]
pub struct Diff {
    /// The Freight: its name, alias or version. Of two, the first is what there is
    #[arg(value_name = "FREIGHT", num_args = 0..=2, required_unless_present = "from")]
    freight: Vec<String>,

    /// The Stage it would go to
    #[arg(long, value_name = "STAGE")]
    to: Option<String>,

    /// The Stage it would come from, with all it holds
    #[arg(long, value_name = "STAGE", conflicts_with = "freight", requires = "to")]
    from: Option<String>,

    /// Only this Application, as NAME or NAMESPACE/NAME. May be given again
    #[arg(long, value_name = "NAME")]
    app: Vec<String>,

    /// Names of objects alone, without what is in them
    #[arg(long)]
    summary: bool,

    #[command(flatten)]
    place: Place,
}

/// What an Application's render is compared with.
struct Question {
    app: String,
    before: FreightCollection,
    after: FreightCollection,
}

#[derive(Debug, Serialize)]
struct Answer {
    from: String,
    to: String,
    added: usize,
    changed: usize,
    pruned: usize,
    applications: Vec<Application>,
}

#[derive(Debug, Serialize)]
struct Application {
    /// `<namespace>/<name>`.
    name: String,
    changes: Vec<Change>,
}

impl Diff {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        // 1 says that something would change.
        self.answer(session).await.map_err(|failure| match failure.exit {
            Exit::Failed => failure.exit(Exit::Usage),
            _ => failure,
        })
    }

    async fn answer(self, session: &Session) -> Result<Exit, Failure> {
        let (summary, place) = (self.summary, self.place.clone());
        // All of one Stage is seen: what of the Freight is used by none can be told.
        let whole = self.to.clone().filter(|_| self.app.is_empty());
        let questions = self.questions(session).await?;
        let (Some(first), true) =
            (questions.first(), questions.iter().any(|q| q.before != q.after))
        else {
            session.console.say("the same Freight on both sides");
            return Ok(Exit::Done);
        };
        let (from, to) = (versions(&first.before), versions(&first.after));
        let rendering = Rendering::new(session, place, false).await;
        let (mut applications, mut used, mut unused_paths) =
            (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for Question { app, before, after } in &questions {
            let app = session.app(app).await?;
            // A Stage that holds nothing deploys nothing yet.
            let before = match before.items.is_empty() {
                true => Vec::new(),
                false => rendering.app(&app, before, None).await?.documents,
            };
            let after = rendering.app(&app, after, None).await?;
            let mut changes = compare(&objects(&before), &objects(&after.documents));
            used.extend(after.repositories);
            unused_paths.extend(after.unused_paths);
            if summary {
                changes.iter_mut().for_each(|change| change.lines.clear());
            }
            applications.push(Application { name: app.full_name(), changes });
        }
        let count = |what| {
            let all = applications.iter().flat_map(|a| &a.changes);
            all.filter(|change| change.what == what).count()
        };
        let [added, changed, pruned] = [What::Added, What::Changed, What::Pruned].map(count);
        let answer = Answer { from, to, added, changed, pruned, applications };
        match session.global.output {
            Format::Table | Format::Wide => {
                for line in lines(&answer, session.console.out) {
                    session.console.line(line)?;
                }
            }
            format => documents(&session.console, format, std::slice::from_ref(&answer))?,
        }
        session.console.warn(&nowhere(unused_paths.iter().map(String::as_str)));
        if let Some(stage) = whole {
            let name = named(session, &stage).await?;
            let stage = session.stage_named(&name).await?;
            let used = used.iter().map(String::as_str).collect();
            let subscribed = session.subscribed(&name, &stage).await?;
            session.console.warn(&judge(
                &Images::of(&first.after),
                &used,
                &subscribed,
                Scope::Stage,
            ));
        }
        Ok(if added + changed + pruned == 0 { Exit::Done } else { Exit::Failed })
    }

    async fn questions(self, session: &Session) -> Result<Vec<Question>, Failure> {
        let Self { freight, to, from, app, .. } = self;
        let to = match &to {
            Some(to) => Some(named(session, to).await?),
            None => None,
        };
        let stages = match &to {
            Some(to) => vec![(to.clone(), session.stage_named(to).await?)],
            None => all_stages(session).await?,
        };
        let from = match &from {
            Some(from) => {
                let from = named(session, from).await?;
                Some(holding(&session.stage_named(&from).await?, None))
            }
            None => None,
        };
        let wanted = match (&freight[..], &to) {
            ([_], None) => {
                return Err(Failure::usage("one piece of Freight needs a Stage to compare with")
                    .next("Name it: --to STAGE"));
            }
            _ => chosen(session, &freight, &stages).await?,
        };
        let mut questions = Vec::new();
        for (name, stage) in &stages {
            let requests =
                |f: &Freight| stage.spec.requested_freight.iter().any(|r| r.origin == f.origin);
            let (before, after) = match (&from, &wanted[..]) {
                (Some(from), _) => (holding(stage, None), from_stage(stage, from)),
                (None, [one]) => (holding(stage, None), holding(stage, Some(one))),
                (None, [one, other]) if requests(one) && requests(other) => {
                    (holding(stage, Some(one)), holding(stage, Some(other)))
                }
                _ => continue,
            };
            let apps = session.applications_of(name).await?.into_iter();
            let apps = apps.map(|(namespace, name)| format!("{namespace}/{name}"));
            let asked = |full: &String| {
                app.is_empty() || app.iter().any(|a| a == full || full.ends_with(&format!("/{a}")))
            };
            questions.extend(apps.filter(asked).map(|app| Question {
                app,
                before: before.clone(),
                after: after.clone(),
            }));
        }
        if questions.is_empty() {
            return Err(Failure::usage("no Application is affected")
                .next("An Application belongs to a Stage by its annotation kargo.akuity.io/authorized-stage: wharf adopt"));
        }
        Ok(questions)
    }
}

async fn all_stages(session: &Session) -> Result<Vec<(StageName, Stage)>, Failure> {
    let project = session.project().await?;
    let named = |stage: Stage| {
        let name = stage.metadata.name.clone().unwrap_or_default();
        (StageName { project: project.to_owned(), stage: name }, stage)
    };
    Ok(session.stages().await?.into_iter().map(named).collect())
}

async fn chosen(
    session: &Session,
    wanted: &[String],
    stages: &[(StageName, Stage)],
) -> Result<Vec<Freight>, Failure> {
    let Some((name, stage)) = stages.first() else {
        return Err(Failure::usage("the Project has no Stages"));
    };
    let mut found = Vec::new();
    for wanted in wanted {
        found.push(session.freight_for(name, wanted, stage).await?);
    }
    Ok(found)
}

/// What a Stage would hold with all that another one holds, as far as it asks for it.
fn from_stage(stage: &Stage, from: &FreightCollection) -> FreightCollection {
    let mut collection = holding(stage, None);
    let asked = |origin| stage.spec.requested_freight.iter().any(|r| &r.origin == origin);
    push(&mut collection, from.items.values().filter(|f| asked(&f.origin)).cloned());
    collection
}

fn lines(answer: &Answer, look: Look) -> Vec<String> {
    let Answer { from, to, added, changed, pruned, applications } = answer;
    let arrow = if look.unicode { "→" } else { "->" };
    let from = if from.is_empty() { "nothing" } else { from };
    let counts = [(added, "added"), (changed, "changed"), (pruned, "pruned")];
    let counts = counts.into_iter().filter(|(n, _)| **n > 0).map(|(n, what)| format!("{n} {what}"));
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { "no change".into() } else { counts.join(", ") };
    let mut lines = vec![clean(&format!("{from} {arrow} {to}   {counts}")).into_owned()];
    for Application { name, changes } in applications.iter().filter(|a| !a.changes.is_empty()) {
        lines.push(clean(name).into_owned());
        lines.extend(changed_objects(changes, look).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// The objects that differ, and how.
pub(crate) fn changed_objects(changes: &[Change], look: Look) -> Vec<String> {
    use anstyle::AnsiColor::{Green, Red};
    let mut lines = Vec::new();
    for Change { object, what, lines: diff } in changes {
        let said = match what {
            What::Added => "   is new",
            What::Pruned => "   would be PRUNED",
            What::Changed => "",
        };
        lines.push(clean(&format!("{object}{said}")).into_owned());
        for line in diff {
            let style = match line.as_bytes().first() {
                Some(b'+') => Green.on_default(),
                Some(b'-') => Red.on_default(),
                _ => anstyle::Style::new(),
            };
            lines.push(format!("  {}", look.paint(&clean(line), style)));
        }
    }
    lines
}
