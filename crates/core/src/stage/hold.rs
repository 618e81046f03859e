//! Automatic promotion of a Stage: whether it is enabled, and which origins it leaves alone because of what somebody chose by
//! hand.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{
    AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME, AutoPromotionHold, CREATE_ACTOR, Promotion, Stage,
    StageStatus,
};

use super::{end, last};
use crate::availability::former;
use crate::promotion::{annotation, over};

/// Takes into the Stage's status what its Promotions mean for automatic promotion. `stage` is as it is stored, `status` as it
/// will be; `automatic` is what the Project's policies say, nothing while that can't be told.
///
/// A Promotion counts once, when it has ended; one that was aborted never does. Until it ends it holds back as well.
pub fn hold<P: Borrow<Promotion>>(
    stage: &Stage,
    promotions: &[P],
    automatic: Option<bool>,
    status: &mut StageStatus,
) {
    if let Some(automatic) = automatic {
        status.auto_promotion_enabled = automatic;
    }
    let mut holds = std::mem::take(&mut status.auto_promotion_holds);
    let known = stage.status.as_ref().and_then(last);
    let promotions = || promotions.iter().map(Borrow::borrow);
    let mut news: Vec<_> = promotions()
        .filter(|p| end(p).is_some_and(|end| Some(end) > known))
        .filter(|p| p.status.as_ref().is_some_and(|s| s.phase != "Aborted"))
        .collect();
    news.sort_unstable_by_key(|p| end(p));
    for promotion in news {
        for origin in origins(promotion, AUTO_PROMOTION_RESUME) {
            holds.remove(origin);
        }
        holds.extend(held_by(stage, promotion));
    }
    let requested = &stage.spec.requested_freight;
    holds.retain(|origin, _| requested.iter().any(|r| r.origin.to_string() == *origin));
    if !status.auto_promotion_enabled {
        status.auto_promotion_holds = BTreeMap::new();
        status.effective_auto_promotion_holds = BTreeMap::new();
        return;
    }
    status.effective_auto_promotion_holds = holds.clone();
    let pending = promotions().filter(|p| !over(p));
    status.effective_auto_promotion_holds.extend(pending.flat_map(|p| held_by(stage, p)));
    status.auto_promotion_holds = holds;
}

/// What a Promotion holds back.
fn held_by(stage: &Stage, promotion: &Promotion) -> Vec<(String, AutoPromotionHold)> {
    let requested = || stage.spec.requested_freight.iter().map(|r| &r.origin);
    let hold = |key: &str| {
        let origin = requested().find(|o| o.to_string() == key)?.clone();
        let hold = AutoPromotionHold {
            freight_name: freight_of(stage, promotion, key).unwrap_or_default().into(),
            origin,
            promotion_name: promotion.metadata.name.clone().unwrap_or_default(),
            actor: annotation(promotion, CREATE_ACTOR).unwrap_or_default().into(),
            created_at: promotion.metadata.creation_timestamp.clone(),
        };
        Some((key.to_owned(), hold))
    };
    origins(promotion, AUTO_PROMOTION_HOLD).filter_map(hold).collect()
}

/// The origins in an annotation of a Promotion: one, or for a rollback of several all of them.
fn origins<'p>(promotion: &'p Promotion, key: &str) -> impl Iterator<Item = &'p str> {
    annotation(promotion, key).into_iter().flat_map(|origins| origins.split(','))
}

