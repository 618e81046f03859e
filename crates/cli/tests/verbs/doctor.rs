//! `wharf doctor`, where it puts together what it has from several places.

use serde_json::{Value, json};
use wharfinger_cli::exit::Exit;

use crate::fake::{Api, Ran, path, status};

const WEB: &str = "ghcr.io/acme/web";
const DB: &str = "ghcr.io/acme/db";
const TOOL: &str = "ghcr.io/acme/tool";
const PODS: &str = "GET /api/v1/namespaces/argocd/pods";

fn stage(collection: &str) -> Value {
    let images = json!([{ "repoURL": WEB, "tag": "1" }, { "repoURL": DB, "tag": "1" }]);
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let items = json!({ "Warehouse/main": { "name": "f", "origin": origin, "images": images } });
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": { "name": "dev", "namespace": "shop" },
        "spec": { "requestedFreight": [{ "origin": origin, "sources": { "direct": true } }] },
        "status": {
            "freightHistory": [{ "id": collection, "items": items }],
            "assignment": { "generation": 2, "collection": collection, "assignedAt": "2026-11-21T11:18:04Z" },
        },
    })
}

fn app(name: &str, policy: &Value) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "argocd", "annotations": { "kargo.akuity.io/authorized-stage": "shop:dev" } },
        "spec": { "syncPolicy": policy, "source": { "repoURL": "https://ana:hunter2@git.example/shop", "path": "web", "plugin": { "name": "wharfinger" } } },
    })
}

/// One source, as a sidecar tells it.
fn render(app: &str, collection: &str, time: &str, used: &[&str], others: &[&str]) -> Value {
    json!({
        "namespace": "argocd", "application": app, "repository": "https://git.example/shop", "path": "web", "checks": [],
        "stage": "shop:dev", "collection": collection, "images": { "used": used, "others": others },
        "time": format!("2026-11-21T{time}:00Z"),
    })
}

/// A Pod of repo-server with our sidecar, and others beside it.
fn pod(name: &str, others: &[Value]) -> Value {
    let ports = json!([{ "name": "wharf-admin", "containerPort": 8090 }]);
    let known =
        [json!({ "name": "argocd-repo-server" }), json!({ "name": "wharfinger", "ports": ports })];
    let status = json!({ "name": "wharfinger", "ready": true, "image": "", "imageID": "", "restartCount": 0 });
    let containers = [&known[..], others].concat();
    json!({
        "metadata": { "name": name, "namespace": "argocd" },
        "spec": { "containers": containers }, "status": { "containerStatuses": [status] },
    })
}

fn list(items: &[Value]) -> Value {
    json!({ "metadata": {}, "items": items })
}

/// Two repo-servers, which tell of what they rendered, and the Applications.
fn cluster(renders: [&[Value]; 2], apps: &[Value]) -> Api {
    let api = Api::default();
    api.answer(PODS, 200, list(&[pod("a", &[]), pod("b", &[])]));
    for (name, renders) in ["a", "b"].into_iter().zip(renders) {
        let told = json!({ "tools": { "helm": "4" }, "renders": renders });
        api.answer(&format!("{PODS}/{name}:8090/proxy/renders"), 200, told);
    }
    let subscriptions = json!([{ "image": { "repoURL": WEB } }, { "image": { "repoURL": TOOL } }]);
    let warehouse = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse", "metadata": { "name": "main", "namespace": "shop" },
        "spec": { "subscriptions": subscriptions },
    });
    api.answer("GET /apis/argoproj.io/v1alpha1/applications", 200, list(apps))
        .objects("stages", &[stage("now")])
        .objects("warehouses", &[warehouse]);
    api
}

async fn doctor(api: &Api) -> (Ran, Vec<Value>) {
    let ran = api.wharf(&["doctor", "--only", "plugin", "-o", "json"]).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap().clone();
    (ran, checks)
}

