//! `wharf rollback`: a Stage goes back to what it held before.

use std::collections::BTreeMap;

use clap::Args;
use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{
    Freight, FreightCollection, FreightReference, ROLLBACK, Stage, StageStatus,
};
use wharfinger_core::stage::verified;

use crate::ask::{Asking, Wish};
use crate::exit::{Exit, Failure};
use crate::freight::{self, versions};
use crate::output::{Mark, clean};
use crate::session::Session;

/// Take a Stage back to what it held before
///
/// It does not wait behind a promotion that is stuck: that one ends as Aborted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf rollback prod --reason INC-91 --wait
  wharf rollback prod --to v1.8.9")]
pub struct Rollback {
    /// The Stage
    stage: String,

    /// Freight that the Stage has held: name, alias or version; without it, the last that was verified there
    #[arg(long, value_name = "FREIGHT")]
    to: Option<String>,

    #[command(flatten)]
    asking: Asking,
}

impl Rollback {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let stage = session.stage(&self.stage).await?;
        let status = stage.status.clone().unwrap_or_default();
        let target = match &self.to {
            None => before(&status).ok_or_else(|| nowhere(&stage))?,
            Some(wanted) => {
                let held = held(&status, session.freights().await?);
                let chosen = freight::choose(&held, wanted, None)
                    .map_err(|failure| of_history(failure, &self.stage))?;
                former(&status, freight::name(chosen)).ok_or_else(|| nowhere(&stage))?
            }
        };
        if verified(target).is_none() {
            let text = format!("{} was never verified in {}", versions(target), self.stage);
            let mark = Mark::Warning.painted(session.console.err);
            session.console.say(format!("{mark} {}", clean(&text)));
        }
        let current = status.freight_history.first();
        let freight = changed(current, target).ok_or_else(|| nowhere(&stage))?.name.clone();
        let wish = Wish {
            freight,
            to: versions(target),
            annotations: BTreeMap::from([
                (COLLECTION.to_owned(), target.id.clone()),
                (ROLLBACK.to_owned(), "true".to_owned()),
            ]),
            stage,
        };
        self.asking.carry_out(session, &[wish]).await
    }
}

/// Where a rollback goes that says nothing else: the last collection that was verified, else the last there was.
fn before(status: &StageStatus) -> Option<&FreightCollection> {
    let current = status.freight_history.first()?;
    let former = || status.freight_history.iter().filter(|c| c.id != current.id);
    former().find(|c| verified(c).is_some()).or_else(|| former().next())
}

/// The last collection before the current one that holds Freight of that name.
fn former<'s>(status: &'s StageStatus, freight: &str) -> Option<&'s FreightCollection> {
    let current = status.freight_history.first()?;
    let mut former = status.freight_history.iter().filter(|c| c.id != current.id);
    former.find(|c| c.items.values().any(|f| f.name == freight))
}

/// The Freight of the Stage's history, the newest first; what was deleted is as the Stage remembers it.
fn held(status: &StageStatus, mut known: Vec<Freight>) -> Vec<Freight> {
    let mut held: Vec<Freight> = vec![];
    for reference in status.freight_history.iter().flat_map(|c| c.items.values()) {
        if held.iter().any(|f| freight::name(f) == reference.name) {
            continue;
        }
        match known.iter().position(|f| freight::name(f) == reference.name) {
            Some(at) => held.push(known.swap_remove(at)),
            None => held.push(remembered(reference)),
        }
    }
    held
}

fn remembered(reference: &FreightReference) -> Freight {
    let FreightReference { name, origin, commits, images, charts, artifacts } = reference.clone();
    let mut freight = Freight { origin, commits, images, charts, artifacts, ..Freight::default() };
    freight.metadata.name = Some(name);
    freight
}

/// The Freight by which a change is named: one that the Stage does not hold now.
fn changed<'c>(
    current: Option<&FreightCollection>,
    target: &'c FreightCollection,
) -> Option<&'c FreightReference> {
    let holds = |f: &FreightReference| {
        current.is_some_and(|c| c.items.values().any(|held| held.name == f.name))
    };
    target.items.values().find(|f| !holds(f)).or_else(|| target.items.values().next())
}

fn nowhere(stage: &Stage) -> Failure {
    let name = stage.metadata.name.as_deref().unwrap_or_default();
    Failure::new(format!("Stage {name} has held nothing else to go back to"))
        .exit(Exit::Blocked)
        .next(format!("See what it has held: wharf history {name}"))
        .next(format!("Promote other Freight: wharf promote FREIGHT --to {name}"))
}

fn of_history(mut failure: Failure, stage: &str) -> Failure {
    failure.what = format!("{} in the history of Stage {stage}", failure.what);
    failure.next.retain(|next| !next.starts_with("List them"));
    failure.next(format!("See what it has held: wharf history {stage}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(history: &Value) -> StageStatus {
        serde_json::from_value(json!({ "freightHistory": history })).unwrap()
    }

    fn collection(id: &str, freight: &[(&str, &str)], phases: &[&str]) -> Value {
        let items = freight.iter().map(|(origin, name)| {
            let reference = json!({
                "name": name,
                "origin": { "kind": "Warehouse", "name": origin },
                "images": [{ "repoURL": "web", "tag": name }],
            });
            ((*origin).to_owned(), reference)
        });
        let verified: Vec<_> = phases.iter().map(|p| json!({ "phase": p })).collect();
        json!({ "id": id, "items": items.collect::<serde_json::Map<_, _>>(), "verificationHistory": verified })
    }

    #[test]
    fn a_rollback_goes_to_the_last_that_was_verified() {
        let one = |id, phases: &[&str]| collection(id, &[("w", id)], phases);
        for (history, expected) in [
            (json!([]), None),
            (json!([one("a", &["Successful"])]), None),
            (json!([one("b", &[]), one("a", &["Successful"])]), Some("a")),
            (
                json!([one("c", &[]), one("b", &["Failed"]), one("a", &["Failed", "Successful"])]),
                Some("a"),
            ),
            (json!([one("c", &[]), one("b", &[]), one("a", &[])]), Some("b")),
            // Assigned twice in a row: going back to the same is going nowhere.
            (json!([one("b", &[]), one("b", &["Successful"]), one("a", &[])]), Some("a")),
        ] {
            let status = status(&history);
            assert_eq!(before(&status).map(|c| c.id.as_str()), expected, "{history}");
        }
    }

    #[test]
    fn what_the_stage_held_is_found_though_it_was_deleted() {
        let history = json!([
            collection("2", &[("w", "v2"), ("x", "x1")], &[]),
            collection("1", &[("w", "v1"), ("x", "x1")], &[]),
        ]);
        let status = status(&history);
        let known: Freight = serde_json::from_value(
            json!({ "metadata": { "name": "v2" }, "alias": "brave-otter", "origin": {} }),
        )
        .unwrap();
        let held = held(&status, vec![known]);
        let names: Vec<_> = held.iter().map(freight::name).collect();
        assert_eq!(names, ["v2", "x1", "v1"]);
        assert_eq!(freight::alias(&held[0]), "brave-otter");
        assert_eq!(former(&status, "v1").unwrap().id, "1");
        assert_eq!(former(&status, "x1").unwrap().id, "1");
        assert_eq!(former(&status, "v2"), None);
        let [current, target] = &status.freight_history[..] else { panic!() };
        assert_eq!(changed(Some(current), target).unwrap().name, "v1");
        assert_eq!(changed(Some(current), current).unwrap().name, "v2");
    }
}
