//! Asking for Promotions: what `promote` and `rollback` have in common.

use std::collections::BTreeMap;

use clap::Args;
use jiff::SignedDuration;
use kube::Api;
use kube::api::PostParams;
use wharfinger_api::additions::REASON;
use wharfinger_api::v1alpha1::{Promotion, PromotionSpec, Stage};
use wharfinger_core::duration;
use wharfinger_core::promotion::over;

use crate::exit::{Exit, Failure};
use crate::follow::generation;
use crate::freight::{short, versions};
use crate::output::{Format, Mark, clean, objects, span};
use crate::session::Session;
use crate::wait;

#[derive(Clone, Debug, Default, Args)]
pub struct Asking {
    /// Why; it stays with the Promotion and with what the Stage is assigned
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Wait until it has ended, and say how far it is
    #[arg(long)]
    wait: bool,

    /// How long to wait; 0 waits without limit. The Promotion goes on in any case
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = limit, requires = "wait")]
    timeout: Limit,

    /// Ask the cluster whether it would be allowed, and change nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,

    /// Only if the Stage still holds this generation and no other Promotion is under way
    #[arg(long, value_name = "GENERATION")]
    if_current: Option<u64>,
}

/// How long to wait; nothing is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(pub Option<SignedDuration>);

/// A Promotion that somebody wishes for.
pub struct Wish {
    pub stage: Stage,
    /// The name of the Freight.
    pub freight: String,
    /// What a person calls what the Stage is to hold.
    pub to: String,
    pub annotations: BTreeMap<String, String>,
}

pub fn limit(text: &str) -> Result<Limit, String> {
    let limit = duration::parse(text).ok_or("not a duration such as 90s, 10m or 1h30m")?;
    Ok(Limit(Some(limit).filter(|l| !l.is_zero())))
}

impl Asking {
    /// Asks for all that is wished for, or for nothing.
    pub async fn carry_out(self, session: &Session, wishes: &[Wish]) -> Result<Exit, Failure> {
        let api: Api<Promotion> = session.of_project().await?;
        for wish in wishes {
            self.current(session, wish).await?;
        }
        // So that a refusal of one leaves nothing half done.
        if self.dry_run || wishes.len() > 1 {
            let mut would = vec![];
            for wish in wishes {
                would.push(self.create(&api, wish, true).await?);
            }
            if self.dry_run {
                show(session, wishes, &would, "would be created (dry run)")?;
                return Ok(Exit::Done);
            }
        }
        let mut made = vec![];
        for wish in wishes {
            match self.create(&api, wish, false).await {
                Ok(promotion) => made.push(promotion),
                Err(failure) => {
                    return Err(made.iter().fold(failure, |failure, p| {
                        failure.next(format!("Already asked for: {}", named(p)))
                    }));
                }
            }
        }
        if !self.wait {
            show(session, wishes, &made, "created")?;
            return Ok(Exit::Done);
        }
        let names: Vec<_> = made.iter().map(|p| named(p).to_owned()).collect();
        let ended = wait::wait(session, &names, self.timeout.0).await?;
        show(session, wishes, &ended, "")?;
        Ok(wait::exit(&ended))
    }

    /// Refuses where the Stage has moved, or is about to, since somebody decided. A Promotion that is created within the same
    /// moment is not seen; it has its turn first or after, as the names say.
    async fn current(&self, session: &Session, wish: &Wish) -> Result<(), Failure> {
        let Some(wanted) = self.if_current else { return Ok(()) };
        let stage = clean(wish.stage.metadata.name.as_deref().unwrap_or_default()).into_owned();
        let assignment = wish.stage.status.as_ref().and_then(|s| s.assignment.as_ref());
        let held = assignment.map_or(0, |a| a.generation);
        if held != wanted {
            let by = assignment.map(|a| format!(", assigned by {}", a.promotion));
            let text = format!(
                "Stage {stage} holds generation {held}{}, not {wanted}",
                by.unwrap_or_default()
            );
            return Err(Failure::new(text)
                .exit(Exit::Conflict)
                .next(format!("Look what changed: wharf history {stage}")));
        }
        let promotions = session.promotions(&wish.stage).await?;
        match promotions.iter().find(|p| !over(p)) {
            Some(open) => {
                let text = format!("the Promotion {} to Stage {stage} is under way", named(open));
                Err(Failure::new(text)
                    .exit(Exit::Conflict)
                    .next(format!("Follow it: wharf watch {}", named(open))))
            }
            None => Ok(()),
        }
    }

