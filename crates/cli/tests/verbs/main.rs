//! What the verbs ask, print and end with, against an API that says what a test wants.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking, and its helpers are tests too"
)]

mod doctor;
mod fake;
mod why;

use fake::{Api, Ran, path, run, status};
use serde_json::{Value, json};
use wharfinger_cli::exit::Exit;

const A: &str = "b3e7149de5914b1d5400c3b3675d52843f1762b6";
const B: &str = "c021d5477b24cc671550cfa87f16fb6e4828ad18";
const PROMOTION: &str = "prod.01kaj6v5b2m8q3w7x9ytz4rghd.b3e7149";

fn freight(name: &str, tag: &str) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Freight",
        "metadata": { "name": name, "namespace": "shop", "creationTimestamp": "2026-11-21T14:14:04Z" },
        "alias": format!("{tag}-otter"),
        "origin": { "kind": "Warehouse", "name": "web" },
        "images": [{ "repoURL": "ghcr.io/acme/web", "tag": tag }],
        "commits": [{ "repoURL": "https://git.example/shop", "id": "ab12f3e00000" }],
        "status": { "currentlyIn": { "dev": { "since": "2026-11-21T14:14:04Z" } }, "verifiedIn": { "dev": { "verifiedAt": "2026-11-21T14:15:04Z" } } },
    })
}

fn reference(name: &str, tag: &str) -> Value {
    json!({ "name": name, "origin": { "kind": "Warehouse", "name": "web" }, "images": [{ "repoURL": "ghcr.io/acme/web", "tag": tag }] })
}

fn stage() -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage",
        "metadata": { "name": "prod", "namespace": "shop", "resourceVersion": "1" },
        "spec": {
            "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "stages": ["dev"], "requiredSoakTime": "10m" } }],
            "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
        },
        "status": {
            "assignment": { "generation": 41, "collection": "2", "promotion": "prod.00", "actor": "kubernetes:ana", "reason": "1.9", "assignedAt": "2026-11-21T11:18:04Z" },
            "freightHistory": [
                { "id": "2", "items": { "Warehouse/web": reference(B, "v1.9.0") } },
                { "id": "1", "items": { "Warehouse/web": reference(A, "v1.9.1") }, "verificationHistory": [{ "phase": "Successful" }] },
            ],
            "health": { "status": "Healthy" },
            "conditions": [{ "type": "Ready", "status": "True", "message": "as it\u{1b}[2J should be", "reason": "x", "lastTransitionTime": "2026-11-21T11:18:04Z" }],
        },
    })
}

fn promotion(status: &Value) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion",
        "metadata": { "name": PROMOTION, "namespace": "shop", "resourceVersion": "2", "creationTimestamp": "2026-11-21T14:18:04Z" },
        "spec": { "stage": "prod", "freight": A, "steps": [{ "uses": "assign" }] },
        "status": status,
    })
}

fn working(check: &Value, phase: &str, message: &str) -> Value {
    promotion(&json!({
        "phase": phase, "message": message, "startedAt": "2026-11-21T14:18:04Z", "finishedAt": "2026-11-21T14:18:45Z",
        "state": { "step-1": {
            "assignment": { "generation": 42 },
            "applications": [{ "namespace": "argocd", "name": "web", "check": check }],
        } },
    }))
}

/// A Project with one Stage and two pieces of Freight.
fn shop() -> Api {
    let (api, mut held) = (Api::default(), freight(B, "v1.9.0"));
    held["metadata"]["creationTimestamp"] = json!("2026-11-20T14:14:04Z");
    api.objects("stages", &[stage()])
        .objects("freights", &[freight(A, "v1.9.1"), held])
        .objects("promotions", &[])
        .objects("warehouses", &[])
        .answer(&format!("POST {}", path("promotions")), 201, promotion(&json!({})))
        .answer("GET /apis/argoproj.io/v1alpha1/applications", 200, json!({ "items": [] }));
    api
}

fn ends(ran: &Ran, exit: Exit) {
    assert_eq!(ran.exit, exit, "{ran:#?}");
}

