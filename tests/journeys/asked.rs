//! What a Promotion is made of: by origin, with tasks, by hand where promotion is automatic, asked to end.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::story::{Story, refused};

const HOLD: &str = "kargo.akuity.io/auto-promotion-hold";
const RESUME: &str = "kargo.akuity.io/auto-promotion-resume";

#[tokio::test(start_paused = true)]
async fn who_names_an_origin_gets_its_candidate() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.stage("prod", json!({ "stages": ["dev"] })).await?;
    story.application("web", "dev").await?;
    let none = refused(story.promote_by_origin("prod").await, "verified")?;
    ensure!(none.contains("has no candidate of Warehouse/web"), "{none}");
    ensure!(none.contains("wharf promote"), "{none}");

    // Of the same second, so the name decides.
    let newest = story.freight("v1").await?.max(story.freight("v2").await?);
    let promotion = story.promote_by_origin("dev").await?;
    ensure!(promotion["spec"]["freight"] == newest.as_str(), "{promotion:#}");
    ensure!(promotion["spec"].get("origin").is_none(), "{promotion:#}");
    let name = promotion["metadata"]["name"].as_str().unwrap_or_default();
    ensure!(name.ends_with(&newest[..7]), "{name}");
    story.event("shop", "PromotionCreated", name).await?;
    ensure!(story.ended(name).await?["status"]["phase"] == "Succeeded");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn a_task_assigns() -> Result<()> {
    let story = Story::begin().await?;
    let task = json!({ "vars": [{ "name": "why", "value": "" }], "steps": [{ "uses": "assign" }] });
    story.stage("dev", json!({ "direct": true })).await?;
    let steps = |vars: Value| {
        let step = json!({ "as": "out", "task": { "name": "roll", "kind": "ClusterPromotionTask" }, "vars": vars });
        json!({ "spec": { "promotionTemplate": { "spec": { "steps": [step] } } } })
    };
    let given = json!([{ "name": "why", "value": "because" }]);
    story.admin.merge("stages", "shop", "dev", &steps(given.clone())).await?;
    story.application("web", "dev").await?;
    let missing = refused(story.promote("dev", "v1", json!({})).await, "step")?;
    ensure!(missing.contains("ClusterPromotionTask roll, which does not exist"), "{missing}");

    let metadata = json!({ "name": "roll" });
    story
        .create("clusterpromotiontasks", "", json!({ "metadata": metadata, "spec": task }))
        .await?;
    let promotion = story.promoted("dev", "v1").await?;
    let expected = json!([{ "uses": "assign", "as": "out::step-1", "vars": given }]);
    ensure!(promotion["spec"]["steps"] == expected, "{promotion:#}");
    let state = &promotion["status"]["state"]["out::step-1"];
    ensure!(state["applications"][0]["check"]["state"] == "Passed", "{promotion:#}");
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v1");

    story.admin.merge("stages", "shop", "dev", &steps(json!([]))).await?;
    let unset = refused(story.promote("dev", "v2", json!({})).await, "step")?;
    ensure!(unset.contains("a value for why"), "{unset}");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn a_promotion_by_hand_holds_automatic_promotion_back_until_the_candidate_is_chosen()
-> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    let automatic = async |enabled: bool| {
        story
            .until("stages", "shop", "dev", |s| {
                s["status"]["autoPromotionEnabled"].as_bool().unwrap_or_default() == enabled
            })
            .await
    };
    let policies = |enabled: bool| json!([{ "stageSelector": { "name": "glob:d*" }, "autoPromotionEnabled": enabled }]);
    let metadata = json!({ "name": "shop" });
    let spec = json!({ "promotionPolicies": policies(true) });
    story.create("projectconfigs", "shop", json!({ "metadata": metadata, "spec": spec })).await?;
    automatic(true).await?;

    let (v1, v2) = (story.freight("v1").await?, story.freight("v2").await?);
    let (older, newest) = if v1 < v2 { ("v1", "v2") } else { ("v2", "v1") };
    let held = async |holds: Option<&str>| {
        story
            .until("stages", "shop", "dev", |s| {
                ["autoPromotionHolds", "effectiveAutoPromotionHolds"].iter().all(|field| {
                    s["status"][field]["Warehouse/web"]["promotionName"].as_str() == holds
                })
            })
            .await
    };
    let by_hand = story.promoted("dev", older).await?;
    let annotations = &by_hand["metadata"]["annotations"];
    ensure!(annotations[HOLD] == "Warehouse/web" && annotations[RESUME].is_null(), "{by_hand:#}");
    held(by_hand["metadata"]["name"].as_str()).await?;
    // Who writes the whole object without them takes nothing away.
    let name = by_hand["metadata"]["name"].as_str().unwrap_or_default();
    let without = json!({ "metadata": { "annotations": { HOLD: null, "kargo.akuity.io/create-actor": "email:eve", "note": "x" } } });
    let kept = story.admin.merge("promotions", "shop", name, &without).await?;
    let of = |object: &Value, key: &str| object["metadata"]["annotations"][key].clone();
    for key in [HOLD, "kargo.akuity.io/create-actor"] {
        ensure!(of(&kept, key) == of(&by_hand, key), "{kept:#}");
    }
    ensure!(of(&kept, "note") == "x");

    let resumed = story.promoted("dev", newest).await?;
    ensure!(of(&resumed, RESUME) == "Warehouse/web" && of(&resumed, HOLD).is_null(), "{resumed:#}");
    held(None).await?;

    let again = story.promoted("dev", older).await?;
    held(again["metadata"]["name"].as_str()).await?;
    let off = json!({ "spec": { "promotionPolicies": policies(false) } });
    story.admin.merge("projectconfigs", "shop", "shop", &off).await?;
    automatic(false).await?;
    held(None).await?;
    let free = story.promoted("dev", older).await?;
    ensure!(of(&free, HOLD).is_null() && of(&free, RESUME).is_null(), "{free:#}");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn both_forms_of_a_request_to_abort_end_it() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    let app = story.application("web", "dev").await?;
    let name = app["metadata"]["name"].as_str().unwrap_or_default();
    let away = json!({ "spec": { "source": { "repoURL": "https://git.example.com/away.git" } } });
    story.admin.merge("applications", "argocd", name, &away).await?;
    let stuck = story.promote("dev", "v1", json!({})).await?;
    let queued = story.promote("dev", "v2", json!({})).await?;
    let abort = async |promotion: &str, text: &str| {
        let patch = json!({ "metadata": { "annotations": { "kargo.akuity.io/abort": text } } });
        story.admin.merge("promotions", "shop", promotion, &patch).await
    };
    let refusal = refused(abort(&stuck, "true").await, "step")?;
    ensure!(refusal.contains("kargo.akuity.io/abort=terminate"), "{refusal}");
    for (promotion, text) in
        [(&queued, "terminate"), (&stuck, r#"{"action":"terminate","actor":"eve"}"#)]
    {
        let asked = abort(promotion, text).await?;
        let signed = asked["metadata"]["annotations"]["kargo.akuity.io/abort"].clone();
        ensure!(
            signed == r#"{"action":"terminate","actor":"kubernetes:kubernetes-admin"}"#,
            "{signed}"
        );
        let ended = story.ended(promotion).await?;
        ensure!(ended["status"]["phase"] == "Aborted", "{ended:#}");
        ensure!(
            ended["status"]["message"] == "aborted by kubernetes:kubernetes-admin",
            "{ended:#}"
        );
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    story.end().await
}
