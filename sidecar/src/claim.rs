//! The Freight an Application claims, and whether it may have it.
//!
//! Argo CD tells a plugin the Application's name and the environment its source asks for, nothing more. The claim is
//! therefore only a claim: the cluster says which Stage the Application belongs to and what that Stage holds, and
//! `wharfinger_core::assignment` judges. "Yes" may come from a watch; every "no" has been looked at live.

use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::assignment::{Answer, Asker, Evidence, Look, Question, Seen, judge};
use wharfinger_core::check::Code;
use wharfinger_core::claim::{StageName, the_stage};
use wharfinger_core::substitute::Provenance;

use crate::asked::Asked;
use crate::facts::{Facts, SeenApp, SeenStage};
use crate::refusal::Refusal;

/// A judgement needs the Application, the Stage and the evidence once each at the most; then all may have changed once.
const LOOKS: usize = 6;

/// What an Application is to be rendered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    pub stage: StageName,
    pub collection: FreightCollection,
    pub provenance: Provenance,
    /// The paths that the Application declares.
    pub paths: Option<String>,
}

/// What an Application is to be rendered with: what it claims, if it may.
pub async fn grant(asked: &Asked, facts: &Facts) -> Result<Granted, Refusal> {
    let mut app = match facts.app(&asked.app) {
        Some(seen) => seen,
        None => facts.live_app(&asked.app).await?,
    };
    let mut stage: Option<SeenStage> = None;
    let mut evidence: Option<Evidence> = None;
    for _ in 0..LOOKS {
        let name = match the_stage(app.annotation.as_deref()) {
            Ok(name) => name,
            Err(check) if app.live => return Err(check.into()),
            Err(_) => {
                app = facts.live_app(&asked.app).await?;
                continue;
            }
        };
        let seen = match stage.take().filter(|seen| seen.name == name) {
            Some(seen) => seen,
            None => {
                evidence = None;
                facts.stage(&name)
            }
        };
        let question = Question {
            stage: &name,
            claimed: &asked.claimed,
            seen: Seen { status: seen.status.as_ref(), live: seen.live },
            asker: Asker::Render(evidence),
        };
        match judge(&question) {
            Answer::Yes(collection) => {
                let claimed = asked.claimed.as_ref().ok().and_then(|c| c.claim.as_ref());
                let generation = claimed.map_or(0, |claim| claim.generation);
                let provenance = Provenance::of(&name, generation, collection);
                let collection = collection.clone();
                return Ok(Granted { stage: name, collection, provenance, paths: app.paths });
            }
            // The annotation may have followed the claim a moment ago.
            Answer::No(check) if check.code == Code::ClaimStage && !app.live => {
                app = facts.live_app(&asked.app).await?;
                stage = Some(seen);
            }
            Answer::No(check) => return Err(check.into()),
            Answer::Look(Look::Stage) => stage = Some(facts.live_stage(&name).await?),
            Answer::Look(Look::Evidence) => {
                let fresh = facts.live_stage(&name).await?;
                (app, evidence) = weigh(asked, facts, app, &fresh).await?;
                stage = Some(fresh);
            }
        }
    }
    Err(Refusal::unavailable("the Stage changes faster than it can be read"))
}

/// Reads what speaks for a claim that is no longer the Stage's.
async fn weigh(
    asked: &Asked,
    facts: &Facts,
    app: SeenApp,
    stage: &SeenStage,
) -> Result<(SeenApp, Option<Evidence>), Refusal> {
    let assignment = stage.status.as_ref().and_then(|status| status.assignment.as_ref());
    let claim = asked.claimed.as_ref().ok().and_then(|claimed| claimed.claim.as_ref());
    match (assignment, claim) {
        (Some(assignment), Some(claim)) => {
            let (app, evidence) =
                facts.evidence(&asked.app, &stage.name, claim, assignment).await?;
            Ok((app, Some(evidence)))
        }
        // Nothing to weigh: the next judgement says what is missing.
        _ => Ok((app, Some(Evidence::default()))),
    }
}