    async fn create(
        &self,
        api: &Api<Promotion>,
        wish: &Wish,
        dry_run: bool,
    ) -> Result<Promotion, Failure> {
        let stage = wish.stage.metadata.name.clone().unwrap_or_default();
        // The webhook takes the steps from the Stage.
        let spec = PromotionSpec {
            stage: stage.clone(),
            freight: Some(wish.freight.clone()),
            ..PromotionSpec::default()
        };
        let mut promotion = Promotion::new("", spec);
        promotion.metadata.name = None;
        promotion.metadata.generate_name = Some("promo-".into());
        let reason = self.reason.clone().map(|reason| (REASON.to_owned(), reason));
        promotion.metadata.annotations =
            Some(wish.annotations.clone().into_iter().chain(reason).collect());
        let params = PostParams { dry_run, ..PostParams::default() };
        api.create(&params, &promotion).await.map_err(|e| {
            let failure =
                Failure::api(format!("promote {} to Stage {stage}", short(&wish.freight)), &e);
            if failure.exit == Exit::Blocked {
                return failure
                    .next(format!("Why: wharf why {} --to {stage}", short(&wish.freight)));
            }
            failure
        })
    }
}

/// The result: the Promotions. `done` says what became of them, where they do not say it themselves.
fn show(
    session: &Session,
    wishes: &[Wish],
    promotions: &[Promotion],
    done: &str,
) -> Result<(), Failure> {
    let Session { console, global, .. } = session;
    if !matches!(global.output, Format::Table | Format::Wide) {
        return objects(console, global.output, promotions, true);
    }
    for (wish, promotion) in wishes.iter().zip(promotions) {
        let project = promotion.metadata.namespace.as_deref().unwrap_or_default();
        let held = wish.stage.status.as_ref().and_then(|s| s.freight_history.first());
        let from = held.map_or("nothing".into(), versions);
        let arrow = if console.out.unicode { "→" } else { "->" };
        let mark = match (over(promotion), &promotion.status) {
            (true, Some(status)) if status.phase != "Succeeded" => Mark::Failed,
            _ => Mark::Passed,
        };
        console.line(format!(
            "{} {}  {}",
            mark.painted(console.out),
            clean(&format!(
                "{project}/{}  {from} {arrow} {}  {}",
                promotion.spec.stage,
                wish.to,
                named(promotion)
            )),
            clean(&outcome(promotion).unwrap_or_else(|| done.into())),
        ))?;
    }
    Ok(())
}

/// How a Promotion ended: its phase, the generation it assigned and how long it took, or why not.
fn outcome(promotion: &Promotion) -> Option<String> {
    let status = promotion.status.as_ref().filter(|_| over(promotion))?;
    let generation = generation(promotion).map(|g| format!(", generation {g}")).unwrap_or_default();
    let took = match (&status.started_at, &status.finished_at) {
        (Some(from), Some(to)) => format!(", took {}", span(to.0.duration_since(from.0))),
        _ => String::new(),
    };
    let why = match status.phase.as_str() {
        "Succeeded" => String::new(),
        _ => format!(": {}", status.message),
    };
    Some(format!("{}{generation}{took}{why}", status.phase))
}

fn named(promotion: &Promotion) -> &str {
    promotion.metadata.name.as_deref().unwrap_or_default()
}
