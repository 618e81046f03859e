//! Objects go: at once, when their finalizers are gone, with their owner, with their namespace.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    answer::{names, text},
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

pub(crate) async fn a_deletion_is_answered_with_a_status(s: Server) -> Result<()> {
    for (path, object, details) in [
        (CONFIGMAPS, configmap("a"), json!({ "name": "a", "kind": "configmaps" })),
        (STAGES, stage("a"), json!({ "name": "a", "group": "kargo.akuity.io", "kind": "stages" })),
    ] {
        let made = s.post(path, object).await?.done()?;
        let answer = s.delete(&format!("{path}/a")).await?;
        ensure!(answer.code == 200, "{answer:#?}");
        let status = answer.done()?;
        let mut wanted = details;
        wanted["uid"] = made["metadata"]["uid"].clone();
        ensure!(status["kind"] == "Status" && status["status"] == "Success", "{status:#}");
        ensure!(status["details"] == wanted, "{status:#}");
        ensure!(s.get(&format!("{path}/a")).await?.code == 404);
    }
    Ok(())
}

pub(crate) async fn finalizers_hold_a_deletion_up(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let mut object = stage("a");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    s.post(STAGES, object).await?.done()?;
    let dying = s.delete(&path).await?;
    ensure!(dying.code == 200, "{dying:#?}");
    let dying = dying.done()?;
    ensure!(dying["kind"] == "Stage", "{dying:#}");
    text(&dying, "/metadata/deletionTimestamp")?;
    ensure!(dying["metadata"]["deletionGracePeriodSeconds"] == 0, "{dying:#}");
    ensure!(dying["metadata"]["generation"] == 2, "{dying:#}");
    // It may still change, but gets no further finalizers; deleting it again changes nothing.
    s.merge(&path, json!({ "spec": { "shard": "one" } })).await?.done()?;
    let more = json!({ "metadata": { "finalizers": ["example.com/hold", "example.com/more"] } });
    s.merge(&path, more).await?.invalid(
        r#"Stage.kargo.akuity.io "a""#,
        &[r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/more"}"#],
    )?;
    let again = s.delete(&path).await?.done()?;
    ensure!(again["metadata"]["deletionTimestamp"] == dying["metadata"]["deletionTimestamp"]);
    let taken = s.post(STAGES, stage("a")).await?;
    ensure!(taken.code == 409, "{taken:#?}");
    let last = s.merge(&path, json!({ "metadata": { "finalizers": null } })).await?.done()?;
    ensure!(last["metadata"]["name"] == "a", "{last:#}");
    ensure!(s.get(&path).await?.code == 404);
    Ok(())
}

pub(crate) async fn preconditions_guard_a_deletion(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    let uid = text(&made, "/metadata/uid")?;
    let version = text(&made, "/metadata/resourceVersion")?;
    let options = |preconditions: Value| json!({ "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions });
    let message = format!(
        "Operation cannot be fulfilled on Stage.kargo.akuity.io \"a\": the UID in the precondition (x) does not match \
         the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    s.delete_with(&path, options(json!({ "uid": "x" })))
        .await?
        .refused(409, "Conflict", &message)?;
    let message = format!(
        "Operation cannot be fulfilled on Stage.kargo.akuity.io \"a\": the ResourceVersion in the precondition (1) does \
         not match the ResourceVersion in record ({version}). The object might have been modified"
    );
    let wrong = options(json!({ "resourceVersion": "1" }));
    s.delete_with(&path, wrong).await?.refused(409, "Conflict", &message)?;
    let right = options(json!({ "uid": uid, "resourceVersion": version }));
    s.delete_with(&path, right).await?.done()?;
    Ok(())
}

pub(crate) async fn a_selection_is_deleted_at_once(s: Server) -> Result<()> {
    for (name, label) in [("a", "yes"), ("b", "no"), ("c", "yes")] {
        let mut object = stage(name);
        object["metadata"]["labels"] = json!({ "go": label });
        s.post(STAGES, object).await?.done()?;
    }
    let list = s.delete(&format!("{STAGES}?labelSelector=go%3Dyes")).await?.done()?;
    ensure!(list["kind"] == "StageList" && names(&list)? == ["a", "c"], "{list:#}");
    ensure!(names(&s.get(STAGES).await?.done()?)? == ["b"]);
    Ok(())
}

pub(crate) async fn what_is_owned_goes_with_its_owner(s: Server) -> Result<()> {
    let owner = s.post(STAGES, stage("owner")).await?.done()?;
    let mut owned = configmap("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "name": "owner",
        "uid": owner["metadata"]["uid"],
    }]);
    let made = s.post(CONFIGMAPS, owned).await?.done()?;
    let version = text(&made, "/metadata/resourceVersion")?;
    let mut watch = s
        .watch(&format!("{CONFIGMAPS}?resourceVersion={version}&fieldSelector=metadata.name=owned"))
        .await?;
    s.delete(&format!("{STAGES}/owner")).await?.done()?;
    watch.shows("DELETED", "owned").await?;
    Ok(())
}

pub(crate) async fn orphans_stay(s: Server) -> Result<()> {
    let owner = s.post(STAGES, stage("owner")).await?.done()?;
    let mut owned = configmap("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "name": "owner",
        "uid": owner["metadata"]["uid"],
    }]);
    s.post(CONFIGMAPS, owned).await?.done()?;
    let options =
        json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan" });
    s.delete_with(&format!("{STAGES}/owner"), options).await?.done()?;
    // The reference is taken out before the owner goes.
    s.until(|| async {
        let gone = s.get(&format!("{STAGES}/owner")).await?;
        ensure!(gone.code == 404, "{gone:#?}");
        Ok(())
    })
    .await?;
    let orphan = s.get(&format!("{CONFIGMAPS}/owned")).await?.done()?;
    ensure!(orphan["metadata"]["ownerReferences"].is_null(), "{orphan:#}");
    Ok(())
}