/// The Freight of an origin that a Promotion brings.
fn freight_of<'p>(stage: &'p Stage, promotion: &'p Promotion, origin: &str) -> Option<&'p str> {
    let named = promotion.spec.freight.as_deref();
    let Some(id) = annotation(promotion, COLLECTION) else { return named };
    // When it has ended it says itself what it brought, and the Stage's history may have gone on.
    let brought = promotion.status.as_ref().and_then(|s| s.freight_collection.as_ref());
    let collection = brought.filter(|c| c.id == id).or_else(|| former(stage, id));
    collection.and_then(|c| c.items.get(origin)).map(|f| f.name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::stage::fold;

    /// `<name> <second of its end, or -> <phase> <hold or resume>=<origin>`
    fn promotion(text: &str) -> Promotion {
        let [name, end, phase, intent] = *text.split(' ').collect::<Vec<_>>() else {
            panic!("{text}")
        };
        let (intent, origin) = intent.split_once('=').unwrap();
        let mut status = json!({ "phase": phase, "startedAt": "2026-11-21T10:00:00Z" });
        if end != "-" {
            status["finishedAt"] = format!("2026-11-21T10:00:{end}Z").into();
        }
        serde_json::from_value(json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": { "name": name, "creationTimestamp": "2026-11-21T09:00:00Z", "annotations": {
                format!("kargo.akuity.io/auto-promotion-{intent}"): format!("Warehouse/{origin}"),
                CREATE_ACTOR: "email:alice",
            } },
            "spec": { "stage": "prod", "freight": "f", "steps": [] },
            "status": status,
        }))
        .unwrap()
    }

    fn stage(status: &Value) -> Stage {
        let request =
            |name: &str| json!({ "origin": { "kind": "Warehouse", "name": name }, "sources": {} });
        serde_json::from_value(json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Stage",
            "metadata": { "name": "prod", "namespace": "shop" },
            "spec": { "requestedFreight": [request("a"), request("b")] },
            "status": status,
        }))
        .unwrap()
    }

    /// As the controller does it: folded and held in one write.
    fn after(stage: &Stage, promotions: &[Promotion], automatic: Option<bool>) -> StageStatus {
        let mut status = stage.status.clone().unwrap_or_default();
        fold(&mut status, promotions);
        hold(stage, promotions, automatic, &mut status);
        status
    }

    fn names(holds: &BTreeMap<String, AutoPromotionHold>) -> String {
        let one =
            |(key, hold): (&String, &AutoPromotionHold)| format!("{key}:{}", hold.promotion_name);
        holds.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_hold_lasts_until_the_candidate_is_promoted_by_hand() {
        for (promotions, held, effective) in [
            (vec![], "", ""),
            (vec!["p1 01 Succeeded hold=a"], "Warehouse/a:p1", "Warehouse/a:p1"),
            (vec!["p1 01 Failed hold=a"], "Warehouse/a:p1", "Warehouse/a:p1"),
            (vec!["p1 01 Errored hold=a"], "Warehouse/a:p1", "Warehouse/a:p1"),
            (vec!["p1 01 Aborted hold=a"], "", ""),
            (vec!["p1 - Pending hold=a"], "", "Warehouse/a:p1"),
            (vec!["p1 - Running hold=a"], "", "Warehouse/a:p1"),
            (vec!["p1 01 Succeeded hold=x"], "", ""),
            (vec!["p1 01 Succeeded hold=a", "p2 02 Succeeded resume=a"], "", ""),
            (vec!["p1 01 Succeeded hold=a", "p2 01 Succeeded resume=a"], "", ""),
            (vec!["p2 02 Succeeded resume=a", "p1 01 Succeeded hold=a"], "", ""),
            (
                vec!["p1 01 Succeeded hold=a", "p2 - Pending resume=a"],
                "Warehouse/a:p1",
                "Warehouse/a:p1",
            ),
            (
                vec!["p1 01 Succeeded hold=a", "p2 02 Aborted resume=a"],
                "Warehouse/a:p1",
                "Warehouse/a:p1",
            ),
            (
                vec!["p1 01 Succeeded hold=a", "p2 02 Succeeded resume=b"],
                "Warehouse/a:p1",
                "Warehouse/a:p1",
            ),
            (
                vec!["p1 01 Succeeded hold=a", "p2 02 Failed hold=b"],
                "Warehouse/a:p1 Warehouse/b:p2",
                "Warehouse/a:p1 Warehouse/b:p2",
            ),
            (
                vec!["p1 01 Succeeded resume=a", "p2 02 Succeeded hold=a"],
                "Warehouse/a:p2",
                "Warehouse/a:p2",
            ),
        ] {
            let row = promotions.join(", ");
            let promotions: Vec<_> = promotions.into_iter().map(promotion).collect();
            let status = after(&stage(&json!({})), &promotions, Some(true));
            let found = (
                names(&status.auto_promotion_holds),
                names(&status.effective_auto_promotion_holds),
            );
            assert_eq!(found, (held.into(), effective.into()), "{row}");
            assert!(status.auto_promotion_enabled);
            // Looked at again it says the same, also when what it was worked out from is gone.
            let mut again = stage(&json!({}));
            again.status = Some(status.clone());
            assert_eq!(after(&again, &promotions, Some(true)), status, "{row}");
            let rest: Vec<_> = promotions.iter().filter(|p| !over(p)).cloned().collect();
            assert_eq!(after(&again, &rest, Some(true)), status, "{row}");
            // As long as nobody knows what the policies say, it stays as it is.
            assert_eq!(after(&again, &promotions, None), status, "{row}");
            let off = after(&again, &promotions, Some(false));
            assert!(!off.auto_promotion_enabled && off.auto_promotion_holds.is_empty());
            assert!(off.effective_auto_promotion_holds.is_empty());
        }
    }

    /// Going back to what the Stage held: of two origins, both older than their candidates.
    fn rollback(phase: &str, brought: Option<&Value>) -> Promotion {
        let mut promotion = promotion(&format!("p1 01 {phase} hold=a"));
        let annotations = promotion.metadata.annotations.as_mut().unwrap();
        annotations.insert(AUTO_PROMOTION_HOLD.into(), "Warehouse/a,Warehouse/b".into());
        annotations.insert(COLLECTION.into(), "c1".into());
        let status = promotion.status.as_mut().unwrap();
        if phase == "Running" {
            status.finished_at = None;
        }
        status.freight_collection = brought.map(|c| serde_json::from_value(c.clone()).unwrap());
        promotion
    }

    #[test]
    fn a_rollback_of_several_origins_holds_each_with_its_own_freight() {
        let item = |freight: &str, origin: &str| json!({ "name": freight, "origin": { "kind": "Warehouse", "name": origin } });
        let former = json!({ "id": "c1", "items": { "Warehouse/a": item("f", "a"), "Warehouse/b": item("g", "b") } });
        let remembers = stage(&json!({ "freightHistory": [{ "id": "c2" }, former] }));
        let forgot = stage(&json!({ "freightHistory": [{ "id": "c2" }] }));
        for (row, stage, promotion) in [
            ("while it runs", &remembers, rollback("Running", None)),
            ("by the Stage's history", &remembers, rollback("Failed", None)),
            ("by its own status", &forgot, rollback("Succeeded", Some(&former))),
            (
                "ended before it assigned",
                &remembers,
                rollback("Errored", Some(&json!({ "id": "c2" }))),
            ),
        ] {
            let status = after(stage, &[promotion], Some(true));
            let holds = &status.effective_auto_promotion_holds;
            assert_eq!(names(holds), "Warehouse/a:p1 Warehouse/b:p1", "{row}");
            let freight: Vec<_> = holds.values().map(|hold| hold.freight_name.as_str()).collect();
            assert_eq!(freight, ["f", "g"], "{row}");
        }
        let held = after(&remembers, &[rollback("Succeeded", Some(&former))], Some(true));
        let mut stage = remembers;
        stage.status = Some(held);
        let mut resume = promotion("p2 02 Succeeded resume=a");
        let annotations = resume.metadata.annotations.as_mut().unwrap();
        annotations.insert(AUTO_PROMOTION_RESUME.into(), "Warehouse/a,Warehouse/b".into());
        assert_eq!(names(&after(&stage, &[resume], Some(true)).auto_promotion_holds), "");
    }

    #[test]
    fn a_promotion_counts_once() {
        let promotions = ["p1 01 Succeeded hold=a", "p2 02 Succeeded resume=a"].map(promotion);
        let mut stage = stage(&json!({}));
        stage.status = Some(after(&stage, &promotions, Some(true)));
        // The one that took the hold away was deleted.
        let status = after(&stage, &promotions[..1], Some(true));
        assert_eq!(names(&status.auto_promotion_holds), "");
    }

    #[test]
    fn an_origin_that_is_not_requested_any_more_is_not_held() {
        let mut stage = stage(&json!({}));
        stage.status = Some(after(&stage, &[promotion("p1 01 Succeeded hold=a")], Some(true)));
        stage.spec.requested_freight.remove(0);
        assert_eq!(names(&after(&stage, &[] as &[Promotion], Some(true)).auto_promotion_holds), "");
    }

    #[test]
    fn a_hold_says_who_chose_what() {
        let status = after(&stage(&json!({})), &[promotion("p1 01 Succeeded hold=a")], Some(true));
        assert_eq!(
            json!(status.auto_promotion_holds),
            json!({ "Warehouse/a": {
                "freightName": "f",
                "origin": { "kind": "Warehouse", "name": "a" },
                "promotionName": "p1",
                "actor": "email:alice",
                "createdAt": "2026-11-21T09:00:00Z",
            } })
        );
    }
}
