//! `wharf release`: an Application leaves its Stage, and nothing that it deploys changes.

use clap::Args;
use serde_json::{Value, json};
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, FreightCollection};
use wharfinger_core::claim::{Claimed, StageName, ours, the_stage};
use wharfinger_core::substitute::{images, repository_of};
use wharfinger_render::{Kind, adopt};

use crate::argocd::App;
use crate::compare::{Change, compare};
use crate::exit::{Exit, Failure};
use crate::membership::{Answer, Move, Resolve, differences, for_its_writer, passed, planned};
use crate::rendering::{Place, Prepared, Rendering, Wanted, objects, stands_in_the_way};
use crate::session::Session;

/// Let an Application leave its Stage, without changing anything that it deploys
///
/// The plugin's source becomes a native one with the same options. Images that run by the Stage's Freight are written into
/// kustomize.images; for a chart, name the parameter: --set image.tag=v1.2.3. Plain files have no such place.
#[derive(Debug, Args)]
pub struct Release {
    /// The Application: its name, or NAMESPACE/NAME
    #[arg(value_name = "APPLICATION")]
    app: String,

    /// A parameter of the chart, so that it renders what runs. May be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    set: Vec<(String, String)>,

    #[command(flatten)]
    resolve: Resolve,

    #[command(flatten)]
    place: Place,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

impl Release {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { app, set, resolve, place } = self;
        let app = session.app(&app).await?;
        if ours(app.sources()).next().is_none() {
            return Err(Failure::new(format!("{} has no source with the plugin {PLUGIN}", app.name()))
                .exit(Exit::Blocked)
                .next(format!("To take away its annotation alone: kubectl -n {} annotate application.argoproj.io {} {AUTHORIZED_STAGE}-", app.app.namespace(), app.name())));
        }
        let runs = runs(session, &app).await?;
        let rendering = Rendering::new(session, place, false).await;
        let Released { sources, changes, objects, kinds } =
            released(&rendering, &app, &runs, &set).await?;
        if changes.is_empty() {
            passed(session, &format!("Argo CD renders what runs, {objects} objects"))?;
        } else {
            differences(session, "Argo CD would render something else than what runs:", &changes)?;
            if !resolve.accept_diff {
                return Err(refuse(&app, &kinds));
            }
        }
        let wanted = Move { app, sources, stage: None };
        if let Some(writer) = wanted.app.writer() {
            return for_its_writer(session, &wanted, &writer);
        }
        write(session, &wanted, &resolve).await
    }
}

/// What the Application's claim stands for.
async fn runs(session: &Session, app: &App) -> Result<FreightCollection, Failure> {
    let annotation = app.app.annotation(AUTHORIZED_STAGE);
    let claimed = ours(app.sources()).find_map(|source| Claimed::of(source).ok()?.claim);
    let Some(claim) = claimed else {
        // It was never rendered by us: nothing of ours runs.
        return Ok(FreightCollection::default());
    };
    let stage: StageName =
        the_stage(annotation).map_err(|check| Failure::of(&check, Exit::Blocked))?;
    let status = session.stage_named(&stage).await?.status.unwrap_or_default();
    let found = status.freight_history.into_iter().find(|c| c.id == claim.collection);
    found.ok_or_else(|| {
        Failure::new(format!("Stage {stage} does not remember what {} claims", app.name()))
            .exit(Exit::Blocked)
            .next("Wait until Wharfinger's controller has given it the present claim")
    })
}

struct Released {
    sources: Vec<Source>,
    /// What would be different.
    changes: Vec<Change>,
    /// How many objects there are.
    objects: usize,
    /// Of the sources that differ.
    kinds: Vec<Kind>,
}

async fn released(
    rendering: &Rendering<'_>,
    app: &App,
    runs: &FreightCollection,
    set: &[(String, String)],
) -> Result<Released, Failure> {
    let mut all = Released { sources: vec![], changes: vec![], objects: 0, kinds: vec![] };
    let mut charts = 0;
    for (index, source) in app.sources().iter().enumerate() {
        if source.plugin() != Some(PLUGIN) {
            all.sources.push(source.clone());
            continue;
        }
        let wanted = Wanted::Here(app.revision(index).to_owned());
        let mut prepared = rendering.prepare(app, source, &wanted).await?;
        if prepared.source != *source {
            return Err(stands_in_the_way(&format!(
                "{} can't be released: a file .argocd-source.yaml in its folder has more parameters for the plugin",
                app.name()
            )));
        }
        let now = objects(&rendering.ours(app, &prepared, runs).await?);
        let native = adopt::release(source, prepared.kind).map_err(|e| {
            Failure::new(format!("{} can't be released: spec.source.{e}", app.name()))
                .exit(Exit::Blocked)
        })?;
        prepared.source = native;
        if prepared.kind == Kind::Helm {
            charts += 1;
            set_parameters(&mut prepared.source, set);
        }
        let changes = pinned(rendering, app, &mut prepared, &now).await?;
        if !changes.is_empty() {
            all.kinds.push(prepared.kind);
        }
        all.objects += now.len();
        all.changes.extend(changes);
        all.sources.push(prepared.source);
    }
    if charts == 0 && !set.is_empty() {
        return Err(Failure::usage("--set is for charts, and no source is one"));
    }
    Ok(all)
}

