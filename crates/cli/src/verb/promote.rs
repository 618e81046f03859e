//! `wharf promote`: Freight goes to a Stage.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use wharfinger_api::v1alpha1::{ABORT, Freight, Promotion, Stage};
use wharfinger_core::promotion::over;

use crate::ask::{Asking, Wish};
use crate::exit::{Exit, Failure};
use crate::freight::{name, version};
use crate::output::{Format, clean, objects};
use crate::session::Session;

/// Promote Freight to a Stage
///
/// Freight is given by its name or the beginning of it, its alias or a version (v1.9.1, web:v1.9.1).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf promote v1.9.1 --to prod --wait
  wharf promote brave-otter --to prod-eu,prod-us --reason 'release 1.9.1'
  wharf promote --name prod.01kaj6v5b2m8q3w7x9ytz4rghd.b3e7149 --abort")]
pub struct Promote {
    /// The Freight
    #[arg(required_unless_present_any = ["freight_name", "freight_alias", "name"])]
    freight: Option<String>,

    /// The Stages, separated by commas
    #[arg(long, visible_alias = "stage", value_name = "STAGE", value_delimiter = ',', required_unless_present_any = ["downstream_from", "name"])]
    to: Vec<String>,

    /// Every Stage that takes Freight from this one
    #[arg(long, value_name = "STAGE", conflicts_with = "to")]
    downstream_from: Option<String>,

    /// The Freight, as Kargo's flag names it
    #[arg(long = "freight", value_name = "FREIGHT", conflicts_with = "freight")]
    freight_name: Option<String>,

    /// The Freight's alias, as Kargo's flag names it
    #[arg(long, value_name = "ALIAS", conflicts_with_all = ["freight", "freight_name"])]
    freight_alias: Option<String>,

    /// The Promotion that --abort ends
    #[arg(long, value_name = "PROMOTION", requires = "abort", conflicts_with_all = ["freight", "freight_name", "freight_alias", "to", "downstream_from", "reason", "wait", "dry_run", "if_current"])]
    name: Option<String>,

    /// End the Promotion that --name names. What it has assigned stays assigned
    #[arg(long, requires = "name")]
    abort: bool,

    #[command(flatten)]
    asking: Asking,
}

impl Promote {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if let Some(name) = &self.name {
            return abort(session, name).await;
        }
        let wanted = self.freight.or(self.freight_name).or(self.freight_alias).unwrap_or_default();
        let (freight, stages) = match &self.downstream_from {
            Some(upstream) => {
                let freight = session.freight(&wanted, None).await?;
                let stages = downstream(session.stages().await?, upstream, &freight);
                if stages.is_empty() {
                    session.stage(upstream).await?;
                    let text =
                        format!("no Stage takes Freight of {} from {upstream}", freight.origin);
                    return Err(Failure::new(text));
                }
                (freight, stages)
            }
            None => {
                let mut stages = vec![];
                let mut seen = BTreeSet::new();
                for stage in self.to.iter().filter(|stage| seen.insert(*stage)) {
                    stages.push(session.stage(stage).await?);
                }
                (session.freight(&wanted, stages.first()).await?, stages)
            }
        };
        let wish = |stage| Wish {
            stage,
            freight: name(&freight).into(),
            to: version(&freight),
            annotations: BTreeMap::new(),
        };
        let wishes: Vec<_> = stages.into_iter().map(wish).collect();
        self.asking.carry_out(session, &wishes).await
    }
}

/// The Stages that take Freight of this origin from `upstream`.
fn downstream(stages: Vec<Stage>, upstream: &str, freight: &Freight) -> Vec<Stage> {
    let takes =
        |stage: &Stage| {
            stage.spec.requested_freight.iter().any(|r| {
                r.origin == freight.origin && r.sources.stages.iter().any(|s| s == upstream)
            })
        };
    stages.into_iter().filter(takes).collect()
}

async fn abort(session: &Session, name: &str) -> Result<Exit, Failure> {
    let promotion: Promotion = session.named("Promotion", name).await?;
    if over(&promotion) {
        let phase = promotion.status.as_ref().map_or("", |s| &s.phase);
        return Err(Failure::new(format!("the Promotion {name} is over: {phase}")));
    }
    let api: Api<Promotion> = session.of_project().await?;
    let patch = json!({ "metadata": { "annotations": { ABORT: "terminate" } } });
    let aborted = api
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map_err(|e| Failure::api(format!("abort the Promotion {name}"), &e))?;
    let Session { console, global, .. } = session;
    if !matches!(global.output, Format::Table | Format::Wide) {
        objects(console, global.output, &[aborted], true)?;
    } else {
        console.line(format!("{}  is asked to end", clean(name)))?;
    }
    Ok(Exit::Done)
}
