//! `wharf adopt`: an Application joins a Stage, and nothing that it deploys changes.

use clap::Args;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use serde_json::Value;
use tokio::time::timeout;
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::{
    AUTHORIZED_STAGE, Freight, FreightCollection, Promotion, PromotionSpec, Stage,
};
use wharfinger_core::claim::StageName;
use wharfinger_core::freight::{push, reference, running};
use wharfinger_core::promotion::over;
use wharfinger_core::substitute::{images, repository_of};
use wharfinger_render::{adopt, explicit};

use crate::argocd::App;
use crate::compare::compare;
use crate::exit::{Exit, Failure};
use crate::freight::{called, name, versions};
use crate::held::{holding, named};
use crate::membership::{Answer, Move, Resolve, differences, for_its_writer, passed, planned};
use crate::rendering::{Place, Rendering, Wanted, objects};
use crate::session::Session;

/// Let an Application join a Stage, without changing anything that it deploys
///
/// Its native source becomes one of the plugin's with the same options, and if the Stage holds nothing yet, it is given
/// the Freight that runs already. Both are shown first, rendered and compared.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The Application: its name, or NAMESPACE/NAME
    #[arg(value_name = "APPLICATION")]
    app: String,

    /// The Stage, as STAGE with --project, or PROJECT:STAGE
    #[arg(long, value_name = "STAGE")]
    stage: String,

    /// The Freight that runs already. Without it, it is looked for
    #[arg(long, value_name = "FREIGHT")]
    freight: Option<String>,

    #[command(flatten)]
    resolve: Resolve,

    #[command(flatten)]
    place: Place,
}

impl Adopt {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { app, stage, freight, resolve, place } = self;
        let stage_name = named(session, &stage).await?;
        let app = session.app(&app).await?;
        let sources = converted(&app, &stage_name)?;
        let stage = session.stage_named(&stage_name).await?;

        let rendering = Rendering::new(session, place, false).await;
        let native = same(session, &rendering, &app, &sources).await?;
        let Some(native) = native else { return Ok(Exit::Failed) };

        let held = holding(&stage, None);
        let first = match (held.items.is_empty(), &freight) {
            (true, Some(wanted)) => vec![session.freight_for(&stage_name, wanted, &stage).await?],
            (true, None) => found(session, &stage_name, &stage, &native).await?,
            (false, None) => vec![],
            (false, Some(_)) => {
                return Err(Failure::usage(format!(
                    "Stage {stage_name} holds {} already",
                    versions(&held)
                ))
                .next("Leave --freight out; promote afterwards"));
            }
        };
        let mut collection = held;
        push(&mut collection, first.iter().map(reference));

        let mut adopted = app.clone();
        set_sources(&mut adopted, &sources);
        let rendered = rendering.app(&adopted, &collection, None).await?;
        let changes = compare(&native, &objects(&rendered.documents));
        let with = versions(&collection);
        if changes.is_empty() {
            passed(
                session,
                &format!("with {with} it renders what it renders now, {} objects", native.len()),
            )?;
        } else {
            differences(session, &format!("with {with} it renders something else:"), &changes)?;
            if !resolve.accept_diff {
                return Err(Failure::new(format!(
                    "{} would be changed, not only adopted",
                    app.name()
                ))
                .next("Name Freight that holds what runs: --freight FREIGHT")
                .next("Or let it change: --accept-diff"));
            }
        }

        let wanted = Move { app, sources, stage: Some(stage_name.to_string()) };
        if let Some(writer) = wanted.app.writer() {
            return for_its_writer(session, &wanted, &writer);
        }
        write(session, &wanted, &stage_name, &first, &resolve).await
    }
}

