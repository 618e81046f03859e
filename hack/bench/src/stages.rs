//! Thirty Stages at once on one repository, against the same thirty patches by hand.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::json;
use wharfinger_cluster::{Cluster, Options, Role};
use wharfinger_tests::{App, Kind, Project, fault, on_runtime};

use crate::line::{line, percentile};
use crate::promotion::Hand;
use crate::watched::Watched;

const STAGES: usize = 30;
const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let cluster = Cluster::start(Options { fault_points: true, ..Options::default() })?;
    cluster.install_wharfinger()?;
    let project = Project::new(&cluster, "bench")?;
    let names: Vec<String> = (0..STAGES).map(|n| format!("s{n}")).collect();
    let mut apps = vec![];
    for name in &names {
        project.stage(name)?;
        apps.push(App::new(&project, name, name, Kind::Bare)?);
    }
    let commits = json!([{ "repoURL": cluster.git().url(&project.name), "id": project.head()? }]);
    for app in &apps {
        app.create()?;
    }
    let freight = [project.freight_with("v1", &commits)?, project.freight_with("v2", &commits)?];
    let hand = Hand::new(&cluster, &project)?;

    // Both begin with what the other kind of round has left behind, and the first of all is not counted.
    let (mut ours, mut by_hand) = (vec![], vec![]);
    for round in 0..=2 * ROUNDS {
        let took = if round % 2 == 0 {
            at_once(&project, &names, &apps, &freight[0], &hand)?
        } else {
            fault(&cluster, Role::Controller, "stop-applications")?;
            by_hand_at_once(&project, &names, &apps, &freight[1], &hand, &cluster)?
        };
        match round {
            0 => {}
            n if n % 2 == 0 => ours.push(took),
            _ => by_hand.push(took),
        }
    }
    line(
        "thirty-stages-last-done-p50",
        percentile(&ours, 50),
        "thirty-patches-by-hand",
        percentile(&by_hand, 50),
        1.3,
    );
    Ok(())
}

/// From the first request to the last Application that is done.
fn at_once(
    project: &Project<'_>,
    names: &[String],
    apps: &[App<'_>],
    freight: &str,
    hand: &Hand<'_>,
) -> Result<Duration> {
    let claims: Vec<String> =
        names.iter().map(|stage| hand.next_claim(stage, freight)).collect::<Result<_>>()?;
    let mut watched = watched(project, apps)?;
    let from = Instant::now();
    let promotions =
        on_runtime(try_join_all(names.iter().map(|stage| project.promoting(stage, freight))))?;
    let last = last_done(&mut watched, &claims)?;
    for promotion in &promotions {
        project.ended(promotion)?;
    }
    Ok(last - from)
}

fn by_hand_at_once(
    project: &Project<'_>,
    names: &[String],
    apps: &[App<'_>],
    freight: &str,
    hand: &Hand<'_>,
    cluster: &Cluster,
) -> Result<Duration> {
    let claims: Vec<String> =
        names.iter().map(|stage| hand.next_claim(stage, freight)).collect::<Result<_>>()?;
    let promotions =
        on_runtime(try_join_all(names.iter().map(|stage| project.promoting(stage, freight))))?;
    for (stage, claim) in names.iter().zip(&claims) {
        hand.assigned(stage, claim)?;
    }
    let mut watched = watched(project, apps)?;
    let patches = apps.iter().zip(&promotions).map(|(app, promotion)| hand.patch(app, promotion));
    let patches: Vec<_> = patches.collect::<Result<_>>()?;
    let from = Instant::now();
    let sent = apps.iter().zip(&promotions).zip(patches);
    on_runtime(try_join_all(
        sent.map(|((app, promotion), patch)| hand.sending(app, promotion, patch)),
    ))?;
    let last = last_done(&mut watched, &claims)?;
    fault(cluster, Role::Controller, "resume-applications")?;
    for promotion in &promotions {
        project.ended(promotion)?;
    }
    Ok(last - from)
}

fn watched(project: &Project<'_>, apps: &[App<'_>]) -> Result<Vec<Watched>> {
    on_runtime(try_join_all(apps.iter().map(|app| Watched::application(&project.admin, &app.name))))
}

fn last_done(watched: &mut [Watched], claims: &[String]) -> Result<Instant> {
    let all = watched.iter_mut().zip(claims).map(|(watched, claim)| watched.deployed(claim));
    let done = on_runtime(try_join_all(all))?;
    Ok(done.into_iter().map(|(_, done)| done).max().unwrap_or_else(Instant::now))
}