/// Of the images: the code, the state and what the text has.
async fn check(api: &Api, expected: &[(&str, &str, &str)]) {
    let (ran, checks) = doctor(api).await;
    let of_images = |check: &&Value| check["code"].as_str().unwrap().starts_with("image-");
    let found: Vec<&Value> = checks.iter().filter(of_images).collect();
    let fits = |(check, (code, state, text)): (&&Value, &(&str, &str, &str))| {
        check["code"] == *code
            && check["state"] == *state
            && check["text"].as_str().unwrap().contains(text)
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(fits),
        "{expected:?}: {found:#?}"
    );
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
}

#[tokio::test]
async fn images_of_a_stage_are_judged_by_what_all_sidecars_tell() {
    let apps = [app("one", &json!({})), app("two", &json!({}))];
    let one = render("one", "now", "10:00", &[WEB], &[TOOL]);
    let two =
        |collection: &str, time: &str, used: &[&str]| render("two", collection, time, used, &[]);
    let unused = (
        "image-unused",
        "Warning",
        "Stage shop:dev: the Freight holds the image ghcr.io/acme/db, but no Application of the Stage uses it",
    );
    let unmanaged = (
        "image-unmanaged",
        "Warning",
        "Stage shop:dev: the image ghcr.io/acme/tool is subscribed by Warehouse main",
    );
    let unknown =
        ("image-unused", "Waiting", "no sidecar that answered has rendered argocd/two with it");
    let with = |two: &[Value]| cluster([std::slice::from_ref(&one), two], &apps);

    check(&with(&[two("now", "10:00", &[])]), &[unused, unmanaged]).await;
    check(&with(&[two("now", "10:00", &[DB])]), &[unmanaged]).await;
    check(&with(&[]), &[unmanaged, unknown]).await;
    check(&with(&[two("before", "11:00", &[DB])]), &[unmanaged, unknown]).await;

    // Of one source, the newest counts, whichever replica has it.
    let (old, new) = (two("now", "09:00", &[DB]), two("now", "11:00", &[]));
    check(
        &cluster([&[one.clone(), old.clone()], std::slice::from_ref(&new)], &apps),
        &[unused, unmanaged],
    )
    .await;
    check(&cluster([&[one.clone(), new], &[old]], &apps), &[unused, unmanaged]).await;

    // Who did not answer may have it.
    let silent = with(&[two("now", "10:00", &[])]);
    silent.answer(&format!("{PODS}/b:8090/proxy/renders"), 503, status(503, "no"));
    check(&silent, &[unmanaged, unknown]).await;
    // So may Applications that can't be seen.
    let narrow = with(&[two("now", "10:00", &[])]);
    narrow.answer("GET /apis/argoproj.io/v1alpha1/applications", 403, status(403, "forbidden"));
    let here = list(&apps);
    narrow.answer("GET /apis/argoproj.io/v1alpha1/namespaces/argocd/applications", 200, here);
    let unknown =
        ("image-unused", "Waiting", "has rendered Applications of other namespaces with it");
    check(&narrow, &[unmanaged, unknown]).await;

    // Nobody belongs to it any more.
    check(&cluster([std::slice::from_ref(&one), &[]], &[]), &[]).await;
    // Nothing was rendered, nothing is said.
    check(&cluster([&[], &[]], &apps), &[]).await;
    let all = render("one", "now", "10:00", &[WEB, DB], &[]);
    let well = ("image-unused", "Passed", "every image of the Freight is used in 1 Stages");
    check(&cluster([&[all], &[]], &apps[..1]), &[well]).await;
    // Where Applications can't be listed at all, the rest is told.
    let blind = with(&[]);
    for place in ["", "/namespaces/argocd"] {
        let list = format!("GET /apis/argoproj.io/v1alpha1{place}/applications");
        blind.answer(&list, 403, status(403, "forbidden"));
    }
    check(&blind, &[("image-unused", "Warning", "not looked at: can't list Applications")]).await;
}

