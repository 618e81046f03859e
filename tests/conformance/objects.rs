//! Objects are created, read and replaced.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{answer::text, server::Server};

pub(crate) const CONFIGMAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
pub(crate) const STAGES: &str = "/apis/kargo.akuity.io/v1alpha1/namespaces/{ns}/stages";

pub(crate) fn configmap(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

/// What comes with other problems when a schema has rules.
pub(crate) const RULES_NOT_CHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
     correct the existing errors to complete validation";

/// The smallest Stage there is.
pub(crate) fn stage(name: &str) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": name },
        "spec": { "requestedFreight": [{
            "origin": { "kind": "Warehouse", "name": "main" },
            "sources": { "direct": true },
        }] },
    })
}

pub(crate) async fn what_every_object_has(s: Server) -> Result<()> {
    for (path, object, generation) in
        [(CONFIGMAPS, configmap("a"), Value::Null), (STAGES, stage("a"), json!(1))]
    {
        let answer = s.post(path, object.clone()).await?;
        ensure!(answer.code == 201, "{answer:?}");
        let made = answer.done()?;
        let metadata = &made["metadata"];
        ensure!(made["kind"] == object["kind"] && made["apiVersion"] == object["apiVersion"]);
        ensure!(metadata["namespace"] == *s.ns, "{metadata:#}");
        ensure!(metadata["generation"] == generation, "{metadata:#}");
        ensure!(text(metadata, "/uid")?.len() == 36);
        ensure!(text(metadata, "/creationTimestamp")?.len() == "2026-11-21T12:00:00Z".len());
        ensure!(text(metadata, "/resourceVersion")?.parse::<u64>().is_ok());
        let read = s.get(&format!("{path}/a")).await?.done()?;
        ensure!(read == made, "{read:#} must be what was made: {made:#}");
    }
    Ok(())
}

