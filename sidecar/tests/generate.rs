//! The program as a stock argocd-cmp-server runs it: environment and current folder in, documents or a reason out.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Output;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: 'web:0'}]}\n";

/// A Kubernetes API with one Application, and the Stage it belongs to.
fn api() -> Router {
    let app = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": "web", "namespace": "argocd", "annotations": {"kargo.akuity.io/authorized-stage": "shop:dev"}},
    });
    let stage = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {"name": "dev", "namespace": "shop"},
        "spec": {"requestedFreight": []},
        "status": {
            "assignment": {"generation": 3, "collection": ID, "promotion": "", "assignedAt": "2026-01-02T03:04:05Z"},
            "freightHistory": [{"id": ID, "items": {"Warehouse/web": {"name": "f", "images": [{"repoURL": "web", "tag": "7"}]}}}],
        },
    });
    let object = |object: Value| get(|| async { Json(object) });
    let absent = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""});
    Router::new()
        .route("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web", object(app))
        .route("/apis/kargo.akuity.io/v1alpha1/namespaces/shop/stages/dev", object(stage))
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(absent)) })
}

#[expect(clippy::disallowed_methods, reason = "a test starts the program it is about")]
async fn generate(kubeconfig: &Path, folder: &Path, env: &[(&str, &str)]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_wharfinger-sidecar"))
        .arg("generate")
        .current_dir(folder)
        .env("KUBECONFIG", kubeconfig)
        .env("RUST_BACKTRACE", "1")
        .env("ARGOCD_APP_SOURCE_PATH", "apps/web")
        .env("ARGOCD_ENV_WHARFINGER_STAGE", "shop:dev")
        .envs(env.iter().copied())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_stock_server_gets_documents_or_a_reason() {
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    let server = format!("http://{}", listener.local_addr().unwrap());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, api()).await });
    let folder = dir.path().join("1234/apps/web");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pod.yaml"), POD).unwrap();

    let claim = format!("3-{ID}");
    let held = [("ARGOCD_APP_NAME", "web"), ("ARGOCD_ENV_WHARFINGER_FREIGHT", claim.as_str())];
    let out = generate(&kubeconfig, &folder, &held).await;
    let expected = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"image":"web:7"}]}}"#;
    assert_eq!(String::from_utf8(out.stdout).unwrap(), format!("---\n{expected}\n"));
    assert!(out.status.success());

    let parameters = json!([{ "name": "provenance", "string": "true" }]).to_string();
    let said = [held[0], held[1], ("ARGOCD_APP_PARAMETERS", parameters.as_str())];
    let out = generate(&kubeconfig, &folder, &said).await;
    let expected = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"annotations":{{"wharfinger.dev/collection":"{ID}","wharfinger.dev/freight":"f","wharfinger.dev/generation":"3","wharfinger.dev/stage":"shop:dev"}},"name":"web"}},"spec":{{"containers":[{{"image":"web:7"}}]}}}}"#
    );
    assert_eq!(String::from_utf8(out.stdout).unwrap(), format!("---\n{expected}\n"));

    let check = async |env: &[(&str, &str)], part: &str| {
        let out = generate(&kubeconfig, &folder, env).await;
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), out.stdout), (Some(1), Vec::new()), "{said}");
        assert!(
            said.starts_with("wharfinger: ") && said.contains(part) && said.lines().count() == 1,
            "{said}"
        );
    };
    let next = format!("4-{ID}");
    check(&[held[0], ("ARGOCD_ENV_WHARFINGER_FREIGHT", &next)], "never made the assignment 4-")
        .await;
    check(&[held[0]], "carries no claim").await;
    check(&[("ARGOCD_APP_NAME", "other"), held[1]], "no Application other").await;
    check(
        &[held[0], held[1], ("WHARFINGER_ARGOCD_NAMESPACE", "gitops")],
        "no Application web in the namespace gitops",
    )
    .await;
    check(&[], "not the name of an Application").await;
    std::fs::write(folder.join("pod.yaml"), "a: 1").unwrap();
    check(&held, "rendered no objects").await;
    running.abort_all();
    while running.join_next().await.is_some() {}
    check(&held, "can't reach the Kubernetes API").await;
}