/// The sources as the plugin's, or everything that stands in the way.
fn converted(app: &App, stage: &StageName) -> Result<Vec<Source>, Failure> {
    let refuse = |what: &str| {
        Failure::new(format!("{} can't be adopted{what}", app.name())).exit(Exit::Blocked)
    };
    match app.app.annotation(AUTHORIZED_STAGE) {
        Some(other) if other != stage.to_string() => {
            return Err(refuse(&format!(": it belongs to {other}"))
                .next(format!("Let it go first: wharf release {}", app.full_name())));
        }
        _ => {}
    }
    if app.app.spec.source_hydrator.is_some() {
        return Err(
            refuse(": spec.sourceHydrator takes the place of its sources").next("Remove it")
        );
    }
    if app.sources().is_empty() {
        return Err(refuse(": it has no source"));
    }
    let (mut sources, mut failure) = (Vec::new(), None);
    for (index, source) in app.sources().iter().enumerate() {
        let at = if app.app.spec.sources.is_empty() {
            "spec.source".to_owned()
        } else {
            format!("spec.sources[{index}]")
        };
        match adopt::adopt(source) {
            Ok(source) => sources.push(source),
            Err(e) => {
                let so_far: Failure = failure.take().unwrap_or_else(|| refuse(""));
                failure = Some(so_far.next(format!("{at}.{e}")));
            }
        }
    }
    failure.map_or(Ok(sources), Err)
}

/// Renders the Application natively and as ours without Freight; the native objects, if both are the same.
async fn same(
    session: &Session,
    rendering: &Rendering<'_>,
    app: &App,
    sources: &[Source],
) -> Result<Option<Vec<Value>>, Failure> {
    let (mut native, mut ours) = (Vec::new(), Vec::new());
    for (index, (before, after)) in app.sources().iter().zip(sources).enumerate() {
        let wanted = Wanted::Here(app.revision(index).to_owned());
        let mut prepared = rendering.prepare(app, before, &wanted).await?;
        if let Some(kind) = explicit(before).filter(|kind| *kind != prepared.kind) {
            return Err(Failure::new(format!(
                "{} can't be adopted: its source has options for {}, but the folder is {}, and the plugin goes by that",
                app.name(), kind.name(), prepared.kind.name()
            ))
            .exit(Exit::Blocked)
            .next("Point spec.source.path at a folder of that kind, or remove what makes it another"));
        }
        native.extend(rendering.native(app, &prepared).await?);
        prepared.source = after.clone();
        let nothing = FreightCollection::default();
        ours.extend(objects(&rendering.ours(app, &prepared, &nothing).await?));
    }
    let changes = compare(&native, &ours);
    if changes.is_empty() {
        passed(
            session,
            &format!("the plugin renders it as Argo CD does, {} objects", native.len()),
        )?;
        return Ok(Some(native));
    }
    differences(
        session,
        "the plugin renders it differently from Argo CD; it is not adopted:",
        &changes,
    )?;
    Ok(None)
}

/// The Freight that runs already, one piece for each origin that has some.
async fn found(
    session: &Session,
    stage_name: &StageName,
    stage: &Stage,
    native: &[Value],
) -> Result<Vec<Freight>, Failure> {
    let run: Vec<String> =
        native.iter().flat_map(images).filter_map(Value::as_str).map(str::to_owned).collect();
    let all = session.freights_of(stage_name).await?;
    let found: Vec<Freight> =
        running(&stage.spec.requested_freight, &all, &run).into_iter().cloned().collect();
    if found.is_empty() {
        let origins: Vec<_> =
            stage.spec.requested_freight.iter().map(|r| r.origin.name.as_str()).collect();
        let failure = Failure::new(format!(
            "Stage {stage_name} holds nothing yet, and no Freight of {} holds what runs: {}",
            origins.join(", "),
            run.join(", ")
        ))
        .exit(Exit::Blocked);
        return Err(failure
            .next("Create it, with these images, and adopt again: docs/promote.md")
            .next("Or name Freight whose difference you accept: --freight FREIGHT --accept-diff"));
    }
    let unheld = run.iter().filter(|image| {
        let repository = wharfinger_core::url::normalise_image(&repository_of(image));
        let held = |f: &Freight| {
            f.images
                .iter()
                .any(|i| wharfinger_core::url::normalise_image(&i.repo_url) == repository)
        };
        !found.iter().any(held)
    });
    for image in unheld {
        session.console.say(crate::output::clean(&format!(
            "{image} is in no Freight: it stays as Git has it"
        )));
    }
    Ok(found)
}

