//! Webhooks change, deny and warn.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use serde_json::{Value, json};

use crate::{
    answer::text,
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
    validation,
    webhook::{Webhook, configure},
};

const NAME: &str = "hook.conformance.example.com";

fn allow(_: &Value) -> Value {
    json!({ "allowed": true })
}

fn patching(patch: &Value) -> Value {
    let patch = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    json!({ "allowed": true, "patchType": "JSONPatch", "patch": patch })
}

pub(crate) async fn a_webhook_is_told_everything(s: Server) -> Result<()> {
    let hook = Webhook::start(allow).await?;
    hook.register(&s, "Validating", json!({})).await?;
    let path = format!("{STAGES}/a");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    let changed = s.merge(&path, json!({ "spec": { "shard": "one" } })).await?.done()?;
    s.merge(&format!("{path}/status"), json!({ "status": { "freightSummary": "x" } }))
        .await?
        .done()?;
    s.delete(&path).await?.done()?;
    let seen = hook.seen();
    let operations: Vec<&Value> = seen.iter().map(|request| &request["operation"]).collect();
    ensure!(
        operations == ["CREATE", "UPDATE", "DELETE"],
        "the status is another resource: {operations:?}"
    );

    let kind = json!({ "group": "kargo.akuity.io", "version": "v1alpha1", "kind": "Stage" });
    let resource =
        json!({ "group": "kargo.akuity.io", "version": "v1alpha1", "resource": "stages" });
    for request in &seen {
        ensure!(request["kind"] == kind && request["requestKind"] == kind, "{request:#}");
        ensure!(request["resource"] == resource && request["requestResource"] == resource);
        ensure!(request["name"] == "a" && request["namespace"] == *s.ns, "{request:#}");
        ensure!(request["dryRun"] == false, "{request:#}");
        ensure!(request.get("subResource").is_none(), "{request:#}");
        ensure!(text(request, "/uid")?.len() == 36);
        text(request, "/userInfo/username")?;
        let groups = request["userInfo"]["groups"].as_array().context("no groups")?;
        ensure!(groups.contains(&json!("system:masters")), "{groups:?}");
    }
    let (create, update, delete) = (&seen[0], &seen[1], &seen[2]);
    ensure!(create["object"]["spec"] == stage("a")["spec"] && create["oldObject"].is_null());
    ensure!(create["object"]["metadata"]["uid"] == made["metadata"]["uid"], "{create:#}");
    ensure!(create["options"]["kind"] == "CreateOptions", "{create:#}");
    ensure!(update["object"]["spec"]["shard"] == "one", "{update:#}");
    ensure!(update["oldObject"]["spec"] == made["spec"], "{update:#}");
    // A patch reaches webhooks as the update it amounts to.
    ensure!(update["options"]["kind"] == "UpdateOptions", "{update:#}");
    ensure!(delete["object"].is_null() && delete["oldObject"]["spec"] == changed["spec"]);
    ensure!(delete["options"]["kind"] == "DeleteOptions", "{delete:#}");
    Ok(())
}

pub(crate) async fn a_webhook_changes_what_is_stored(s: Server) -> Result<()> {
    let hook = Webhook::start(|request| match request["kind"]["kind"].as_str() {
        Some("Stage") if request["object"]["spec"]["shard"] == "bad" => {
            patching(&json!([{ "op": "remove", "path": "/spec/requestedFreight" }]))
        }
        Some("Stage") => patching(&json!([
            { "op": "add", "path": "/metadata/labels", "value": { "by": "hook" } },
            { "op": "add", "path": "/spec/vars", "value": [{ "name": "a", "colour": "red" }] },
        ])),
        _ => allow(request),
    })
    .await?;
    hook.register(&s, "Mutating", json!({})).await?;
    let made = s.post(STAGES, stage("a")).await?.done()?;
    ensure!(made["metadata"]["labels"] == json!({ "by": "hook" }), "{made:#}");
    ensure!(made["metadata"]["generation"] == 1, "{made:#}");
    // What comes out of it is pruned and checked like everything else.
    ensure!(made["spec"]["vars"] == json!([{ "name": "a" }]), "{made:#}");
    let mut bad = stage("b");
    bad["spec"]["shard"] = json!("bad");
    s.post(STAGES, bad).await?.invalid(
        r#"Stage.kargo.akuity.io "b""#,
        &["spec.requestedFreight: Required value", crate::objects::RULES_NOT_CHECKED],
    )?;
    Ok(())
}