#[tokio::test]
async fn promote_asks_for_what_was_meant() {
    let api = shop();
    let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--reason", "release"]).await;
    ends(&ran, Exit::Done);
    assert_eq!(ran.stdout, format!("✓ shop/prod  v1.9.0 → v1.9.1  {PROMOTION}  created\n"));
    let [asked] = &api.written()[..] else { panic!("{:?}", api.written()) };
    assert_eq!(asked.body["spec"], json!({ "stage": "prod", "freight": A, "steps": [] }));
    assert_eq!(
        asked.body["metadata"]["annotations"],
        json!({ "wharfinger.dev/reason": "release" })
    );
    assert_eq!(asked.body["metadata"]["generateName"], "promo-");

    for args in [
        &["promote", A, "--to", "prod"][..],
        &["promote", "--freight", "b3e7149", "--stage", "prod"],
        &["promote", "--freight-alias", "v1.9.1-otter", "--stage", "prod"],
        &["promote", "web:v1.9.1", "--downstream-from", "dev"],
    ] {
        let api = shop();
        ends(&api.wharf(args).await, Exit::Done);
        assert_eq!(api.written()[0].body["spec"]["freight"], A, "{args:?}");
    }
}

#[tokio::test]
async fn a_dry_run_is_the_clusters_and_a_stage_that_moved_is_left_alone() {
    let api = shop();
    let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--dry-run", "-o", "name"]).await;
    ends(&ran, Exit::Done);
    assert_eq!(ran.stdout, format!("promotion.kargo.akuity.io/{PROMOTION}\n"));
    assert_eq!(api.written()[0].query.trim_start_matches('&'), "dryRun=All");

    let api = shop();
    let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--if-current", "40"]).await;
    ends(&ran, Exit::Conflict);
    assert!(ran.stderr.contains("Stage prod holds generation 41, assigned by prod.00, not 40"));
    assert!(api.written().is_empty());

    api.objects("promotions", &[promotion(&json!({ "phase": "Running" }))]);
    let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--if-current", "41"]).await;
    ends(&ran, Exit::Conflict);
    assert!(ran.stderr.contains(&format!("the Promotion {PROMOTION} to Stage prod is under way")));

    api.objects("promotions", &[promotion(&json!({ "phase": "Failed" }))]);
    let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--if-current", "41"]).await;
    ends(&ran, Exit::Done);
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let denied = "admission webhook \"promotions.wharfinger.dev\" denied the request: wharfinger: ";
    for (code, message, exit, said) in [
        (
            403,
            format!("{denied}not verified in dev. Promote it there [verified]"),
            Exit::Blocked,
            "✗ refused: not verified in dev. Promote it there [verified]\n  next: Why: wharf -p shop why b3e7149 --to prod\n",
        ),
        (
            403,
            format!("{denied}ana may not [permission]"),
            Exit::NotAllowed,
            "✗ refused: ana may not [permission]\n",
        ),
        (403, "promotions is forbidden: User \"ana\"".into(), Exit::NotAllowed, "User \"ana\""),
        (401, "Unauthorized".into(), Exit::NotAllowed, "Log in"),
        (409, "changed".into(), Exit::Conflict, "changed"),
        (
            500,
            "Internal error occurred: failed calling webhook \"x\": refused".into(),
            Exit::Unreachable,
            "Look at the webhook",
        ),
        (503, "no".into(), Exit::Unreachable, "Try again"),
        (
            422,
            "stage: \u{1b}[2J invalid".into(),
            Exit::Failed,
            "can't promote b3e7149 to Stage prod: stage: \u{fffd}[2J invalid",
        ),
    ] {
        let api = shop();
        api.answer(&format!("POST {}", path("promotions")), code, status(code, &message));
        let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod"]).await;
        ends(&ran, exit);
        assert!(ran.stderr.contains(said), "{message}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[tokio::test]
async fn waiting_tells_each_step_and_ends_as_the_promotion_does() {
    let syncing = json!({ "code": "operation-running", "state": "Waiting", "text": "syncing" });
    let synced = json!({ "code": "converged", "state": "Passed", "text": "synced" });
    let refused = json!({ "code": "render-failed", "state": "Failed", "text": "no such file" });
    for (last, exit, outcome) in [
        (
            working(&synced, "Succeeded", "1 of 1 Applications done"),
            Exit::Done,
            "✓ shop/prod  v1.9.0 → v1.9.1  @  Succeeded, generation 42, took 41s\n",
        ),
        (
            working(&refused, "Failed", "no such file"),
            Exit::Unsuccessful,
            "✗ shop/prod  v1.9.0 → v1.9.1  @  Failed, generation 42, took 41s: no such file\n",
        ),
    ] {
        let api = shop();
        let begun = promotion(&json!({}));
        let list = json!({ "metadata": { "resourceVersion": "2" }, "items": [begun] });
        let states = [working(&syncing, "Running", "0 of 1"), last];
        api.answer(&format!("GET {}", path("promotions")), 200, list).events("promotions", &states);
        let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--wait"]).await;
        ends(&ran, exit);
        assert_eq!(ran.stdout, outcome.replace('@', PROMOTION));
        let told: Vec<_> = ran.stderr.lines().take(3).collect();
        assert_eq!(
            told,
            [
                format!("2026-11-21T14:18:04Z prod admitted {PROMOTION}"),
                "2026-11-21T14:18:04Z prod assigned generation 42".into(),
                "2026-11-21T14:18:04Z prod argocd/web syncing [operation-running]".into(),
            ]
        );

        let ran = api.wharf(&["promote", "v1.9.1", "--to", "prod", "--wait", "-o", "jsonl"]).await;
        ends(&ran, exit);
        let lines: Vec<Value> =
            ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let events: Vec<_> = lines.iter().filter_map(|l| l["event"].as_str()).collect();
        assert_eq!(events, ["admitted", "assigned", "application", "application", "ended"]);
        assert_eq!(lines.last().unwrap()["kind"], "Promotion");
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends_and_the_promotion_does_not() {
    let api = shop();
    let list = json!({ "metadata": { "resourceVersion": "2" }, "items": [promotion(&json!({}))] });
    api.answer(&format!("GET {}", path("promotions")), 200, list);
    let args = ["promote", "v1.9.1", "--to", "prod", "--wait", "--timeout", "10m"];
    let ran = api.wharf(&args).await;
    ends(&ran, Exit::TimedOut);
    assert!(ran.stderr.contains(&format!("the Promotion goes on: {PROMOTION}")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("wharf -p shop watch {PROMOTION}")));

    // Whoever may not look on is told so at once.
    api.answer(&format!("GET {}", path("promotions")), 403, status(403, "forbidden"));
    ends(&api.wharf(&args).await, Exit::NotAllowed);

    // What is gone will not end.
    api.objects("promotions", &[]);
    ends(&api.wharf(&args).await, Exit::Unsuccessful);
}

#[tokio::test]
async fn a_rollback_goes_back_to_what_was_verified() {
    let api = shop();
    let ran = api.wharf(&["rollback", "prod", "--reason", "INC-91"]).await;
    ends(&ran, Exit::Done);
    let asked = &api.written()[0].body;
    assert_eq!(asked["spec"]["freight"], A);
    assert_eq!(
        asked["metadata"]["annotations"],
        json!({ "kargo.akuity.io/rollback": "true", "wharfinger.dev/collection": "1", "wharfinger.dev/reason": "INC-91" })
    );
    ends(&api.wharf(&["rollback", "prod", "--to", "v1.9.1-otter"]).await, Exit::Done);
    let ran = api.wharf(&["rollback", "prod", "--to", "v1.8.0"]).await;
    ends(&ran, Exit::Failed);
    assert!(ran.stderr.contains("there is no Freight \"v1.8.0\" in the history of Stage prod"));
    // It is there already.
    ends(&api.wharf(&["rollback", "prod", "--to", "v1.9.0"]).await, Exit::Blocked);
}

#[tokio::test]
async fn approve_adds_one_entry_and_nothing_else() {
    let api = shop();
    let status = format!("PATCH {}", path(&format!("freights/{A}/status")));
    api.answer(&status, 200, freight(A, "v1.9.1"));
    let ran = api.wharf(&["approve", "v1.9.1", "--to", "prod"]).await;
    ends(&ran, Exit::Done);
    assert_eq!(ran.stdout, "✓ v1.9.1-otter (v1.9.1) is approved for Stage prod\n");
    assert_eq!(
        api.written()[0].body,
        json!({ "status": { "approvedFor": { "prod": { "approvedAt": fake::NOW } } } })
    );

    let mut approved = freight(A, "v1.9.1");
    approved["status"]["approvedFor"]["prod"] = json!({ "approvedAt": fake::NOW });
    api.objects("freights", &[approved]);
    let ran = api.wharf(&["approve", "v1.9.1", "--to", "prod"]).await;
    ends(&ran, Exit::Done);
    assert_eq!(api.written().len(), 1);
}

#[tokio::test]
async fn why_shows_every_check() {
    let api = shop();
    let user = json!({ "status": { "userInfo": { "username": "ana" } } });
    let review = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    api.answer("POST /apis/authentication.k8s.io/v1/selfsubjectreviews", 201, user).answer(
        review,
        201,
        json!({ "spec": {}, "status": { "allowed": true } }),
    );
    let ran = api.wharf(&["why", "v1.9.1", "--to", "prod"]).await;
    ends(&ran, Exit::Blocked);
    let head = ran.stdout.lines().next().unwrap();
    assert_eq!(head, "✗ v1.9.1-otter (v1.9.1) is not available to shop/prod");
    for code in [
        "✓ origin-requested",
        "✓ verified",
        "◷ soak",
        "✓ queue",
        "✓ permission",
        "! apps-authorised",
    ] {
        assert!(ran.stdout.contains(code), "{code} is missing:\n{}", ran.stdout);
    }
    let ran = api.wharf(&["why", "v1.9.1", "--to", "prod", "-o", "name"]).await;
    assert_eq!(ran.stdout, "soak\napps-authorised\n");

    api.answer(review, 201, json!({ "spec": {}, "status": { "allowed": false } }));
    let mut direct = stage();
    direct["spec"]["requestedFreight"][0]["sources"] = json!({ "direct": true });
    api.objects("stages", &[direct]);
    let ran = api.wharf(&["why", "v1.9.1", "--to", "prod", "-o", "json"]).await;
    ends(&ran, Exit::NotAllowed);
    let reasons: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&reasons["schema"], &reasons["available"]), (&json!("wharf/v1"), &json!(true)));
    assert_eq!(reasons["permitted"], false);

    // Nobody promotes to a Stage without steps.
    let mut passing = stage();
    passing["spec"]["requestedFreight"][0]["sources"] = json!({ "direct": true });
    passing["spec"].as_object_mut().unwrap().remove("promotionTemplate");
    api.objects("stages", &[passing]);
    let ran = api.wharf(&["why", "v1.9.1", "--to", "prod"]).await;
    ends(&ran, Exit::Done);
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, "Stage prod has no steps: what is available to it passes on by itself");
}

#[tokio::test]
async fn every_kind_has_a_table() {
    let api = shop();
    let made = json!({ "name": "one", "namespace": "shop", "creationTimestamp": "2026-11-21T11:18:04Z", "labels": { "region": "eu" }, "annotations": { "kargo.akuity.io/create-actor": "kubernetes:ana", "wharfinger.dev/reason": "release" } });
    let conditions = json!([{ "type": "Ready", "status": "False", "reason": "R", "message": "why", "lastTransitionTime": "2026-11-21T11:18:04Z" }]);
    let status = json!({ "conditions": conditions });
    let task = json!({ "vars": [{ "name": "a" }, { "name": "b", "value": "x" }, { "name": "c" }], "steps": [{ "uses": "http" }, { "uses": "assign" }] });
    let receivers = json!([{ "name": "r", "quay": { "secretRef": { "name": "s" } } }]);
    let windows = json!([{ "name": "w", "kind": "Allow" }, { "name": "v", "kind": "Deny" }]);
    let of_project = |plural: &str, spec: Value| {
        let object = json!({ "metadata": made, "spec": spec, "status": status });
        api.objects(plural, &[object]);
    };
    of_project(
        "projectconfigs",
        json!({ "promotionPolicies": [{ "stage": "a" }], "webhookReceivers": receivers, "promotionWindows": windows }),
    );
    of_project("promotiontasks", task.clone());
    of_project(
        "promotionrequests",
        json!({ "stage": "prod", "freight": A, "targets": [{ "name": "eu" }, { "name": "us" }] }),
    );
    of_project("targets", json!({ "params": { "zone": 1, "cluster": "a" } }));
    let held = json!({ "id": "2", "items": { "Warehouse/web": reference(A, "v1.9.1") } });
    let failed = json!({ "phase": "Failed", "message": "late", "freightCollection": held });
    let promoted = json!({ "metadata": made, "spec": { "stage": "prod", "freight": A, "steps": [] }, "status": failed });
    let found = json!({ "conditions": conditions, "lastFreightID": B, "discoveredArtifacts": { "discoveredAt": "2026-11-21T14:14:04Z" } });
    let watching = json!({ "metadata": made, "spec": { "interval": "5m0s", "freightCreationPolicy": "Manual", "subscriptions": [{}] }, "status": found });
    api.objects("promotions", &[promoted]).objects("warehouses", &[watching]);
    let of_cluster = |plural: &str, spec: Value| {
        let object = json!({ "metadata": made, "spec": spec, "status": status });
        let list = json!({ "metadata": {}, "items": [object] });
        api.answer(&format!("GET /apis/kargo.akuity.io/v1alpha1/{plural}"), 200, list);
    };
    of_cluster(
        "clusterconfigs",
        json!({ "promotionWindows": windows, "webhookReceivers": receivers }),
    );
    of_cluster("clusterpromotiontasks", task);
    of_cluster("projects", Value::Null);
    for (names, kind, shown) in [
        (&["projects", "project"][..], "project", "NAME READY AGE\none False 3h\n"),
        (
            &["projectconfigs", "projectconfig"],
            "projectconfig",
            "NAME POLICIES WINDOWS RECEIVERS READY AGE STATUS\none 1 2 1 False 3h why\n",
        ),
        (
            &["clusterconfigs", "clusterconfig"],
            "clusterconfig",
            "NAME WINDOWS RECEIVERS READY AGE STATUS\none 2 1 False 3h why\n",
        ),
        (
            &["promotiontasks", "promotiontask", "promotasks", "promotask"],
            "promotiontask",
            "NAME TAKES STEPS AGE\none a,c http,assign 3h\n",
        ),
        (
            &[
                "clusterpromotiontasks",
                "clusterpromotiontask",
                "clusterpromotasks",
                "clusterpromotask",
            ],
            "clusterpromotiontask",
            "NAME TAKES STEPS AGE\none a,c http,assign 3h\n",
        ),
        (
            &["promotionrequests", "promotionrequest"],
            "promotionrequest",
            "NAME STAGE FREIGHT TARGETS PHASE AGE STATUS\none prod b3e7149 eu,us Pending 3h why\n",
        ),
        (
            &["targets", "target"],
            "target",
            "NAME PARAMS AGE LABELS\none cluster,zone 3h region=eu\n",
        ),
        (
            &["promotions", "promotion", "promos", "promo"],
            "promotion",
            "NAME STAGE VERSION FREIGHT PHASE AGE BY REASON MESSAGE\n\
             one prod v1.9.1 b3e7149 Failed 3h ana release late\n",
        ),
        (
            &["warehouses", "warehouse"],
            "warehouse",
            "NAME POLICY INTERVAL READY LAST FREIGHT DISCOVERED AGE STATUS\n\
             one Manual 5m0s False c021d54 4m 3h why\n",
        ),
    ] {
        for name in names {
            let ran = api.wharf(&["get", name, "-o", "wide"]).await;
            ends(&ran, Exit::Done);
            let cells = ran
                .stdout
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n");
            assert_eq!(cells.collect::<String>(), shown, "{name}");
        }
        let ran = api.wharf(&["get", names[0], "one", "-o", "name"]).await;
        assert_eq!(ran.stdout, format!("{kind}.kargo.akuity.io/one\n"));
        for format in ["json", "yaml"] {
            let ran = api.wharf(&["get", names[0], "one", "-o", format]).await;
            let object: Value = serde_saphyr::from_str(&ran.stdout).unwrap();
            assert_eq!((&object["metadata"], object["kind"].is_string()), (&made, true), "{kind}");
        }
    }
    api.answer("GET /apis/kargo.akuity.io/v1alpha1/clusterconfigs", 200, json!({ "items": [] }));
    let none = api.wharf(&["get", "clusterconfig"]).await;
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "There is none.\n"));
}

