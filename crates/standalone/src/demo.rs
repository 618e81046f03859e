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

/// A pipeline dev → staging → prod with Freight v1 and v2, and two people.
pub struct Demo<'w> {
    world: &'w World,
    /// Releases.
    ana: Person,
    /// Looks after Argo CD.
    bo: Person,
}

/// A step that happened.
pub struct Outcome {
    pub title: &'static str,
    /// What somebody would type for it.
    pub command: String,
    pub told: Vec<String>,
    pub took: Duration,
}

impl<'w> Demo<'w> {
    /// Who there is, besides the administrator.
    pub fn people() -> [User; 2] {
        [User::new("ana", []), User::new("bo", [])]
    }

    /// Puts the pipeline there.
    pub async fn prepare(world: &'w World) -> Result<Self> {
        world.repository.commit(&[("web/deployment.yaml", DEPLOYMENT)], "A Deployment")?;
        world.api.apply(&OBJECTS.replace("{repository}", &world.repository.url())).await?;
        let [ana, bo] = Self::people().map(|user| Person::new(world.client(&user)));
        Ok(Self { world, ana, bo })
    }

    /// Takes every step, each as soon as the one before has happened, and tells of it.
    pub async fn play(&self, out: &mut (dyn Write + Send)) -> Result<()> {
        tell(out, 1, &self.first().await.context("step 1")?)?;
        tell(out, 2, &self.next().await.context("step 2")?)?;
        tell(out, 3, &self.too_early().await.context("step 3")?)?;
        tell(
            out,
            4,
            &self
                .promoted("staging", "v2", "v2 goes to staging, and is verified there")
                .await
                .context("step 4")?,
        )?;
        tell(
            out,
            5,
            &self.promoted("prod", "v2", "Now prod may have it").await.context("step 5")?,
        )?;
        tell(out, 6, &self.unauthorised().await.context("step 6")?)?;
        tell(out, 7, &self.back().await.context("step 7")?)
    }

    async fn first(&self) -> Result<Outcome> {
        self.promoted("dev", "v1", "Freight v1 is assigned to dev").await
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

fn tell(out: &mut (dyn Write + Send), number: usize, outcome: &Outcome) -> Result<()> {
    let Outcome { title, command, told, took } = outcome;
    writeln!(out, "\n{number}. {title}\n   $ {command}")?;
    for line in told {
        writeln!(out, "   {line}")?;
    }
    writeln!(out, "   [{:.1} ms]", took.as_secs_f64() * 1000.0)?;
    Ok(out.flush()?)
}