/// Compares the native render with what runs; for Kustomize the images that differ become part of the source.
async fn pinned(
    rendering: &Rendering<'_>,
    app: &App,
    prepared: &mut Prepared,
    now: &[Value],
) -> Result<Vec<Change>, Failure> {
    let native = rendering.native(app, prepared).await?;
    let changes = compare(now, &native);
    if changes.is_empty() || prepared.kind != Kind::Kustomize {
        return Ok(changes);
    }
    prepared.source = adopt::pin(&prepared.source, &pins(now, &native));
    let native = rendering.native(app, prepared).await?;
    Ok(compare(now, &native))
}

/// The images that run, where the native source has another version of them.
fn pins(now: &[Value], native: &[Value]) -> Vec<String> {
    let all = |objects: &[Value]| -> Vec<String> {
        objects.iter().flat_map(images).filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (now, native) = (all(now), all(native));
    let mut pins: Vec<String> = native
        .iter()
        .filter(|image| !now.contains(image))
        .filter_map(|image| {
            now.iter().find(|runs| repository_of(runs) == repository_of(image)).cloned()
        })
        .collect();
    pins.sort();
    pins.dedup();
    pins
}

fn set_parameters(source: &mut Source, set: &[(String, String)]) {
    if set.is_empty() {
        return;
    }
    let helm = source.0.entry("helm").or_insert_with(|| json!({}));
    let mut parameters =
        helm.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, value) in set {
        parameters.retain(|parameter| parameter["name"] != name.as_str());
        parameters.push(json!({ "name": name, "value": value }));
    }
    helm["parameters"] = parameters.into();
}

fn refuse(app: &App, kinds: &[Kind]) -> Failure {
    let name = app.name();
    let failure = Failure::new(format!("{name} would be changed, not only released"));
    let failure = kinds.iter().fold(failure, |failure, kind| match kind {
        Kind::Helm => {
            failure.next("Name the chart's parameter that holds what differs: --set image.tag=…")
        }
        Kind::Kustomize => failure.next("Write what differs into the kustomization in Git"),
        Kind::Plain => failure.next(
            "Write what differs into the files in Git: plain files have no other place for it",
        ),
    });
    failure.next("Or let it change: --accept-diff")
}

async fn write(session: &Session, wanted: &Move, resolve: &Resolve) -> Result<Exit, Failure> {
    wanted.attempt(session).await?;
    let app = wanted.app.full_name();
    planned(
        session,
        &format!("{app} loses the annotation {AUTHORIZED_STAGE} and gets a native source:"),
    )?;
    let source = crate::output::yaml(&wanted.manifest()["spec"])?;
    for line in source.lines() {
        session.console.line(format!("    {line}"))?;
    }
    if resolve.ask(session).await? == Answer::Leave {
        return Ok(Exit::Done);
    }
    wanted.write(session).await?;
    passed(session, &format!("{app} belongs to no Stage"))?;
    wanted.settled(session, resolve.timeout).await?;
    passed(session, &format!("{app} is compared with its native source"))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(images: &[&str]) -> Value {
        let containers: Vec<_> = images.iter().map(|image| json!({ "image": image })).collect();
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "template": { "spec": { "containers": containers } } } })
    }

    #[test]
    fn images_that_differ_are_pinned_to_what_runs() {
        let now = [deployment(&["ghcr.io/acme/web:2@sha256:1", "envoy:1"])];
        let native = [deployment(&["ghcr.io/acme/web:in-git", "envoy:1"])];
        assert_eq!(pins(&now, &native), ["ghcr.io/acme/web:2@sha256:1"]);
        assert_eq!(pins(&now, &now), [""; 0]);
    }

    #[test]
    fn a_parameter_takes_the_place_of_another_value() {
        let mut source: Source =
            serde_json::from_value(json!({ "helm": { "parameters": [{ "name": "a", "value": "1" }, { "name": "b", "value": "1" }] } })).unwrap();
        set_parameters(&mut source, &[("a".into(), "2".into())]);
        let expected = json!([{ "name": "b", "value": "1" }, { "name": "a", "value": "2" }]);
        assert_eq!(source.0["helm"]["parameters"], expected);
    }
}
