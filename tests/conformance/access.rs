//! Who may do what: RBAC, reviews, impersonation, tokens.

use anyhow::{Result, ensure};
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::{
    answer::text,
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

/// Lets `jane` do that in the namespace, and waits until the server knows.
async fn allow(s: &Server, rules: Value, probe: Value) -> Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "some" }, "rules": rules,
    });
    s.post(&format!("{RBAC}/roles"), role).await?.done()?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "some" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }],
    });
    s.post(&format!("{RBAC}/rolebindings"), binding).await?.done()?;
    s.until(|| async {
        ensure!(allowed(s, "jane", &probe).await?);
        Ok(())
    })
    .await
}

async fn allowed(s: &Server, user: &str, attributes: &Value) -> Result<bool> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": { "user": user, "resourceAttributes": attributes },
    });
    let answer = s.post(&format!("{REVIEWS}/subjectaccessreviews"), review).await?;
    ensure!(answer.code == 201, "{answer:#?}");
    Ok(answer.done()?["status"]["allowed"] == true)
}

fn stages(verb: &str) -> Value {
    json!({ "group": "kargo.akuity.io", "resource": "stages", "verb": verb, "namespace": "{ns}" })
}

pub(crate) async fn what_is_not_allowed_is_forbidden(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    let jane = s.person("jane");
    let one = format!("{STAGES}/a");
    let all = "/apis/kargo.akuity.io/v1alpha1/stages";
    let group = r#"in API group "kargo.akuity.io""#;
    let there = r#"in the namespace "{ns}""#;
    for (answer, message) in [
        (
            jane.get(STAGES).await?,
            format!(
                r#"stages.kargo.akuity.io is forbidden: User "jane" cannot list resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.get(&format!("{STAGES}?watch=true")).await?,
            format!(
                r#"stages.kargo.akuity.io is forbidden: User "jane" cannot watch resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.get(&one).await?,
            format!(
                r#"stages.kargo.akuity.io "a" is forbidden: User "jane" cannot get resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.post(STAGES, stage("b")).await?,
            format!(
                r#"stages.kargo.akuity.io is forbidden: User "jane" cannot create resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.put(&one, stage("a")).await?,
            format!(
                r#"stages.kargo.akuity.io "a" is forbidden: User "jane" cannot update resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.merge(&format!("{one}/status"), json!({})).await?,
            format!(
                r#"stages.kargo.akuity.io "a" is forbidden: User "jane" cannot patch resource "stages/status" {group} {there}"#
            ),
        ),
        (
            jane.delete(&one).await?,
            format!(
                r#"stages.kargo.akuity.io "a" is forbidden: User "jane" cannot delete resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.delete(STAGES).await?,
            format!(
                r#"stages.kargo.akuity.io is forbidden: User "jane" cannot deletecollection resource "stages" {group} {there}"#
            ),
        ),
        (
            jane.get(all).await?,
            format!(
                r#"stages.kargo.akuity.io is forbidden: User "jane" cannot list resource "stages" {group} at the cluster scope"#
            ),
        ),
        (
            jane.get(&format!("{CONFIGMAPS}/x")).await?,
            format!(
                r#"configmaps "x" is forbidden: User "jane" cannot get resource "configmaps" in API group "" {there}"#
            ),
        ),
        (
            jane.get("/metrics").await?,
            r#"forbidden: User "jane" cannot get path "/metrics""#.to_owned(),
        ),
    ] {
        let status = answer.refused(403, "Forbidden", &message)?;
        let details = &status["details"];
        ensure!(details.is_object(), "{status:#}");
    }
    Ok(())
}

pub(crate) async fn roles_allow_what_they_name(s: Server) -> Result<()> {
    let rules = json!([
        { "apiGroups": ["kargo.akuity.io"], "resources": ["stages"], "verbs": ["get"], "resourceNames": ["a"] },
        { "apiGroups": ["kargo.akuity.io"], "resources": ["stages/status"], "verbs": ["*"] },
        { "apiGroups": ["kargo.akuity.io"], "resources": ["stages"], "verbs": ["promote", "list"] },
        { "apiGroups": ["*"], "resources": ["configmaps"], "verbs": ["create"] },
    ]);
    let with = |mut attributes: Value, field: &str, value: &str| {
        attributes[field] = json!(value);
        attributes
    };
    allow(&s, rules, with(stages("get"), "name", "a")).await?;
    for (attributes, wanted) in [
        (with(stages("get"), "name", "b"), false),
        (stages("get"), false),
        (stages("list"), true),
        (with(stages("promote"), "name", "b"), true),
        (stages("update"), false),
        (with(stages("update"), "subresource", "status"), true),
        (with(stages("list"), "subresource", "scale"), false),
        (with(stages("list"), "namespace", "default"), false),
        (with(stages("list"), "namespace", ""), false),
        (with(stages("list"), "group", "argoproj.io"), false),
        (json!({ "resource": "configmaps", "verb": "create", "namespace": "{ns}" }), true),
        (json!({ "resource": "configmaps", "verb": "get", "namespace": "{ns}" }), false),
    ] {
        ensure!(allowed(&s, "jane", &attributes).await? == wanted, "{attributes}");
        ensure!(!allowed(&s, "joe", &attributes).await?, "{attributes}");
    }
    let jane = s.person("jane");
    jane.get(STAGES).await?.done()?;
    jane.post(CONFIGMAPS, configmap("a")).await?.done()?;
    ensure!(jane.get(&format!("{CONFIGMAPS}/a")).await?.code == 403);
    Ok(())
}

pub(crate) async fn one_may_ask_about_oneself(s: Server) -> Result<()> {
    let rules =
        json!([{ "apiGroups": ["kargo.akuity.io"], "resources": ["stages"], "verbs": ["list"] }]);
    allow(&s, rules, stages("list")).await?;
    for (verb, wanted) in [("list", true), ("get", false)] {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": stages(verb) },
        });
        let path = format!("{REVIEWS}/selfsubjectaccessreviews");
        let answer = s.person("jane").post(&path, review).await?.done()?;
        ensure!(answer["status"]["allowed"] == wanted, "{answer:#}");
        ensure!(answer["kind"] == "SelfSubjectAccessReview", "{answer:#}");
    }
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = s.person("jane").post(path, review).await?.done()?;
    ensure!(
        answer["status"]["userInfo"]
            == json!({ "username": "jane", "groups": ["system:authenticated"] }),
        "{answer:#}"
    );
    Ok(())
}

pub(crate) async fn groups_and_accounts_are_bound(s: Server) -> Result<()> {
    let rules =
        json!([{ "apiGroups": ["kargo.akuity.io"], "resources": ["stages"], "verbs": ["list"] }]);
    allow(&s, rules, stages("list")).await?;
    let subjects = json!({ "subjects": [
        { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "crew" },
        { "kind": "ServiceAccount", "name": "robot", "namespace": "{ns}" },
    ] });
    s.merge(&format!("{RBAC}/rolebindings/some"), subjects).await?.done()?;
    let asks = |user: &str, groups: Value| {
        json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "groups": groups, "resourceAttributes": stages("list") },
        })
    };
    let path = format!("{REVIEWS}/subjectaccessreviews");
    for (user, groups, wanted) in [
        ("jane", json!([]), false),
        ("jane", json!(["crew"]), true),
        ("system:serviceaccount:{ns}:robot", json!([]), true),
        ("system:serviceaccount:default:robot", json!([]), false),
        ("anyone", json!(["system:masters"]), true),
    ] {
        s.until(|| async {
            let answer = s.post(&path, asks(user, groups.clone())).await?.done()?;
            ensure!(answer["status"]["allowed"] == wanted, "{user} {groups}: {answer:#}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn a_cluster_role_may_be_bound_in_one_namespace(s: Server) -> Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "{ns}" },
        "rules": [
            { "apiGroups": ["kargo.akuity.io"], "resources": ["*"], "verbs": ["*"] },
            { "nonResourceURLs": ["/metrics"], "verbs": ["get"] },
        ],
    });
    s.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role).await?.done()?;
    let binding = |kind: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": "{ns}" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "{ns}" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "{ns}-jane" }],
        })
    };
    let jane = s.placed("{ns}-jane");
    s.post(&format!("{RBAC}/rolebindings"), binding("RoleBinding")).await?.done()?;
    let mut everywhere = stages("promote");
    everywhere["namespace"] = json!("");
    s.until(|| async {
        ensure!(allowed(&s, &jane, &stages("promote")).await?);
        Ok(())
    })
    .await?;
    ensure!(!allowed(&s, &jane, &everywhere).await?);
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    s.post(path, binding("ClusterRoleBinding")).await?.done()?;
    s.until(|| async {
        ensure!(allowed(&s, &jane, &everywhere).await?);
        Ok(())
    })
    .await?;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": { "user": jane, "nonResourceAttributes": { "path": "/metrics", "verb": "get" } },
    });
    let answer = s.post(&format!("{REVIEWS}/subjectaccessreviews"), review).await?.done()?;
    ensure!(answer["status"]["allowed"] == true, "{answer:#}");
    Ok(())
}