pub(crate) async fn a_namespace_takes_its_objects_with_it(s: Server) -> Result<()> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": format!("{}-2", s.ns) },
    });
    let made = s.post("/api/v1/namespaces", namespace).await?.done()?;
    ensure!(made["status"]["phase"] == "Active", "{made:#}");
    ensure!(made["spec"]["finalizers"] == json!(["kubernetes"]), "{made:#}");
    ensure!(made["metadata"]["labels"]["kubernetes.io/metadata.name"] == made["metadata"]["name"]);
    let stages = STAGES.replace("{ns}", "{ns}-2");
    let mut held = stage("held");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    s.post(&stages, held).await?.done()?;
    s.post(&stages, stage("free")).await?.done()?;

    let list = s.get("/api/v1/namespaces?fieldSelector=metadata.name={ns}-2").await?.done()?;
    let version = text(&list, "/metadata/resourceVersion")?;
    let ask = format!(
        "/api/v1/namespaces?fieldSelector=metadata.name={{ns}}-2&resourceVersion={version}"
    );
    let mut watch = s.watch(&ask).await?;
    let dying = s.delete("/api/v1/namespaces/{ns}-2").await?.done()?;
    ensure!(dying["status"]["phase"] == "Terminating", "{dying:#}");
    let name = s.placed("{ns}-2");
    watch.until("MODIFIED", &name).await?;
    // Nothing new comes into it.
    let answer = s.post(&stages, stage("late")).await?;
    let message = "stages.kargo.akuity.io \"late\" is forbidden: unable to create new content in namespace {ns}-2 \
                   because it is being terminated";
    let status = answer.refused(403, "Forbidden", message)?;
    ensure!(status["details"]["causes"][0]["reason"] == "NamespaceTerminating", "{status:#}");
    // What has no finalizer goes at once, the rest when it is let go.
    s.until(|| async {
        let left = s.get(&stages).await?.done()?;
        ensure!(names(&left)? == ["held"], "{:?}", names(&left)?);
        let held = &left["items"][0]["metadata"];
        ensure!(held["deletionTimestamp"].is_string(), "{held:#}");
        Ok(())
    })
    .await?;
    let free = json!({ "metadata": { "finalizers": null } });
    s.merge(&format!("{stages}/held"), free).await?.done()?;
    watch.until("DELETED", &name).await?;
    Ok(())
}

pub(crate) async fn a_dry_run_changes_nothing(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let made = s.post(&format!("{STAGES}?dryRun=All"), stage("a")).await?;
    ensure!(made.code == 201, "{made:#?}");
    text(&made.done()?, "/metadata/uid")?;
    ensure!(s.get(&path).await?.code == 404);
    let before = s.post(STAGES, stage("a")).await?.done()?;
    let patch = json!({ "spec": { "shard": "one" } });
    let after = s.merge(&format!("{path}?dryRun=All"), patch).await?.done()?;
    ensure!(after["spec"]["shard"] == "one" && after["metadata"]["generation"] == 2, "{after:#}");
    s.delete(&format!("{path}?dryRun=All")).await?.done()?;
    ensure!(s.get(&path).await?.done()? == before);
    let answer = s.post(&format!("{STAGES}?dryRun=Some"), stage("b")).await?;
    ensure!(answer.code == 422 || answer.code == 400, "{answer:#?}");
    Ok(())
}