#[tokio::test]
async fn a_revision_that_anybody_may_choose_is_told_where_it_matters() {
    let setting = "application.sync.requireOverridePrivilegeForRevisionSync";
    let told = async |api: &Api| -> Vec<(String, String)> {
        let (_, checks) = doctor(api).await;
        let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
        let about = checks.iter().filter(|c| c["text"].as_str().unwrap().contains(setting));
        about.map(|check| (text(check, "state"), text(check, "text"))).collect()
    };
    let by_hand = [app("one", &json!({})), app("two", &json!({ "automated": {} }))];
    let api = cluster([&[], &[]], &by_hand);
    let [(state, text)] = &told(&api).await[..] else { panic!("one") };
    assert!(state == "Warning" && text.contains("sync argocd/one in"), "{state} {text}");

    let map = json!({ "metadata": { "name": "argocd-cm" }, "data": { (setting): "true" } });
    api.answer("GET /api/v1/namespaces/argocd/configmaps/argocd-cm", 200, map);
    assert_eq!(told(&api).await, [("Passed".to_owned(), format!("{setting}=true"))]);

    assert_eq!(told(&cluster([&[], &[]], &by_hand[1..])).await, []);
}

#[tokio::test]
async fn another_plugin_beside_the_sidecar_is_told() {
    let api = cluster([&[], &[]], &[]);
    let other = async |api: &Api| {
        let (_, checks) = doctor(api).await;
        let found = checks.into_iter().find(|check| check["code"] == "other-plugin");
        found.map(|check| check["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(other(&api).await.as_deref(), Some("Passed"));
    api.answer(PODS, 200, list(&[pod("a", &[other_plugin()])]));
    assert_eq!(other(&api).await.as_deref(), Some("Warning"));
}

/// As Argo CD's manual has it.
fn other_plugin() -> Value {
    json!({
        "name": "avp", "command": ["/var/run/argocd/argocd-cmp-server"],
        "volumeMounts": [{ "name": "plugins", "mountPath": "/home/argocd/cmp-server/plugins" }],
    })
}

/// `docs/doctor.md` shows what is printed.
#[tokio::test]
async fn the_page_is_right() {
    let apps = [app("web", &json!({})), app("jobs", &json!({}))];
    let api = cluster([&[render("web", "now", "10:00", &[WEB], &[TOOL])], &[]], &apps);
    let mut replica = pod("a", &[other_plugin()]);
    replica["spec"]["containers"][0]["volumeMounts"] = other_plugin()["volumeMounts"].clone();
    api.answer(PODS, 200, list(&[replica]));
    let set = |name: &str, value: &str| json!({ "name": name, "value": value });
    let env = json!([
        set("ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS", "2147483647"),
        set("ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS", "true"),
    ]);
    let containers = json!([{ "name": "argocd-repo-server", "env": env }]);
    let spec = json!({ "selector": {}, "template": { "spec": { "containers": containers } } });
    let deployment = json!({ "metadata": { "name": "argocd-repo-server" }, "spec": spec });
    let place = "GET /apis/apps/v1/namespaces/argocd/deployments/argocd-repo-server";
    api.answer(place, 200, deployment);
    let ran = api.wharf(&["doctor", "--only", "plugin"]).await;
    let page = include_str!("../../../../docs/doctor.md");
    let (_, shown) = page.split_once("$ wharf doctor --only plugin\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert_eq!(shown, ran.stdout);
}

#[tokio::test]
async fn a_stage_that_can_not_be_read_is_told() {
    let one = render("one", "now", "10:00", &[WEB], &[]);
    let api = cluster([&[one], &[]], &[app("one", &json!({}))]);
    api.answer(&format!("GET {}", path("stages/dev")), 403, status(403, "forbidden"));
    check(&api, &[("image-unused", "Warning", "not looked at: the images of shop:dev")]).await;
}