pub(crate) async fn a_name_is_taken_once(s: Server) -> Result<()> {
    s.post(CONFIGMAPS, configmap("a")).await?.done()?;
    let status = s.post(CONFIGMAPS, configmap("a")).await?;
    let status = status.refused(409, "AlreadyExists", r#"configmaps "a" already exists"#)?;
    ensure!(status["details"] == json!({ "name": "a", "kind": "configmaps" }), "{status:#}");
    s.post(STAGES, stage("a")).await?.done()?;
    let status = s.post(STAGES, stage("a")).await?;
    let message = r#"stages.kargo.akuity.io "a" already exists"#;
    let status = status.refused(409, "AlreadyExists", message)?;
    let details = json!({ "name": "a", "group": "kargo.akuity.io", "kind": "stages" });
    ensure!(status["details"] == details, "{status:#}");
    Ok(())
}

pub(crate) async fn names_are_checked(s: Server) -> Result<()> {
    const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
         and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    for (path, object) in [(CONFIGMAPS, configmap("A_b")), (STAGES, stage("A_b"))] {
        let what = match path {
            STAGES => r#"Stage.kargo.akuity.io "A_b""#,
            _ => r#"ConfigMap "A_b""#,
        };
        let cause = format!(r#"metadata.name: Invalid value: "A_b": {SUBDOMAIN}"#);
        s.post(path, object).await?.invalid(what, &[&cause])?;
    }
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a.b" } });
    let cause = r#"metadata.name: Invalid value: "a.b": must not contain dots"#;
    s.post("/api/v1/namespaces", namespace).await?.invalid(r#"Namespace "a.b""#, &[cause])?;
    let mut labelled = stage("a");
    labelled["metadata"]["labels"] = json!({ "ok": "not ok" });
    labelled["metadata"]["annotations"] = json!({ "a b": "anything" });
    s.post(STAGES, labelled).await?.invalid(
        r#"Stage.kargo.akuity.io "a""#,
        &[
            r#"metadata.labels: Invalid value: "not ok": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"#,
            r#"metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#,
        ],
    )?;
    Ok(())
}

pub(crate) async fn generated_names(s: Server) -> Result<()> {
    let nameless = |prefix: &str| {
        let mut object = stage("");
        object["metadata"] = json!({ "generateName": prefix });
        object
    };
    let one = s.post(STAGES, nameless("a-")).await?.done()?;
    let other = s.post(STAGES, nameless("a-")).await?.done()?;
    for made in [&one, &other] {
        let name = text(made, "/metadata/name")?;
        ensure!(name.len() == 7 && name.starts_with("a-"), "{name}");
        ensure!(made["metadata"]["generateName"] == "a-");
    }
    ensure!(one["metadata"]["name"] != other["metadata"]["name"]);
    s.post(STAGES, nameless("")).await?.invalid(
        r#"Stage.kargo.akuity.io """#,
        &["metadata.name: Required value: name or generateName is required", RULES_NOT_CHECKED],
    )?;
    Ok(())
}

pub(crate) async fn what_is_not_there(s: Server) -> Result<()> {
    for (path, message) in [
        (CONFIGMAPS, r#"configmaps "x" not found"#),
        (STAGES, r#"stages.kargo.akuity.io "x" not found"#),
    ] {
        let one = format!("{path}/x");
        let patch = json!({ "metadata": { "labels": { "a": "b" } } });
        s.get(&one).await?.refused(404, "NotFound", message)?;
        s.merge(&one, patch).await?.refused(404, "NotFound", message)?;
        s.delete(&one).await?.refused(404, "NotFound", message)?;
    }
    let mut absent = stage("x");
    absent["metadata"]["resourceVersion"] = json!("1");
    let message = r#"stages.kargo.akuity.io "x" not found"#;
    s.put(&format!("{STAGES}/x"), absent).await?.refused(404, "NotFound", message)?;
    let nowhere = s.post("/api/v1/namespaces/nowhere/configmaps", configmap("a")).await?;
    nowhere.refused(404, "NotFound", r#"namespaces "nowhere" not found"#)?;
    let list = s.get("/api/v1/namespaces/nowhere/configmaps").await?.done()?;
    ensure!(list["items"] == json!([]), "{list:#}");
    for path in [
        "/apis/kargo.akuity.io/v1alpha1/namespaces/{ns}/berths",
        "/apis/kargo.akuity.io/v2/namespaces/{ns}/stages",
        "/apis/absent.example.com/v1/things",
    ] {
        let answer = s.get(path).await?;
        ensure!(answer.code == 404 && answer.body == "404 page not found\n", "{answer:#?}");
    }
    let message = "the server could not find the requested resource";
    s.get("/api/v1/namespaces/{ns}/berths").await?.refused(404, "NotFound", message)?;
    Ok(())
}

pub(crate) async fn a_body_has_to_fit_its_path(s: Server) -> Result<()> {
    let mut elsewhere = configmap("a");
    elsewhere["metadata"]["namespace"] = json!("default");
    let message =
        "the namespace of the provided object does not match the namespace sent on the request";
    s.post(CONFIGMAPS, elsewhere).await?.refused(400, "BadRequest", message)?;

    s.post(CONFIGMAPS, configmap("a")).await?.done()?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    let renamed = s.put(&format!("{CONFIGMAPS}/a"), configmap("b")).await?;
    renamed.refused(400, "BadRequest", message)?;

    let answer = s.post(STAGES, json!("{")).await?;
    ensure!(answer.code == 400 && answer.body["reason"] == "BadRequest", "{answer:#?}");
    Ok(())
}

pub(crate) async fn an_update_names_the_version_it_saw(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let seen = s.post(STAGES, stage("a")).await?.done()?;
    let mut first = seen.clone();
    first["spec"]["shard"] = json!("one");
    let first = s.put(&path, first).await?.done()?;
    ensure!(first["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]);
    let mut second = seen;
    second["spec"]["shard"] = json!("two");
    let message = "Operation cannot be fulfilled on stages.kargo.akuity.io \"a\": the object has been modified; \
                   please apply your changes to the latest version and try again";
    let status = s.put(&path, second.clone()).await?.refused(409, "Conflict", message)?;
    let details = json!({ "name": "a", "group": "kargo.akuity.io", "kind": "stages" });
    ensure!(status["details"] == details, "{status:#}");

    // Custom resources are never replaced blindly; many built-in objects may be.
    second["metadata"] = json!({ "name": "a" });
    s.put(&path, second).await?.invalid(
        r#"stages.kargo.akuity.io "a""#,
        &["metadata.resourceVersion: Invalid value: 0: must be specified for an update"],
    )?;
    s.post(CONFIGMAPS, configmap("a")).await?.done()?;
    s.put(&format!("{CONFIGMAPS}/a"), configmap("a")).await?.done()?;
    Ok(())
}

pub(crate) async fn nothing_changed_is_no_change(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    let version = &made["metadata"]["resourceVersion"];
    for answer in [
        s.put(&path, made.clone()).await?,
        s.merge(&path, json!({ "spec": { "shard": null } })).await?,
        s.merge(&path, json!({})).await?,
    ] {
        let after = answer.done()?;
        ensure!(after["metadata"]["resourceVersion"] == *version, "{after:#}");
    }
    Ok(())
}

pub(crate) async fn the_generation_counts_changes_of_the_spec(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    s.post(STAGES, stage("a")).await?.done()?;
    let status = format!("{path}/status");
    for (path, patch, generation) in [
        (&path, json!({ "metadata": { "labels": { "a": "b" } } }), 1),
        (&status, json!({ "status": { "freightSummary": "x" } }), 1),
        (&path, json!({ "spec": { "shard": "one" } }), 2),
        (&path, json!({ "spec": { "shard": "one" } }), 2),
        (&path, json!({ "spec": { "shard": "two" } }), 3),
        (&path, json!({ "metadata": { "generation": 9 } }), 3),
    ] {
        let stage = s.merge(path, patch.clone()).await?.done()?;
        ensure!(stage["metadata"]["generation"] == generation, "{patch}: {:#}", stage["metadata"]);
    }
    Ok(())
}

pub(crate) async fn secrets_take_text(s: Server) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
        "data": { "a": "b2xk", "b": "Yg==" },
        "stringData": { "a": "new" },
    });
    let made = s.post("/api/v1/namespaces/{ns}/secrets", secret).await?.done()?;
    ensure!(made["data"] == json!({ "a": "bmV3", "b": "Yg==" }), "{made:#}");
    ensure!(made["type"] == "Opaque" && made["stringData"].is_null(), "{made:#}");
    Ok(())
}

pub(crate) async fn some_fields_never_change(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    // Silently kept.
    let patch =
        json!({ "metadata": { "creationTimestamp": "2001-01-01T00:00:00Z", "selfLink": "x" } });
    let after = s.merge(&path, patch).await?.done()?;
    ensure!(after["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]);
    let patch = json!({ "metadata": { "uid": "00000000-0000-4000-8000-000000000000" } });
    s.merge(&path, patch).await?.invalid(
        r#"Stage.kargo.akuity.io "a""#,
        &[r#"metadata.uid: Invalid value: "00000000-0000-4000-8000-000000000000": field is immutable"#],
    )?;
    Ok(())
}
