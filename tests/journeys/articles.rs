//! Manifests of before v1.0 of Kargo, as articles still show them: applied as they stand, and promoted.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::story::{Story, refused};

const CONVERTED: &str = "wharfinger.dev/converted";

#[tokio::test(start_paused = true)]
async fn every_article_is_applied_and_promoted() -> Result<()> {
    let story = Story::begin().await?;
    let mut files =
        fs::read_dir(root("tests/fixtures/articles"))?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::path);
    ensure!(files.len() == 2, "{files:?}");
    for file in files {
        let path = file.path();
        let manifests: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&path)?)?;
        promoted(&story, &manifests).await.with_context(|| path.display().to_string())?;
    }
    story.end().await
}

/// Through every Stage, in the order in which they stand there.
async fn promoted(story: &Story, manifests: &[Value]) -> Result<()> {
    let project = manifests[0]["metadata"]["name"].as_str().context("a Project comes first")?;
    story.namespace(project).await?;
    for manifest in manifests {
        apply(story, manifest).await?;
    }
    let freight = story.freight_from(project, "main", "v1").await?;
    let mut stages = 0;
    for stage in manifests.iter().filter(|m| m["kind"] == "Stage") {
        let name = stage["metadata"]["name"].as_str().context("a name")?;
        let kept = story.admin.get("stages", project, name).await?;
        ensure!(kept["spec"].get("subscriptions").is_none(), "{kept:#}");
        ensure!(kept["spec"].get("promotionMechanisms").is_none(), "{kept:#}");
        let app = format!("{project}-{name}");
        story.application_of(project, &app, name).await?;
        if stage["spec"].get("promotionMechanisms").is_none() {
            ensure!(kept["spec"].get("promotionTemplate").is_none(), "it only passes on: {kept:#}");
        } else {
            let promotion = story.promote_in(project, name, &freight).await?;
            ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
            ensure!(story.image(&app).await? == "ghcr.io/acme/web:v1");
            stages += 1;
        }
        let verified = |f: &Value| f["status"]["verifiedIn"][name].is_object();
        story.until("freights", project, &freight, verified).await?;
    }
    ensure!(stages == 2, "dev and staging");
    // Once more, as whoever has them in a script does.
    for manifest in manifests {
        apply(story, manifest).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stage_upstream_has_to_be_there_first() -> Result<()> {
    let story = Story::begin().await?;
    let staging = json!({ "metadata": { "name": "staging" }, "spec": { "subscriptions": { "stages": ["dev"] } } });
    let early =
        refused(story.admin.create("stages", "shop", staging.clone()).await, "stage-missing")?;
    ensure!(early.contains("Apply Stage dev first, and Stage staging after it"), "{early}");
    story.stage("dev", json!({ "direct": true })).await?;
    let made = story.admin.create("stages", "shop", staging).await?;
    let requested = json!([{ "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "stages": ["dev"] } }]);
    ensure!(made["spec"] == json!({ "requestedFreight": requested }), "{made:#}");
    let mark = made["metadata"]["annotations"][CONVERTED].as_str().context("a mark")?;
    ensure!(mark.starts_with("requestedFreight:"), "{made:#}");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn the_page_about_older_manifests_shows_what_becomes_of_them() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    let page = fs::read_to_string(root("docs/legacy.md"))?;
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split_once("```").map(|(block, _)| block).context("an end"))
        .collect::<Result<_>>()?;
    ensure!(blocks.len() == 8, "before and after, four times: {}", blocks.len());
    for pair in blocks.chunks(2) {
        let [before, after] = pair else { continue };
        let before: Value = serde_saphyr::from_str(before)?;
        let after: Value = serde_saphyr::from_str(after)?;
        let made = apply(&story, &before).await?;
        ensure!(made["spec"] == defaulted(&made, &after)["spec"], "{made:#}\nis not\n{after:#}");
    }
    story.end().await
}

/// As the page shows it, with the defaults that the API server and the webhook put in.
fn defaulted(made: &Value, shown: &Value) -> Value {
    let mut shown = shown.clone();
    if shown["kind"] == "Warehouse" {
        for field in ["interval", "freightCreationPolicy"] {
            shown["spec"][field] = made["spec"][field].clone();
        }
        for field in ["discoveryLimit", "strictSemvers"] {
            let image = |of: &str| format!("/spec/subscriptions/0/image{of}");
            let default = made.pointer(&image(&format!("/{field}"))).cloned().unwrap_or_default();
            if let Some(image) = shown.pointer_mut(&image("")) {
                image[field] = default;
            }
        }
    }
    shown
}

/// Creates it, or sends it over what is there, as `kubectl apply` does.
async fn apply(story: &Story, manifest: &Value) -> Result<Value> {
    let text = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let plural = format!("{}s", text("/kind").to_lowercase());
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    if story.admin.get(&plural, namespace, name).await.is_err() {
        return story.admin.create(&plural, namespace, manifest.clone()).await;
    }
    let before = story.admin.get(&plural, namespace, name).await?;
    let patch = json!({ "spec": manifest["spec"] });
    let after = story.admin.merge(&plural, namespace, name, &patch).await?;
    ensure!(before["spec"] == after["spec"], "{before:#}\nbecame\n{after:#}");
    Ok(after)
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
