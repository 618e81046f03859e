//! `wharf approve`: Freight may go to a Stage without having been verified upstream.

use clap::Args;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use wharfinger_api::v1alpha1::Freight;

use crate::exit::{Exit, Failure};
use crate::freight::{called, name};
use crate::output::{Format, Mark, clean, objects};
use crate::session::Session;

/// Let Freight into a Stage though it was not verified upstream
///
/// It takes the place of verification and soak time, not of a promotion. It can't be taken back.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  wharf approve v1.9.1 --to prod")]
pub struct Approve {
    /// The Freight: name, alias or version
    #[arg(required_unless_present_any = ["freight_name", "freight_alias"])]
    freight: Option<String>,

    /// The Stage
    #[arg(long, visible_alias = "stage", value_name = "STAGE")]
    to: String,

    /// The Freight, as Kargo's flag names it
    #[arg(long = "freight", value_name = "FREIGHT", conflicts_with = "freight")]
    freight_name: Option<String>,

    /// The Freight's alias, as Kargo's flag names it
    #[arg(long, value_name = "ALIAS", conflicts_with_all = ["freight", "freight_name"])]
    freight_alias: Option<String>,

    /// Ask the cluster whether it would be allowed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Approve {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let wanted = self.freight.or(self.freight_name).or(self.freight_alias).unwrap_or_default();
        let stage = session.stage(&self.to).await?;
        let freight = session.freight(&wanted, Some(&stage)).await?;
        if stage.spec.requested_freight.iter().all(|r| r.origin != freight.origin) {
            let text = format!("Stage {} does not request Freight of {}", self.to, freight.origin);
            return Err(Failure::new(text)
                .exit(Exit::Blocked)
                .next("Add the origin to the Stage's spec.requestedFreight"));
        }
        let approvals = freight.status.as_ref().map(|s| &s.approved_for);
        let already = approvals.is_some_and(|a| a.contains_key(&self.to));
        let approved = if already {
            freight
        } else {
            approve(session, &freight, &self.to, self.dry_run).await?
        };
        let Session { console, global, .. } = session;
        if !matches!(global.output, Format::Table | Format::Wide) {
            objects(console, global.output, &[approved], true)?;
            return Ok(Exit::Done);
        }
        let done = match (already, self.dry_run) {
            (true, _) => "was approved already",
            (_, true) => "would be approved (dry run)",
            _ => "is approved",
        };
        let line = format!("{} {done} for Stage {}", called(&approved), self.to);
        console.line(format!("{} {}", Mark::Passed.painted(console.out), clean(&line)))?;
        Ok(Exit::Done)
    }
}

async fn approve(
    session: &Session,
    freight: &Freight,
    stage: &str,
    dry_run: bool,
) -> Result<Freight, Failure> {
    let api: Api<Freight> = session.of_project().await?;
    // Kubernetes' times are whole seconds.
    let now = crate::output::moment(session.now());
    let patch = json!({ "status": { "approvedFor": { stage: { "approvedAt": now } } } });
    let params = PatchParams { dry_run, ..PatchParams::default() };
    api.patch_status(name(freight), &params, &Patch::Merge(&patch))
        .await
        .map_err(|e| Failure::api(format!("approve {} for Stage {stage}", called(freight)), &e))
}