pub(crate) async fn impersonation_is_a_permission(s: Server) -> Result<()> {
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Impersonate-User", "joe")
        .header("Impersonate-Group", "crew")
        .header("Impersonate-Group", "deck")
        .header("Impersonate-Extra-Reason", "test")
        .body(kube::client::Body::from(review.to_string().into_bytes()))?;
    let info = s.answer(request).await?.done()?["status"]["userInfo"].clone();
    let wanted = json!({
        "username": "joe", "groups": ["crew", "deck", "system:authenticated"],
        "extra": { "reason": ["test"] },
    });
    ensure!(info == wanted, "{info:#}");

    let robot = s.bearer(&token(&s).await?)?;
    // How it is worded depends on the version.
    let answer = robot.person("joe").get(STAGES).await?;
    ensure!(answer.code == 403 && answer.body["reason"] == "Forbidden", "{answer:#?}");
    let message = text(&answer.body, "/message")?;
    ensure!(message.contains("cannot impersonate"), "{message}");
    Ok(())
}

pub(crate) async fn accounts_have_tokens(s: Server) -> Result<()> {
    let token = token(&s).await?;
    let review = |token: &str| {
        json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token },
        })
    };
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let answer = s.post(path, review(&token)).await?.done()?;
    let status = &answer["status"];
    ensure!(status["authenticated"] == true, "{answer:#}");
    ensure!(
        status["user"]["username"] == s.placed("system:serviceaccount:{ns}:robot"),
        "{answer:#}"
    );
    let groups = json!([
        "system:serviceaccounts",
        s.placed("system:serviceaccounts:{ns}"),
        "system:authenticated"
    ]);
    ensure!(status["user"]["groups"] == groups, "{answer:#}");
    let answer = s.post(path, review("nonsense")).await?.done()?;
    ensure!(answer["status"]["authenticated"].as_bool() != Some(true), "{answer:#}");

    let message = "configmaps is forbidden: User \"system:serviceaccount:{ns}:robot\" cannot list resource \"configmaps\" \
                   in API group \"\" in the namespace \"{ns}\"";
    s.bearer(&token)?.get(CONFIGMAPS).await?.refused(403, "Forbidden", message)?;
    s.bearer("nonsense")?.get(CONFIGMAPS).await?.refused(401, "Unauthorized", "Unauthorized")?;
    Ok(())
}

/// A token of the account `robot` in the namespace of the case.
async fn token(s: &Server) -> Result<String> {
    let accounts = "/api/v1/namespaces/{ns}/serviceaccounts";
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "robot" } });
    s.post(accounts, account).await?.done()?;
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "expirationSeconds": 3600 },
    });
    let answer = s.post(&format!("{accounts}/robot/token"), request).await?;
    ensure!(answer.code == 201, "{answer:#?}");
    Ok(text(&answer.done()?, "/status/token")?.to_owned())
}
