//! What takes a Stage from under its Applications without deleting it: an owner, its namespace, its namespace's owner.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::story::{Story, refused};

/// A Stage that an Application names, and somebody who may edit both.
async fn used() -> Result<(Story, crate::story::Person)> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    story.promoted("dev", "v1").await?;
    let bo = story.editor("bo").await?;
    story.may("bo", "patch").await?;
    Ok((story, bo))
}

/// The garbage collector deletes at once what names it.
fn nobody(kind: &str) -> Value {
    let uid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    let owner = json!({ "apiVersion": "v1", "kind": kind, "name": "nobody", "uid": uid });
    json!({ "metadata": { "ownerReferences": [owner] } })
}

#[tokio::test(start_paused = true)]
async fn a_stage_with_an_owner_that_does_not_exist() -> Result<()> {
    let (story, bo) = used().await?;
    let own = async || bo.merge("stages", "shop", "dev", &nobody("ConfigMap")).await;
    let text = refused(own().await, "permission")?;
    ensure!(text.contains("verb bypass"), "{text}");
    ensure!(story.held("dev").await?.starts_with("1-"));
    story.may("bo", "bypass").await?;
    own().await?;
    ensure!(story.admin.get("stages", "shop", "dev").await.is_err(), "it went with its owner");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn the_namespace_of_a_project() -> Result<()> {
    let (story, bo) = used().await?;
    for verb in ["patch", "delete"] {
        story.grant("bo", "shop", "", "namespaces", verb).await?;
    }
    let delete = async || bo.delete("namespaces", "", "shop").await;
    let text = refused(delete().await, "in-use")?;
    ensure!(text.contains("argocd/web"), "{text}");
    let label = json!({ "metadata": { "labels": { "kargo.akuity.io/project": null } } });
    refused(bo.merge("namespaces", "", "shop", &label).await, "in-use")?;
    bo.merge("namespaces", "", "shop", &nobody("Node")).await?;
    ensure!(story.held("dev").await?.starts_with("1-"), "the garbage collector was refused");
    story.may("bo", "bypass").await?;
    delete().await?;
    ensure!(story.admin.get("namespaces", "", "shop").await.is_err(), "it is gone");
    story.end().await
}
