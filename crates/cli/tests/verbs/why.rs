//! `wharf why`, asked about denials and objects.

use serde_json::{Value, json};
use wharfinger_cli::exit::Exit;

use super::{PROMOTION, ends, shop, status, working};

#[tokio::test]
async fn a_denial_is_explained_without_a_cluster() {
    let api = shop();
    let denial = "Error from server (Forbidden): admission webhook \"stages.wharfinger.dev\" denied the request: wharfinger: Stage shop:prod is named by Applications, which could not be rendered any more: argocd/web. Take them from the Stage first [in-use]";
    let ran = api.wharf(&["why", denial]).await;
    ends(&ran, Exit::Done);
    assert_eq!(
        ran.stdout,
        "in-use: Applications still name the Stage or the Project that is to be deleted.\n  \
         rule     Without their Stage, Applications can't be rendered any more.\n  \
         who may  Whoever has the verb bypass on the Stage, on all Stages for a Project.\n  \
         next     Let the Applications go first: wharf release APPLICATION.\n\
         look: wharf why stage/prod -p shop\n\
         look: wharf -p shop why application/argocd/web\n"
    );
    // Pasted without quotation marks, it comes in words.
    let words: Vec<&str> = [&["why"][..], &denial.split(' ').collect::<Vec<_>>()].concat();
    assert_eq!(api.wharf(&words).await.stdout, ran.stdout);

    let ran = api.wharf(&["why", "soak", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["denials"][0]["code"], "soak");
    assert!(api.written().is_empty());

    for args in [&["why", "v1.9.1"][..], &["why", "no", "--", "[such]"], &["why", "--to", "prod"]] {
        let ran = api.wharf(args).await;
        ends(&ran, Exit::Usage);
        assert!(ran.stderr.contains("wharf -p shop why FREIGHT --to STAGE"), "{}", ran.stderr);
    }
}

fn app(claim: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": { "name": "web", "namespace": "argocd", "annotations": { "kargo.akuity.io/authorized-stage": "shop:prod" } },
        "spec": { "source": { "repoURL": "x", "plugin": { "name": "wharfinger", "env": [
            { "name": "WHARFINGER_STAGE", "value": "shop:prod" }, { "name": "WHARFINGER_FREIGHT", "value": claim },
        ] } } },
        "status": { "conditions": [] },
    })
}

#[tokio::test]
async fn an_object_says_why_it_is_as_it_is() {
    let api = shop();
    let at = "GET /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web";
    let list = "GET /apis/argoproj.io/v1alpha1/applications";
    let it = app("41-2");
    api.answer(at, 200, it.clone()).answer(list, 200, json!({ "items": [it] }));

    let ran = api.wharf(&["why", "application/web"]).await;
    ends(&ran, Exit::Done);
    let head = "argocd/web belongs to Stage shop:prod, which holds v1.9.0, generation 41\n";
    assert!(ran.stdout.starts_with(head), "{}", ran.stdout);
    let codes = api.wharf(&["why", "application/argocd/web", "-o", "name"]).await.stdout;
    let code = codes.trim();
    assert!(!code.is_empty() && ran.stdout.contains(&format!("\n{code}: ")), "{}", ran.stdout);

    let ran = api.wharf(&["why", "stage/prod"]).await;
    ends(&ran, Exit::Done);
    assert!(ran.stdout.starts_with("shop/prod  v1.9.0  generation 41"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("\n{code}: ")), "{}", ran.stdout);

    let mut unnamed = app("41-2");
    unnamed["metadata"]["annotations"] = json!({});
    api.answer(at, 200, unnamed.clone());
    let codes = api.wharf(&["why", "application/web", "-o", "name"]).await.stdout;
    assert_eq!(codes, "authorized-stage\n");
    unnamed["spec"]["source"]["plugin"] = json!(null);
    api.answer(at, 200, unnamed);
    let ran = api.wharf(&["why", "application/web"]).await;
    assert!(ran.stdout.contains("names no Stage"), "{}", ran.stdout);

    let ended = working(&json!({}), "Errored", "step 1: not done within 5m0s [timeout]");
    api.objects("promotions", &[ended]);
    let ran = api.wharf(&["why", &format!("promotion/{PROMOTION}")]).await;
    assert!(ran.stdout.contains("\ntimeout: The step did not end in time.\n"), "{}", ran.stdout);

    api.answer(at, 404, status(404, "no"));
    ends(&api.wharf(&["why", "application/web"]).await, Exit::Failed);
}
