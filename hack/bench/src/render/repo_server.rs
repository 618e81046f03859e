//! What a render costs all of Argo CD: repo-server asked as the application controller asks it, for one Kustomize source,
//! natively with a cold and with a warm cache, and through the plugin after a promotion.
//!
//! The Stage is promoted each time, so that the claim is a new one and repo-server has nothing in its cache; the sidecar has the
//! base. Natively a promotion is a commit: a cold cache, and the new commit to be fetched, which is left out here.
//! With a warm cache nothing is rendered at all. No promotion can be as fast; it is the floor, and printed as such.
//!
//! The Application names the Stage and is rendered natively for Argo CD's own purposes, so that no sync comes in between.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use wharfinger_tests::{App, Kind, on_runtime};

use super::repo_server_api::{EnvEntry, ManifestRequest, Plugin, RepoServer, Repository, Source};
use crate::line::{line, percentile};
use crate::objects::{Files, Form, source};
use crate::world::{KUBE_VERSION, World, check_tag};

/// How many objects, and how many renders of each kind, which take turns. The first of each is not counted.
const ROUNDS: [(usize, usize); 3] = [(10, 20), (100, 20), (1_000, 8)];
/// A goal of our own: a promotion is not to cost more than Argo CD's own render.
const GOAL: f64 = 1.0;

const STAGE: &str = "native";

pub(super) fn run(world: &World<'_>) -> Result<()> {
    let project = &world.project;
    let none = json!([{ "uses": "assign", "config": { "allowNone": true } }]);
    project.stage_with(STAGE, &none)?;
    let app = App::new(project, STAGE, STAGE, Kind::Bare)?.with(|spec, _| {
        if let Some(source) = spec["source"].as_object_mut() {
            source.shift_remove("plugin");
        }
    });
    app.create()?;
    let commit = commit(world)?;
    let freight = [("v2", project.freight("v2")?), ("v3", project.freight("v3")?)];
    let server = on_runtime(RepoServer::dial(world.cluster))?;

    for (count, renders) in ROUNDS {
        let request = natively(world, &app, &commit, count);
        let timed = |request: &ManifestRequest, tag: &str| -> Result<Duration> {
            let from = Instant::now();
            let rendered = on_runtime(server.generate(request.clone()))?;
            let took = from.elapsed();
            check_tag(&rendered, count, tag)?;
            Ok(took)
        };
        let (mut cold, mut warm, mut ours) = (vec![], vec![], vec![]);
        for round in 0..=renders {
            let uncached = ManifestRequest { no_cache: true, ..request.clone() };
            let (natively, again) = (timed(&uncached, "in-git")?, timed(&request, "in-git")?);
            let (tag, freight) = &freight[round % freight.len()];
            project.promoted(STAGE, freight)?;
            let promoted = timed(&with_plugin(world, &request)?, tag)?;
            if round > 0 {
                cold.push(natively);
                warm.push(again);
                ours.push(promoted);
            }
        }
        let [ours, cold, warm] = [ours, cold, warm].map(|times| percentile(&times, 50));
        let name = |what: &str| format!("repo-server-{what}-{count}-p50");
        line(&name("promoted"), ours, "native-cold", cold, GOAL);
        line(&name("native-warm"), warm, "native-cold", cold, GOAL);
    }
    Ok(())
}

/// The sources of all sizes, in one repository.
fn commit(world: &World<'_>) -> Result<String> {
    let all = ROUNDS.map(|(count, _)| {
        let inside = move |(name, text)| (format!("{}/{name}", folder(count)), text);
        source(Form::Kustomize, count, 0).into_iter().map(inside)
    });
    let all: Files = all.into_iter().flatten().collect();
    let all: Vec<_> = all.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    world.project.commit(&all)
}

fn folder(count: usize) -> String {
    format!("objects-{count}")
}

fn natively(world: &World<'_>, app: &App<'_>, commit: &str, count: usize) -> ManifestRequest {
    let url = world.cluster.git().url(&world.project.name);
    ManifestRequest {
        repo: Some(Repository { repo: url.clone() }),
        revision: commit.into(),
        app_name: app.name.clone(),
        namespace: world.project.name.clone(),
        source: Some(Source {
            repo_url: url,
            path: folder(count),
            target_revision: commit.into(),
            plugin: None,
        }),
        kube_version: KUBE_VERSION.into(),
        api_versions: world.api_versions.clone(),
        tracking_method: "annotation".into(),
        project_name: "default".into(),
        manifest_generate_paths: ".".into(),
        ..ManifestRequest::default()
    }
}

/// The same source, with the plugin and the claim of this moment.
fn with_plugin(world: &World<'_>, request: &ManifestRequest) -> Result<ManifestRequest> {
    let project = &world.project;
    let entry = |name: &str, value| EnvEntry { name: name.into(), value };
    let env = vec![
        entry("WHARFINGER_STAGE", format!("{}:{STAGE}", project.name)),
        entry("WHARFINGER_FREIGHT", project.claim(STAGE)?),
    ];
    let mut request = request.clone();
    let source = request.source.as_mut().context("a source")?;
    source.plugin = Some(Plugin { name: "wharfinger".into(), env });
    Ok(request)
}