pub(crate) async fn a_denial_says_who_and_why(s: Server) -> Result<()> {
    let hook = Webhook::start(|request| {
        match request["object"]["spec"]["shard"].as_str() {
            Some("plain") => json!({ "allowed": false }),
            Some("why") => json!({ "allowed": false, "status": { "message": "no soak" } }),
            Some("coded") => json!({ "allowed": false, "status": { "message": "taken", "code": 409, "reason": "Conflict" } }),
            Some("reason") => json!({ "allowed": false, "status": { "reason": "Full" } }),
            _ => json!({ "allowed": true }),
        }
    })
    .await?;
    hook.register(&s, "Validating", json!({})).await?;
    for (shard, code, reason, message) in [
        (
            "plain",
            400,
            "",
            format!(r#"admission webhook "{NAME}" denied the request without explanation"#),
        ),
        ("why", 400, "", format!(r#"admission webhook "{NAME}" denied the request: no soak"#)),
        (
            "coded",
            409,
            "Conflict",
            format!(r#"admission webhook "{NAME}" denied the request: taken"#),
        ),
        ("reason", 400, "Full", format!(r#"admission webhook "{NAME}" denied the request: Full"#)),
    ] {
        let mut object = stage("a");
        object["spec"]["shard"] = json!(shard);
        s.post(STAGES, object).await?.refused(code, reason, &message)?;
    }
    ensure!(s.get(&format!("{STAGES}/a")).await?.code == 404);
    Ok(())
}

pub(crate) async fn warnings_reach_the_client(s: Server) -> Result<()> {
    let hook = Webhook::start(
        |_| json!({ "allowed": true, "warnings": ["mind the \"gap\"", "and the step"] }),
    )
    .await?;
    hook.register(&s, "Validating", json!({})).await?;
    let answer = s.post(STAGES, stage("a")).await?;
    ensure!(answer.warnings == ["mind the \"gap\"", "and the step"], "{answer:#?}");
    answer.done()?;
    Ok(())
}

pub(crate) async fn a_dry_run_is_told(s: Server) -> Result<()> {
    let hook = Webhook::start(allow).await?;
    hook.register(&s, "Validating", json!({})).await?;
    s.post(&format!("{STAGES}?dryRun=All"), stage("a")).await?.done()?;
    let seen = hook.seen();
    ensure!(seen.len() == 1 && seen[0]["dryRun"] == true, "{seen:#?}");
    Ok(())
}

pub(crate) async fn a_webhook_with_side_effects_keeps_dry_runs_out(s: Server) -> Result<()> {
    let hook = Webhook::start(allow).await?;
    configure(&s, "Validating", &hook.client_config, json!({ "sideEffects": "NoneOnDryRun" }))
        .await?;
    s.until(|| async {
        s.post(&format!("{STAGES}?dryRun=All"), stage("a")).await?.done()?;
        ensure!(!hook.seen().is_empty());
        Ok(())
    })
    .await?;
    Ok(())
}

pub(crate) async fn a_webhook_that_is_down_denies_or_is_passed_over(s: Server) -> Result<()> {
    let nobody = json!({ "url": "https://127.0.0.1:1/" });
    configure(&s, "Validating", &nobody, json!({})).await?;
    let start = format!(
        "Internal error occurred: failed calling webhook \"{NAME}\": failed to call webhook: Post "
    );
    s.until(|| async {
        let answer = s.post(STAGES, stage("a")).await?;
        ensure!(answer.code == 500 && answer.body["reason"] == "InternalError", "{answer:#?}");
        ensure!(text(&answer.body, "/message")?.starts_with(&start), "{answer:#?}");
        s.delete(&format!("{STAGES}/a")).await?;
        Ok(())
    })
    .await?;
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{ns}";
    let ignore =
        json!([{ "op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore" }]);
    s.json_patch(path, ignore).await?.done()?;
    s.until(|| async { s.post(STAGES, stage("b")).await?.done() }).await?;
    Ok(())
}

pub(crate) async fn selectors_and_rules_choose(s: Server) -> Result<()> {
    let hook = Webhook::start(allow).await?;
    // The probe is asked about only with a label, so it gets one.
    configure(
        &s,
        "Validating",
        &hook.client_config,
        json!({ "objectSelector": { "matchExpressions": [{ "key": "skip", "operator": "DoesNotExist" }] } }),
    )
    .await?;
    s.until(|| async {
        drop(hook.seen());
        s.post(&format!("{CONFIGMAPS}?dryRun=All"), configmap("probe")).await?;
        ensure!(!hook.seen().is_empty());
        Ok(())
    })
    .await?;
    let labelled = |name: &str, labels: Value| {
        let mut object = stage(name);
        object["metadata"]["labels"] = labels;
        object
    };
    drop(hook.seen());
    s.post(STAGES, labelled("a", json!({ "skip": "yes" }))).await?.done()?;
    s.post(STAGES, labelled("b", json!({}))).await?.done()?;
    // Old or new: one of them has to be selected.
    s.merge(&format!("{STAGES}/a"), json!({ "metadata": { "labels": null } })).await?.done()?;
    s.post("/api/v1/namespaces/default/configmaps?dryRun=All", configmap("elsewhere"))
        .await?
        .done()?;
    s.post(
        "/api/v1/namespaces/{ns}/secrets",
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
        }),
    )
    .await?
    .done()?;
    let seen: Vec<(Value, Value)> = hook
        .seen()
        .into_iter()
        .map(|request| (request["operation"].clone(), request["name"].clone()))
        .collect();
    ensure!(seen == [(json!("CREATE"), json!("b")), (json!("UPDATE"), json!("a"))], "{seen:?}");
    Ok(())
}

/// The conditions of our own configurations, on every Application that matters to them.
pub(crate) async fn our_conditions_match_what_they_should(s: Server) -> Result<()> {
    let (mut crd, path) = validation::probe(&s, &json!({ "type": "object" }));
    // As wide open as Argo CD's kinds are deep.
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    validation::served(&s, &crd, &path).await?;
    let hook = Webhook::start(allow).await?;
    let rules = json!([
        { "apiGroups": ["", "conformance.example.com"], "apiVersions": ["v1"], "resources": ["*"],
          "operations": ["CREATE", "UPDATE"], "scope": "Namespaced" },
    ]);
    for (kind, created) in
        [("Mutating", [false, false, true, true]), ("Validating", [false, true, true, true])]
    {
        let conditions = ours(kind)?;
        // Without conditions at first, or the probe would not be asked about.
        hook.register(&s, kind, json!({ "rules": rules })).await?;
        let configuration = format!(
            "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations/{{ns}}",
            kind.to_lowercase()
        );
        let add =
            json!([{ "op": "add", "path": "/webhooks/0/matchConditions", "value": conditions }]);
        s.json_patch(&configuration, add).await?.done()?;
        s.until(|| async {
            drop(hook.seen());
            s.post(&format!("{CONFIGMAPS}?dryRun=All"), configmap("probe")).await?;
            ensure!(hook.seen().is_empty());
            Ok(())
        })
        .await?;
        let plugin = json!({ "source": { "plugin": { "name": "wharfinger" } } });
        let stage = json!({ "kargo.akuity.io/authorized-stage": "p:s" });
        let applications = [
            ("plain", json!({}), json!({ "source": { "path": "x" } })),
            ("annotated", stage.clone(), json!({})),
            ("rendered", json!({}), plugin.clone()),
            ("both", stage.clone(), json!({ "sources": [{}, plugin["source"]] })),
        ];
        for ((name, annotations, spec), asked) in applications.iter().zip(created) {
            let mut object = validation::object(&crd, spec);
            object["metadata"] = json!({ "name": format!("{name}-{}", kind.to_lowercase()), "annotations": annotations });
            s.post(&path, object).await?.done()?;
            ensure!(hook.seen().is_empty() != asked, "{kind} {name}");
        }
        let one = format!("{path}/both-{}", kind.to_lowercase());
        for (patch, asked) in [
            (json!({ "metadata": { "labels": { "a": "b" } } }), false),
            // Whoever is not Argo CD is asked about a status.
            (json!({ "status": { "sync": { "status": "Synced" } } }), kind == "Validating"),
            (
                json!({ "metadata": { "annotations": { "kargo.akuity.io/authorized-stage": "p:t" } } }),
                true,
            ),
            (json!({ "operation": { "sync": {} } }), true),
        ] {
            s.merge(&one, patch.clone()).await?.done()?;
            ensure!(hook.seen().is_empty() != asked, "{kind} {patch}");
        }
        s.delete(&configuration).await?.done()?;
    }
    Ok(())
}

pub(crate) async fn a_condition_that_is_no_expression_is_refused(s: Server) -> Result<()> {
    let conditions = json!([{ "name": "a", "expression": "object.spec ==" }]);
    let nobody = json!({ "url": "https://127.0.0.1:1/" });
    let refused =
        configure(&s, "Validating", &nobody, json!({ "matchConditions": conditions })).await;
    let error = refused.err().context("it must be refused")?.to_string();
    ensure!(
        error.contains("code: 422") && error.contains("matchConditions[0].expression"),
        "{error}"
    );
    Ok(())
}

/// The conditions on Applications in `manifests/webhook/webhook.yaml`.
fn ours(kind: &str) -> Result<Value> {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/webhook/webhook.yaml"),
    )?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    let wanted = format!("{kind}WebhookConfiguration");
    let configuration = documents.iter().find(|document| document["kind"] == *wanted);
    let webhooks = configuration.and_then(|c| c["webhooks"].as_array()).context("no webhooks")?;
    let webhook = webhooks.iter().find(|webhook| webhook["name"] == "applications.wharfinger.dev");
    Ok(webhook.context("no webhook for Applications")?["matchConditions"].clone())
}
