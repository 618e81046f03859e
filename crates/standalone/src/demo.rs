//! Wharfinger's main job, step by step, with the commands that do it.

mod step;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use wharfinger_localapi::User;

use crate::world::World;
use step::{Person, denied};

const OBJECTS: &str = include_str!("demo/objects.yaml");
const DEPLOYMENT: &str = include_str!("demo/deployment.yaml");

const INTRODUCTION: &str = "\
Wharfinger's main job, in one process. Real: the controller, the webhook, the sidecar and its socket.
Stand-ins: the API server is in memory, and Argo CD is a few hundred lines.";

/// A pipeline dev → staging → prod with Freight v1 and v2, and two people.
pub struct Demo<'w> {
    world: &'w World,
    /// Releases.
    ana: Person,
    /// Looks after Argo CD.
    bo: Person,
}

/// A step that happened.
struct Outcome {
    title: &'static str,
    /// What somebody would type for it.
    command: String,
    told: Vec<String>,
    took: Duration,
}

impl<'w> Demo<'w> {
    /// Who there is, besides the administrator.
    pub fn people() -> [User; 2] {
        [User::new("ana", []), User::new("bo", [])]
    }

    /// Takes every step as soon as the one before has happened, and tells of it.
    pub async fn play(world: &'w World, out: &mut (dyn Write + Send)) -> Result<()> {
        writeln!(out, "{INTRODUCTION}")?;
        let demo = Self::prepare(world).await?;
        tell(out, 1, demo.promoted("dev", "v1", "Freight v1 is assigned to dev").await)?;
        tell(out, 2, demo.next().await)?;
        tell(out, 3, demo.too_early().await)?;
        let title = "v2 goes to staging, and is verified there";
        tell(out, 4, demo.promoted("staging", "v2", title).await)?;
        tell(out, 5, demo.promoted("prod", "v2", "Now prod may have it").await)?;
        tell(out, 6, demo.unauthorised().await)?;
        tell(out, 7, demo.back().await)
    }

    /// Puts the pipeline there.
    pub async fn prepare(world: &'w World) -> Result<Self> {
        world.repository.commit(&[("web/deployment.yaml", DEPLOYMENT)], "A Deployment")?;
        world.api.apply(&OBJECTS.replace("{repository}", &world.repository.url())).await?;
        let [ana, bo] = Self::people().map(|user| Person::new(world.client(&user)));
        Ok(Self { world, ana, bo })
    }

    async fn next(&self) -> Result<Outcome> {
        let before = self.world.repository.head()?;
        let mut outcome =
            self.promoted("dev", "v2", "v2 is promoted to dev, and Git is left alone").await?;
        let after = self.world.repository.head()?;
        ensure!(before == after, "Git HEAD was {before} and is {after}");
        outcome.told.push(format!(
            "Git HEAD was {} before and is {} after",
            &before[..7],
            &after[..7]
        ));
        Ok(outcome)
    }

    async fn too_early(&self) -> Result<Outcome> {
        let begun = tokio::time::Instant::now();
        let asked = self.ana.promote("prod", &self.freight("v2").await?, &json!({})).await;
        Ok(Outcome {
            title: "v2 can't go to prod yet, and the reason is told",
            command: "wharf promote v2 --to prod".into(),
            told: vec![denied(asked, "verified")?],
            took: begun.elapsed(),
        })
    }

    async fn unauthorised(&self) -> Result<Outcome> {
        let begun = tokio::time::Instant::now();
        let edit = json!({ "metadata": { "annotations": { "kargo.akuity.io/authorized-stage": "shop:dev" } } });
        let edited = self.bo.edit("web-prod", &edit).await;
        Ok(Outcome {
            title: "Bo may edit Applications, but not take one away from its Stage",
            command: "kubectl --context bo -n argocd annotate --overwrite application web-prod kargo.akuity.io/authorized-stage=shop:dev".into(),
            told: vec![denied(edited, "permission")?],
            took: begun.elapsed(),
        })
    }

    async fn back(&self) -> Result<Outcome> {
        let begun = tokio::time::Instant::now();
        let annotations = json!({
            "kargo.akuity.io/rollback": "true",
            "wharfinger.dev/reason": "v2 is slow",
        });
        let told =
            self.ana.carried_out("dev", &self.freight("v1").await?, &annotations, "v1").await?;
        Ok(Outcome {
            title: "dev goes back to v1",
            command: "wharf rollback dev --to v1 --reason 'v2 is slow' --wait".into(),
            told,
            took: begun.elapsed(),
        })
    }

    async fn promoted(&self, stage: &str, version: &str, title: &'static str) -> Result<Outcome> {
        let begun = tokio::time::Instant::now();
        let freight = self.freight(version).await?;
        let mut told = self.ana.carried_out(stage, &freight, &json!({}), version).await?;
        let took = begun.elapsed();
        told.push(self.ana.verified(stage, &freight, version).await?);
        Ok(Outcome {
            title,
            command: format!("wharf promote {version} --to {stage} --wait"),
            told,
            took,
        })
    }

    async fn freight(&self, alias: &str) -> Result<String> {
        self.ana.freight(alias).await
    }
}

fn tell(out: &mut (dyn Write + Send), number: usize, outcome: Result<Outcome>) -> Result<()> {
    let outcome = outcome.with_context(|| format!("step {number} did not happen"))?;
    let Outcome { title, command, told, took } = outcome;
    writeln!(out, "\n{number}. {title}\n   $ {command}")?;
    for line in told {
        writeln!(out, "   {line}")?;
    }
    writeln!(out, "   [{:.1} ms]", took.as_secs_f64() * 1000.0)?;
    Ok(out.flush()?)
}