#[tokio::test]
async fn tables_are_for_people() {
    let api = shop();
    for (args, shown) in [
        (
            &["get", "stages"][..],
            "NAME   VERSION   FREIGHT   GEN   SINCE   HEALTH    STATUS\n\
             prod   v1.9.0    c021d54   41    3h      Healthy   as it\u{fffd}[2J should be\n",
        ),
        (
            &["get", "stage", "prod", "--no-headers"],
            "prod   v1.9.0   c021d54   41   3h   Healthy   as it\u{fffd}[2J should be\n",
        ),
        (
            &["get", "freight", "v1.9.1"],
            "NAME      ALIAS          VERSION   COMMIT    WAREHOUSE   AGE   IN    VERIFIED   NEXT\n\
             b3e7149   v1.9.1-otter   v1.9.1    ab12f3e   web         4m    dev   dev        prod in 6m (soak)\n",
        ),
        (&["get", "freight", "--warehouse", "api"], ""),
        (&["get", "stages", "-o", "name"], "stage.kargo.akuity.io/prod\n"),
        (
            &["status"],
            "STAGE   VERSION   GEN   SINCE   HEALTH    NOW\n\
             prod    v1.9.0    41    3h      Healthy\n",
        ),
        (
            &["status", "prod"],
            "shop/prod  v1.9.0  generation 41, since 3h by ana: 1.9\n\
             ✓ Healthy\n\
             ! no Application names the Stage\n",
        ),
        (
            &["history", "prod"],
            "GEN   WHEN                   FREIGHT          BY    TOOK   RESULT     REASON\n\
             41*   2026-11-21T11:18:04Z   v1.9.0 c021d54   ana          Assigned   1.9\n",
        ),
    ] {
        let ran = api.wharf(args).await;
        ends(&ran, Exit::Done);
        assert_eq!(ran.stdout, shown, "{args:?}");
    }
    // Freight is worth a look without the Stages.
    let hidden = shop();
    hidden.answer(&format!("GET {}", path("stages")), 403, status(403, "stages is forbidden"));
    let ran = hidden.wharf(&["get", "freight", "v1.9.1"]).await;
    ends(&ran, Exit::Done);
    assert!(ran.stdout.ends_with("dev   dev\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "You may not list Stages, so NEXT stays empty.\n");

    let ran = api.wharf(&["get", "stages", "-o", "json"]).await;
    let list: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&list["kind"], &list["items"][0]), (&json!("List"), &stage()));
    let ran = api.wharf(&["get", "stages", "prod", "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), stage());
}

#[tokio::test(start_paused = true)]
async fn watching_tells_what_changes_and_no_history() {
    let api = shop();
    let old = promotion(&json!({ "phase": "Succeeded" }));
    let mut new = promotion(&json!({ "phase": "Failed", "message": "no" }));
    new["metadata"]["name"] = "prod.02".into();
    let mut sick = stage();
    sick["status"]["health"] = json!({ "status": "Unhealthy", "issues": ["web: crash loop"] });
    api.objects("promotions", &[old]).events("promotions", &[new]).events("stages", &[sick]);
    let args = ["watch", "prod", "-o", "jsonl"];
    // It goes on for ever; the clock moves on when there is nothing left to do.
    let (page, said) = (fake::Page::default(), fake::Page::default());
    let args = [&["-p", "shop"], &args[..]].concat();
    let watching = fake::run_on(&args, Some(api.client()), &page, &said);
    let waited = tokio::time::timeout(std::time::Duration::from_secs(1), watching).await;
    assert!(waited.is_err(), "{waited:?}");
    let lines = page.text();
    let events: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut names: Vec<_> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["admitted", "ended", "health"], "{lines}");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is_near() {
    let api = shop();
    let projects = json!({ "items": [{ "metadata": { "name": "shop" } }] });
    api.answer("GET /apis/kargo.akuity.io/v1alpha1/projects", 200, projects);
    for (args, said) in [
        (
            &["promote", "v1.9.1", "--to", "prd"][..],
            "✗ there is no Stage prd in Project shop\n  next: did you mean prod?\n",
        ),
        (
            &["history", "xyz"],
            "✗ there is no Stage xyz in Project shop\n  next: List them: wharf -p shop get stages\n",
        ),
        (
            &["promote", "v1.9.2", "--to", "prod"],
            "✗ there is no Freight \"v1.9.2\"\n  next: did you mean v1.9.0 or v1.9.1 or v1.9.0-otter?\n",
        ),
        (&["get", "stages", "prdo"], "✗ there is no Stage prdo\n  next: did you mean prod?\n"),
        (&["get", "project", "shp"], "✗ there is no Project shp\n  next: did you mean shop?\n"),
        (&["watch", "prd"], "✗ there is no Stage prd in Project shop\n"),
    ] {
        let ran = api.wharf(args).await;
        ends(&ran, Exit::Failed);
        assert!(ran.stderr.starts_with(said), "{args:?}: {}", ran.stderr);
    }
    let nothing = json!({ "items": [] });
    for plural in ["stages", "promotions"] {
        let list = format!("GET {}", path(plural).replace("/shop/", "/shp/"));
        api.answer(&list, 200, nothing.clone());
    }
    for args in [&["history", "prod"][..], &["get", "stages"], &["status"]] {
        let ran = run(&[&["-p", "shp"], args].concat(), Some(api.client())).await;
        ends(&ran, Exit::Failed);
        assert!(ran.stderr.starts_with("✗ there is no Project shp\n  next: did you mean shop?\n"));
    }
}

#[tokio::test]
async fn nothing_is_asked_of_a_cluster_that_is_not_needed_or_not_there() {
    let nowhere = ["--kubeconfig", "/nowhere/kubeconfig"];
    let ran = run(&[&nowhere[..], &["completion", "bash"]].concat(), None).await;
    ends(&ran, Exit::Done);
    assert!(ran.stdout.contains("wharf"));
    let ran = run(&[&nowhere[..], &["-p", "shop", "get", "stages"]].concat(), None).await;
    ends(&ran, Exit::Failed);
    assert!(ran.stderr.contains("/nowhere/kubeconfig"), "{}", ran.stderr);
    // Kubernetes' own default namespace is no Project.
    let ran = run(&["get", "stages"], Some(Api::default().client())).await;
    ends(&ran, Exit::Usage);
    assert!(ran.stderr.contains("no Project is named"));

    // Bound and let go: nobody listens there now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{ "name": "a", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "users": [{ "name": "a", "user": {} }],
        "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a", "namespace": "shop" } }],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    let ran = run(&["--kubeconfig", file.to_str().unwrap(), "get", "stages"], None).await;
    ends(&ran, Exit::Unreachable);
    assert!(ran.stderr.contains("the cluster can't be reached"), "{}", ran.stderr);
}