async fn write(
    session: &Session,
    wanted: &Move,
    stage: &StageName,
    first: &[Freight],
    resolve: &Resolve,
) -> Result<Exit, Failure> {
    // Every write first on trial, so that a refusal leaves nothing half done.
    wanted.attempt(session).await?;
    for freight in first {
        promote(session, stage, freight, true).await?;
    }
    let app = wanted.app.full_name();
    planned(
        session,
        &format!(
            "{app} gets the annotation {AUTHORIZED_STAGE}: {stage}, and the plugin as its source"
        ),
    )?;
    for freight in first {
        planned(session, &format!("{} is promoted to {stage}: it is what runs", called(freight)))?;
    }
    if resolve.ask(session).await? == Answer::Leave {
        return Ok(Exit::Done);
    }
    wanted.write(session).await?;
    passed(session, &format!("{app} belongs to {stage}"))?;
    for freight in first {
        let promotion = promote(session, stage, freight, false).await.map_err(|failure| {
            failure
                .next(format!(
                    "{app} waits for Freight: wharf promote -p {} {} --to {}",
                    stage.project,
                    name(freight),
                    stage.stage
                ))
                .next(format!("Or go back: wharf release {app}"))
        })?;
        ended(session, stage, &promotion, resolve).await?;
        passed(session, &format!("{} is promoted to {stage}", called(freight)))?;
    }
    wanted.settled(session, resolve.timeout).await?;
    passed(session, &format!("{app} is compared with what the Stage holds"))?;
    Ok(Exit::Done)
}

async fn promote(
    session: &Session,
    stage: &StageName,
    freight: &Freight,
    dry_run: bool,
) -> Result<String, Failure> {
    let api: Api<Promotion> = Api::namespaced(session.client().await?.clone(), &stage.project);
    let spec = PromotionSpec {
        stage: stage.stage.clone(),
        freight: Some(name(freight).to_owned()),
        ..PromotionSpec::default()
    };
    let mut promotion = Promotion::new("", spec);
    promotion.metadata.name = None;
    promotion.metadata.generate_name = Some("promo-".into());
    let params = PostParams { dry_run, ..PostParams::default() };
    let made = api.create(&params, &promotion).await;
    let attempt = format!("promote {} to {stage}", called(freight));
    let made = made.map_err(|e| Failure::api(attempt, &e))?;
    Ok(made.metadata.name.unwrap_or_default())
}

async fn ended(
    session: &Session,
    stage: &StageName,
    promotion: &str,
    resolve: &Resolve,
) -> Result<(), Failure> {
    let api: Api<Promotion> = Api::namespaced(session.client().await?.clone(), &stage.project);
    let over = |promotion: Option<&Promotion>| promotion.is_none_or(over);
    let waited = timeout(resolve.timeout, await_condition(api, promotion, over)).await;
    let look = format!("Follow it: kubectl -n {} get promotion {promotion} -o yaml", stage.project);
    let ended = waited.map_err(|_| {
        Failure::new(format!("the Promotion {promotion} goes on")).exit(Exit::TimedOut).next(&look)
    })?;
    let ended = ended.map_err(|e| Failure::new("can't watch the Promotion").because(&e))?;
    let status = ended.and_then(|promotion| promotion.status).unwrap_or_default();
    if status.phase == "Succeeded" {
        return Ok(());
    }
    let text = format!("the Promotion {promotion} ended {}: {}", status.phase, status.message);
    Err(Failure::new(text).exit(Exit::Unsuccessful).next(look))
}

fn set_sources(app: &mut App, sources: &[Source]) {
    if app.app.spec.sources.is_empty() {
        app.app.spec.source = sources.first().cloned();
    } else {
        app.app.spec.sources = sources.to_vec();
    }
}
