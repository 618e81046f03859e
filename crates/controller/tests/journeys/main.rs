//! The controller against an API in memory, with an Argo CD that does what it is told.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking, and its helpers are tests too"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "JSON reads better where it is used without a sign before it"
)]

mod api;
mod argocd;

use std::time::{Duration, Instant};

use api::{Api, Death};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use wharfinger_controller::fault::Faults;
use wharfinger_daemon::{Readiness, Shutdown, Tasks};

const FREIGHT: &str = "b3e7149de5914b1d5400c3b3675d52843f1762b6";

/// A world with the controller in it, and Argo CD.
struct World {
    api: Api,
    controller: JoinSet<()>,
    argocd: JoinSet<()>,
}

impl World {
    fn new() -> Self {
        let api = Api::default();
        let mut world = Self { controller: JoinSet::new(), argocd: JoinSet::new(), api };
        world.start_argocd();
        world
    }

    fn start(&mut self) {
        let client = self.api.client();
        self.controller = JoinSet::new();
        self.controller.spawn(async move {
            let mut tasks = Tasks::until(Shutdown::new());
            wharfinger_controller::run(
                client,
                64,
                Faults::default(),
                &Readiness::default(),
                &mut tasks,
            );
            tasks.run().await.unwrap();
        });
    }

    fn start_argocd(&mut self) {
        let api = self.api.clone();
        self.argocd.spawn(async move {
            let mut seen = 0;
            loop {
                let version = api.version();
                if version != seen {
                    argocd::step(&api);
                    seen = version;
                }
                sleep(Duration::from_millis(3)).await;
            }
        });
    }

    fn stage(&self, name: &str, steps: Value) {
        self.api.put("stages", json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage",
            "metadata": { "namespace": "shop", "name": name, "generation": 1 },
            "spec": {
                "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "w" }, "sources": { "direct": true } }],
                "promotionTemplate": { "spec": { "steps": steps } },
            },
        }));
    }

    /// A Stage that takes Freight from others; without steps it only passes it on.
    fn stage_after(&self, name: &str, sources: Value, steps: Option<Value>) {
        self.stage(name, steps.clone().unwrap_or_default());
        self.api.change("stages", "shop", name, |stage| {
            stage["spec"]["requestedFreight"][0]["sources"] = sources;
            if steps.is_none() {
                stage["spec"]["promotionTemplate"] = Value::Null;
            }
        });
    }

    fn freight(&self, name: &str) {
        self.api.put(
            "freights",
            json!({
                "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Freight",
                "metadata": { "namespace": "shop", "name": name },
                "origin": { "kind": "Warehouse", "name": "w" },
                "images": [{ "repoURL": "registry/app", "tag": name }],
            }),
        );
    }

    fn application(&self, name: &str, stage: &str) {
        self.api.put("applications", json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": { "namespace": "argocd", "name": name, "annotations": { "kargo.akuity.io/authorized-stage": format!("shop:{stage}") } },
            "spec": {
                "project": "default",
                "destination": { "namespace": "x" },
                "source": { "repoURL": "https://git/x.git", "targetRevision": "main", "path": ".", "plugin": { "name": "wharfinger" } },
                "syncPolicy": { "automated": {} },
            },
        }));
    }

    fn promote(&self, name: &str, stage: &str, freight: &str, annotations: Value) {
        let steps = self.api.get("stages", "shop", stage).unwrap()["spec"]["promotionTemplate"]["spec"]["steps"].clone();
        self.api.put(
            "promotions",
            json!({
                "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion",
                "metadata": { "namespace": "shop", "name": name, "annotations": annotations },
                "spec": { "stage": stage, "freight": freight, "steps": steps },
            }),
        );
    }

    fn promotion(&self, name: &str) -> Value {
        self.api.get("promotions", "shop", name).unwrap()["status"].clone()
    }

    fn stage_status(&self, name: &str) -> Value {
        self.api.get("stages", "shop", name).unwrap()["status"].clone()
    }

    fn freight_status(&self, name: &str) -> Value {
        self.api.get("freights", "shop", name).unwrap()["status"].clone()
    }

    fn app(&self, name: &str) -> Value {
        self.api.get("applications", "argocd", name).unwrap()
    }

    /// One Stage with Applications, the controller running and quiet.
    async fn with_stage(applications: &[&str]) -> Self {
        let mut world = Self::new();
        world.stage("dev", json!([{ "uses": "assign" }]));
        world.freight(FREIGHT);
        applications.iter().for_each(|name| world.application(name, "dev"));
        world.start();
        world
            .until("the Stage was looked at", |w| w.stage_status("dev")["observedGeneration"] == 1)
            .await;
        world
    }

    #[track_caller]
    fn until(
        &self,
        what: &'static str,
        mut is: impl FnMut(&Self) -> bool,
    ) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let start = Instant::now();
            while !is(self) {
                assert!(
                    start.elapsed() < Duration::from_secs(10),
                    "{caller}: never: {what}; {:#?}",
                    self.api
                        .writes()
                        .iter()
                        .rev()
                        .take(12)
                        .map(|w| format!("{} {:.300}", w.what, w.body.to_string()))
                        .collect::<Vec<_>>()
                );
                sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

fn condition<'v>(status: &'v Value, kind: &str) -> &'v Value {
    let all = status["conditions"].as_array();
    all.into_iter().flatten().find(|c| c["type"] == kind).unwrap_or(&Value::Null)
}

fn env(app: &Value) -> Vec<String> {
    let env = app["spec"]["source"]["plugin"]["env"].as_array().cloned().unwrap_or_default();
    env.iter()
        .map(|e| format!("{}={}", e["name"].as_str().unwrap(), e["value"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_promotion_goes_from_its_creation_to_the_end() {
    let world = World::with_stage(&["web", "db"]).await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({ "kargo.akuity.io/create-actor": "email:ann@example.com", "wharfinger.dev/reason": "because" }));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    world
        .until("the Stage is ready", |w| {
            condition(&w.stage_status("dev"), "Ready")["status"] == "True"
        })
        .await;

    let stage = world.stage_status("dev");
    let id = stage["freightHistory"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(stage["assignment"]["generation"], 1);
    assert_eq!(stage["assignment"]["promotion"], "dev.1.b3e7149");
    assert_eq!(stage["assignment"]["actor"], "email:ann@example.com");
    assert_eq!(stage["assignment"]["reason"], "because");
    assert!(stage["currentPromotion"].is_null());
    assert_eq!(stage["lastPromotion"]["name"], "dev.1.b3e7149");
    assert_eq!(stage["freightSummary"], FREIGHT);
    assert_eq!(stage["health"]["status"], "Healthy");

    for app in ["web", "db"] {
        assert_eq!(
            env(&world.app(app)),
            ["WHARFINGER_STAGE=shop:dev".to_owned(), format!("WHARFINGER_FREIGHT=1-{id}")]
        );
    }
    let promotion = world.promotion("dev.1.b3e7149");
    assert_eq!(promotion["message"], "2 of 2 Applications done");
    assert_eq!(promotion["freight"]["name"], FREIGHT);
    assert_eq!(promotion["state"]["step-1"]["applications"].as_array().unwrap().len(), 2);
    world
        .until("the Freight is there, and verified", |w| {
            w.freight_status(FREIGHT)["currentlyIn"]["dev"]["since"].is_string()
                && w.freight_status(FREIGHT)["verifiedIn"]["dev"]["verifiedAt"].is_string()
        })
        .await;
    let verified = &world.stage_status("dev")["freightHistory"][0]["verificationHistory"];
    assert_eq!(verified[0]["phase"], "Successful");
    let events = world.api.all("events");
    assert_eq!(
        events.iter().map(|e| e["reason"].as_str().unwrap()).collect::<Vec<_>>(),
        ["PromotionSucceeded"]
    );

    // The Stage's write is the first, and then the Applications'.
    let writes = world.api.writes();
    let from = writes.iter().position(|w| !w.body["status"]["assignment"].is_null()).unwrap();
    let order: Vec<_> = writes[from..].iter().map(|w| w.what.as_str()).collect();
    assert_eq!(order[0], "PUT stages/dev/status", "{order:?}");
    assert!(
        order[1..3].contains(&"PATCH applications/web")
            && order[1..3].contains(&"PATCH applications/db"),
        "{order:?}"
    );

    // All is done: nothing is written any more.
    sleep(Duration::from_millis(1500)).await;
    let count = world.api.writes().len();
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(world.api.writes().len(), count);
}

#[tokio::test]
async fn killed_at_any_write_it_goes_on_and_ends_right() {
    let mut deaths = 0;
    for write in 1..20 {
        for death in [Death::Before, Death::After] {
            let mut world = World::with_stage(&["web", "db"]).await;
            world.api.die_at(write, death);
            world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
            let start = Instant::now();
            let settled = |w: &World| {
                w.promotion("dev.1.b3e7149")["phase"] == "Succeeded"
                    && w.stage_status("dev")["health"]["status"] == "Healthy"
                    && w.freight_status(FREIGHT)["currentlyIn"]["dev"].is_object()
                    && w.freight_status(FREIGHT)["verifiedIn"]["dev"].is_object()
            };
            while !world.api.died() && !settled(&world) && start.elapsed() < Duration::from_secs(10)
            {
                sleep(Duration::from_millis(2)).await;
            }
            if world.api.died() {
                deaths += 1;
                world.controller.shutdown().await;
                // Argo CD does not wait for us.
                sleep(Duration::from_millis(20)).await;
                world.start();
            }
            world.until("it settled", settled).await;
            world
                .until("the Promotion is folded", |w| {
                    w.stage_status("dev")["currentPromotion"].is_null()
                })
                .await;
            let stage = world.stage_status("dev");
            assert_eq!(
                stage["assignment"]["generation"], 1,
                "killed {death:?} write {write}: assigned twice"
            );
            assert_eq!(
                stage["lastPromotion"]["name"], "dev.1.b3e7149",
                "killed {death:?} write {write}"
            );
            for app in ["web", "db"] {
                let history = world.app(app)["status"]["history"].as_array().unwrap().len();
                assert_eq!(
                    history, 1,
                    "killed {death:?} write {write}: {app} was synced {history} times"
                );
            }
        }
    }
    assert!(deaths >= 16, "only {deaths} deaths: the test does not reach the writes");
}

#[tokio::test]
async fn a_restarted_controller_takes_up_the_next_in_the_queue() {
    let mut world = World::with_stage(&["web"]).await;
    world.controller.shutdown().await;
    world.freight("c021d5477b24cc671550cfa87f16fb6e4828ad18");
    world.promote("dev.2.c021d54", "dev", "c021d5477b24cc671550cfa87f16fb6e4828ad18", json!({}));
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.start();
    world
        .until("both ended", |w| {
            ["dev.1.b3e7149", "dev.2.c021d54"]
                .iter()
                .all(|p| w.promotion(p)["phase"] == "Succeeded")
        })
        .await;
    world
        .until("folded", |w| w.stage_status("dev")["lastPromotion"]["name"] == "dev.2.c021d54")
        .await;
    let stage = world.stage_status("dev");
    assert_eq!(stage["assignment"]["generation"], 2);
    assert_eq!(stage["freightHistory"].as_array().unwrap().len(), 2);
    world.until("the second Freight is there", |w| w.api.get("freights", "shop", "c021d5477b24cc671550cfa87f16fb6e4828ad18").unwrap()["status"]["currentlyIn"]["dev"].is_object()).await;
    assert!(
        world.api.get("freights", "shop", FREIGHT).unwrap()["status"]["currentlyIn"]["dev"]
            .is_null()
    );
    // And back: it comes, the other leaves.
    world.promote("dev.3.b3e7149", "dev", FREIGHT, json!({}));
    world
        .until("the first Freight is back", |w| {
            w.api.get("freights", "shop", FREIGHT).unwrap()["status"]["currentlyIn"]["dev"]
                .is_object()
        })
        .await;
    world.until("the second left", |w| w.api.get("freights", "shop", "c021d5477b24cc671550cfa87f16fb6e4828ad18").unwrap()["status"]["currentlyIn"]["dev"].is_null()).await;
}

#[tokio::test]
async fn what_can_not_be_done_ends_the_promotion_and_assigns_nothing() {
    let world = World::with_stage(&["web"]).await;
    world.stage("other", json!([{ "uses": "assign" }, { "uses": "git-clone" }]));
    world.promote("other.1.b3e7149", "other", FREIGHT, json!({}));
    world.until("errored", |w| w.promotion("other.1.b3e7149")["phase"] == "Errored").await;
    let message = world.promotion("other.1.b3e7149")["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with(
            "step 2 (`git-clone`) is not supported by this version; nothing was assigned"
        ),
        "{message}"
    );
    assert!(world.stage_status("other")["assignment"].is_null());

    world.promote("dev.1.missing", "dev", "missing", json!({}));
    world.until("errored", |w| w.promotion("dev.1.missing")["phase"] == "Errored").await;
    assert_eq!(world.promotion("dev.1.missing")["state"]["step-1"]["check"]["code"], "freight");
    assert!(world.stage_status("dev")["assignment"].is_null());

    world.stage("empty", json!([{ "uses": "assign" }]));
    world.promote("empty.1.b3e7149", "empty", FREIGHT, json!({}));
    world.until("failed", |w| w.promotion("empty.1.b3e7149")["phase"] == "Failed").await;
    assert_eq!(
        world.promotion("empty.1.b3e7149")["state"]["step-1"]["check"]["code"],
        "no-applications"
    );
    world
        .until("folded", |w| {
            condition(&w.stage_status("empty"), "Ready")["reason"] == "LastPromotionFailed"
        })
        .await;
}

#[tokio::test]
async fn freight_goes_on_when_it_was_verified_upstream_or_approved() {
    let world = World::with_stage(&["web"]).await;
    let none = json!([{ "uses": "assign", "config": { "allowNone": true } }]);
    world.stage_after("prod", json!({ "stages": ["dev"] }), Some(none));
    let errored = async |name: &str| {
        world.promote(name, "prod", FREIGHT, json!({}));
        world.until("errored", |w| w.promotion(name)["phase"] == "Errored").await;
        assert_eq!(world.promotion(name)["state"]["step-1"]["check"]["code"], "verified");
        world.promotion(name)["message"].as_str().unwrap().to_owned()
    };
    let message = errored("prod.1.b3e7149").await;
    let expected = format!(
        "Freight {FREIGHT} is not available to Stage shop:prod: not verified in dev. Promote it to dev first: "
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(world.stage_status("prod")["assignment"].is_null());

    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("verified", |w| w.freight_status(FREIGHT)["verifiedIn"]["dev"].is_object()).await;
    world.promote("prod.2.b3e7149", "prod", FREIGHT, json!({}));
    world.until("it went on", |w| w.promotion("prod.2.b3e7149")["phase"] == "Succeeded").await;
    // A Stage without Applications is as healthy as can be.
    world.until("verified", |w| w.freight_status(FREIGHT)["verifiedIn"]["prod"].is_object()).await;

    let other = "c021d5477b24cc671550cfa87f16fb6e4828ad18";
    world.freight(other);
    world.api.change("freights", "shop", other, |f| f["status"]["approvedFor"]["prod"] = json!({}));
    world.promote("prod.3.c021d54", "prod", other, json!({}));
    world.until("approved", |w| w.promotion("prod.3.c021d54")["phase"] == "Succeeded").await;

    // What has worked here may come back, though nobody upstream vouches for it any more.
    world.api.change("freights", "shop", FREIGHT, |f| {
        f["status"]["verifiedIn"].as_object_mut().unwrap().remove("dev");
    });
    let rollback = json!({ "kargo.akuity.io/rollback": "true" });
    world.promote("prod.4.b3e7149", "prod", FREIGHT, rollback);
    world.until("rolled back", |w| w.promotion("prod.4.b3e7149")["phase"] == "Succeeded").await;
}

#[tokio::test]
async fn a_stage_that_is_not_healthy_or_asks_for_analysis_verifies_nothing() {
    let mut world = World::with_stage(&["web"]).await;
    world.api.change("stages", "shop", "dev", |s| s["spec"]["verification"] = json!({}));
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    let verified = |w: &World| condition(&w.stage_status("dev"), "Verified").clone();
    world.until("it is healthy", |w| w.stage_status("dev")["health"]["status"] == "Healthy").await;
    world
        .until("the Freight is there", |w| {
            w.freight_status(FREIGHT)["currentlyIn"]["dev"].is_object()
        })
        .await;
    assert_eq!(verified(&world)["reason"], "VerificationError");
    assert_eq!(condition(&world.stage_status("dev"), "Ready")["status"], "False");
    assert!(world.freight_status(FREIGHT)["verifiedIn"].is_null());
    // Without it the Stage vouches for its Freight; but not while it is ill.
    world.argocd.shutdown().await;
    world.api.change("applications", "argocd", "web", |a| {
        a["status"]["health"]["status"] = "Degraded".into();
    });
    world.until("it is ill", |w| w.stage_status("dev")["health"]["status"] == "Unhealthy").await;
    world.api.change("stages", "shop", "dev", |s| {
        s["spec"]["verification"] = Value::Null;
        s["metadata"]["generation"] = 2.into();
    });
    world.until("seen", |w| w.stage_status("dev")["observedGeneration"] == 2).await;
    assert_eq!(verified(&world)["reason"], "WaitingForVerification");
    world.api.change("applications", "argocd", "web", |a| {
        a["status"]["health"]["status"] = "Healthy".into();
    });
    world.until("verified", |w| w.freight_status(FREIGHT)["verifiedIn"]["dev"].is_object()).await;
}

#[tokio::test]
async fn a_control_flow_stage_passes_on_what_comes_and_when_its_time_comes() {
    let mut world = World::with_stage(&["web"]).await;
    world.stage_after("gate", json!({ "stages": ["dev"], "requiredSoakTime": "2s" }), None);
    world.stage_after("next", json!({ "stages": ["gate"] }), None);
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    let time = |w: &World, path: &str| {
        let status = w.freight_status(FREIGHT);
        status.pointer(path).and_then(|t| t.as_str()?.parse::<jiff::Timestamp>().ok())
    };
    world.until("passed on twice", |w| time(w, "/verifiedIn/next/verifiedAt").is_some()).await;
    let [came, passed] = ["/currentlyIn/dev/since", "/verifiedIn/gate/verifiedAt"]
        .map(|path| time(&world, path).unwrap());
    assert!(passed.duration_since(came) >= jiff::SignedDuration::from_secs(2), "{came} {passed}");
    assert!(world.freight_status(FREIGHT)["currentlyIn"]["gate"].is_null());
    // What was there before the Stage, or the controller.
    world.controller.shutdown().await;
    world.stage_after("late", json!({ "direct": true }), None);
    world.start();
    world.until("passed on", |w| time(w, "/verifiedIn/late/verifiedAt").is_some()).await;
    world.stage_after("later", json!({ "direct": true }), None);
    world.until("passed on", |w| time(w, "/verifiedIn/later/verifiedAt").is_some()).await;
    world.freight("c021d5477b24cc671550cfa87f16fb6e4828ad18");
    world
        .until("passed on", |w| {
            let status = w.freight_status("c021d5477b24cc671550cfa87f16fb6e4828ad18");
            status["verifiedIn"]["later"].is_object() && status["verifiedIn"]["gate"].is_null()
        })
        .await;
}

#[tokio::test]
async fn a_mark_that_was_lost_is_made_good() {
    let mut world = World::with_stage(&["web"]).await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("verified", |w| w.freight_status(FREIGHT)["verifiedIn"]["dev"].is_object()).await;
    world.freight("c021d5477b24cc671550cfa87f16fb6e4828ad18");
    world.promote("dev.2.c021d54", "dev", "c021d5477b24cc671550cfa87f16fb6e4828ad18", json!({}));
    world.until("it left", |w| w.freight_status(FREIGHT)["currentlyIn"]["dev"].is_null()).await;
    world.controller.shutdown().await;
    world.api.change("freights", "shop", FREIGHT, |f| f["status"] = Value::Null);
    world.start();
    world.until("verified", |w| w.freight_status(FREIGHT)["verifiedIn"]["dev"].is_object()).await;
    assert!(world.freight_status(FREIGHT)["currentlyIn"]["dev"].is_null());
}

#[tokio::test]
async fn an_abort_ends_one_that_waits_and_one_that_is_at_work() {
    let mut world = World::with_stage(&["web"]).await;
    world.argocd.shutdown().await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.promote("dev.2.b3e7149", "dev", FREIGHT, json!({}));
    world
        .until("one is at work, one waits", |w| {
            w.promotion("dev.1.b3e7149")["phase"] == "Running"
                && w.promotion("dev.2.b3e7149")["phase"] == "Pending"
        })
        .await;
    let abort = |o: &mut Value| {
        o["metadata"]["annotations"]["kargo.akuity.io/abort"] =
            r#"{"action":"terminate","actor":"email:ann@example.com"}"#.into();
    };
    world.api.change("promotions", "shop", "dev.2.b3e7149", abort);
    world.until("aborted", |w| w.promotion("dev.2.b3e7149")["phase"] == "Aborted").await;
    assert_eq!(world.promotion("dev.1.b3e7149")["phase"], "Running");
    world.api.change("promotions", "shop", "dev.1.b3e7149", abort);
    world.until("aborted", |w| w.promotion("dev.1.b3e7149")["phase"] == "Aborted").await;
    assert_eq!(world.promotion("dev.1.b3e7149")["message"], "aborted by email:ann@example.com");
    world
        .until("folded", |w| w.stage_status("dev")["lastPromotion"]["name"] == "dev.1.b3e7149")
        .await;
    // What was committed stays, and is carried out.
    assert_eq!(world.stage_status("dev")["assignment"]["generation"], 1);
    world.start_argocd();
    world.until("deployed", |w| w.app("web")["status"]["history"].is_array()).await;
}

#[tokio::test]
async fn a_rollback_takes_over_and_ends_what_runs() {
    let mut world = World::with_stage(&["web"]).await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    let first = world.stage_status("dev")["assignment"]["collection"].as_str().unwrap().to_owned();
    world.argocd.shutdown().await;
    world.freight("c021d5477b24cc671550cfa87f16fb6e4828ad18");
    world.promote("dev.2.c021d54", "dev", "c021d5477b24cc671550cfa87f16fb6e4828ad18", json!({}));
    world.until("the operation is there", |w| w.app("web")["operation"].is_object()).await;
    argocd::step(&world.api);
    world.promote(
        "dev.3.b3e7149",
        "dev",
        FREIGHT,
        json!({ "wharfinger.dev/collection": first, "kargo.akuity.io/rollback": "true" }),
    );
    world
        .until("superseded", |w| {
            w.promotion("dev.2.c021d54")["message"]
                .as_str()
                .unwrap_or_default()
                .starts_with("superseded by dev.3.b3e7149")
        })
        .await;
    assert_eq!(world.promotion("dev.2.c021d54")["phase"], "Aborted");
    assert_eq!(world.promotion("dev.2.c021d54")["state"]["step-1"]["check"]["code"], "superseded");
    world
        .until("its operation is ended", |w| {
            w.app("web")["status"]["operationState"]["phase"] == "Terminating"
        })
        .await;
    world.start_argocd();
    world.until("rolled back", |w| w.promotion("dev.3.b3e7149")["phase"] == "Succeeded").await;
    let assignment = &world.stage_status("dev")["assignment"];
    assert_eq!(
        (assignment["generation"].as_u64(), assignment["collection"].as_str()),
        (Some(3), Some(&*first))
    );
    assert_eq!(env(&world.app("web"))[1], format!("WHARFINGER_FREIGHT=3-{first}"));
}

#[tokio::test]
async fn an_application_is_held_to_its_stage_and_one_that_comes_later_too() {
    let world = World::with_stage(&["web"]).await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    let right = env(&world.app("web"));
    world.api.change("applications", "argocd", "web", |app| {
        app["spec"]["source"]["plugin"]["env"] = json!([]);
    });
    world.until("repaired", |w| env(&w.app("web")) == right).await;
    world.application("late", "dev");
    world.until("claimed", |w| env(&w.app("late")) == right).await;
    world.until("deployed", |w| w.app("late")["status"]["history"].is_array()).await;
    // Without our plugin it is none of our business.
    world.application("native", "dev");
    world.api.change("applications", "argocd", "native", |app| {
        app["spec"]["source"] = json!({ "repoURL": "x", "helm": {} });
    });
    sleep(Duration::from_millis(100)).await;
    assert!(world.app("native")["operation"].is_null());
}

#[tokio::test]
async fn a_refused_patch_is_shown_and_not_sent_again_and_again() {
    let world = World::with_stage(&["web"]).await;
    world.api.refuse_patches(Some("admission webhook denied the request: no"));
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world
        .until("the refusal is shown", |w| {
            w.promotion("dev.1.b3e7149")["message"].as_str().unwrap_or_default().contains("no")
        })
        .await;
    // Whatever else happens to the Application.
    for n in 0..50 {
        world.api.change("applications", "argocd", "web", |app| {
            app["metadata"]["labels"]["n"] = n.to_string().into();
        });
        sleep(Duration::from_millis(20)).await;
    }
    let patches = world.api.writes().iter().filter(|w| w.what == "PATCH applications/web").count();
    assert!((2..=4).contains(&patches), "{patches} patches in a second");
    world.api.refuse_patches(None);
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
}

#[tokio::test]
async fn conflicts_are_read_and_decided_again() {
    let mut world = World::with_stage(&["web"]).await;
    // The watches are gone, so everything it knows is old.
    world.api.break_watches(false);
    world
        .api
        .change("stages", "shop", "dev", |s| s["metadata"]["annotations"]["touched"] = "1".into());
    world.api.change("applications", "argocd", "web", |a| {
        a["metadata"]["annotations"]["touched"] = "1".into();
    });
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    assert_eq!(world.stage_status("dev")["assignment"]["generation"], 1);
    world.controller.shutdown().await;
}

#[tokio::test]
async fn a_watch_that_fell_behind_lists_again_and_sees_what_is_gone() {
    let world = World::with_stage(&["web", "db"]).await;
    world.api.delete("applications", "argocd", "db");
    world.api.break_watches(true);
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    assert_eq!(world.promotion("dev.1.b3e7149")["message"], "1 of 1 Applications done");
}

#[tokio::test]
async fn an_object_that_can_not_be_understood_is_left_out() {
    let mut world = World::with_stage(&["web"]).await;
    let poison = |name: &str| json!({ "metadata": { "namespace": "shop", "name": name }, "spec": { "stage": 7, "steps": "none" } });
    world.api.put("promotions", poison("dev.0.poison"));
    world.api.put("applications", json!({ "metadata": { "namespace": "argocd", "name": "poison" }, "spec": { "sources": "none" } }));
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    world.controller.shutdown().await;
    world.promote("dev.2.b3e7149", "dev", FREIGHT, json!({}));
    world.start();
    world.until("it succeeded", |w| w.promotion("dev.2.b3e7149")["phase"] == "Succeeded").await;
}

#[tokio::test]
async fn applications_that_do_not_render_are_looked_at_until_they_do() {
    let mut world = World::with_stage(&["a", "b", "c"]).await;
    world.promote("dev.1.b3e7149", "dev", FREIGHT, json!({}));
    world.until("it succeeded", |w| w.promotion("dev.1.b3e7149")["phase"] == "Succeeded").await;
    sleep(Duration::from_millis(50)).await;
    world.argocd.shutdown().await;
    for (app, text) in [
        ("a", "failed to generate manifest for source 1 of 1: rpc error: code = Unavailable"),
        ("b", "Manifest generation error (cached): rpc error"),
        ("c", "failed to generate manifest: rpc error: code = FailedPrecondition desc = no"),
    ] {
        world.api.change("applications", "argocd", app, |a| {
            a["status"]["conditions"] = json!([{ "type": "ComparisonError", "message": text }]);
        });
    }
    let refresh = |w: &World, app: &str| {
        w.app(app)["metadata"]["annotations"]["argocd.argoproj.io/refresh"].clone()
    };
    world.until("a is refreshed", |w| refresh(w, "a") == "normal").await;
    assert!(refresh(&world, "b").is_null());
    // It renders again; b follows at once.
    let start = Instant::now();
    world.api.change("applications", "argocd", "a", |a| a["status"]["conditions"] = json!([]));
    world.until("b is refreshed", |w| refresh(w, "b") == "hard").await;
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    sleep(Duration::from_millis(200)).await;
    assert!(refresh(&world, "c").is_null(), "a refusal is no trouble");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_creation_and_the_patch_there_is_one_write() {
    let world = World::with_stage(&["web"]).await;
    world.api.delay(Duration::from_millis(5));
    let mut times = vec![];
    for n in 1..=20 {
        let start = Instant::now();
        let name = format!("dev.{n:02}.b3e7149");
        world.promote(&name, "dev", FREIGHT, json!({}));
        world.until("it succeeded", |w| w.promotion(&name)["phase"] == "Succeeded").await;
        let writes = world.api.writes();
        let at = |what: &str, holds: &str| {
            writes
                .iter()
                .find(|w| w.what == what && w.at >= start && w.body.to_string().contains(holds))
                .unwrap()
                .at
                - start
        };
        let generation = format!("\"generation\":{n}");
        times.push((
            at("PUT stages/dev/status", &generation),
            at("PATCH applications/web", &format!("{n}-")),
        ));
        world.until("all is folded", |w| w.stage_status("dev")["currentPromotion"].is_null()).await;
    }
    times.sort_by_key(|t| t.1);
    let (stage, patch) = times[10];
    println!(
        "creation to assignment written (5 ms of API in it): median {stage:?}; to patch sent (10 ms in it): median {patch:?}, worst {:?}",
        times[19].1
    );
    // The budget is 30 ms. What fails here is a pause in between, not a busy machine.
    assert!(patch < Duration::from_millis(150), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_stages_are_promoted_side_by_side() {
    let mut world = World::new();
    world.freight(FREIGHT);
    for n in 0..30 {
        world.stage(&format!("s{n}"), json!([{ "uses": "assign" }]));
        world.application(&format!("app{n}"), &format!("s{n}"));
    }
    world.start();
    world
        .until("all were looked at", |w| {
            (0..30).all(|n| w.stage_status(&format!("s{n}"))["observedGeneration"] == 1)
        })
        .await;
    world.api.delay(Duration::from_millis(100));
    let start = Instant::now();
    (0..30).for_each(|n| {
        world.promote(&format!("s{n}.1.b3e7149"), &format!("s{n}"), FREIGHT, json!({}));
    });
    world
        .until("all are patched", |w| {
            w.api.count(|x| x.what.starts_with("PATCH applications/")) == 30
        })
        .await;
    let took = start.elapsed();
    println!(
        "thirty Promotions at once, the last patch after {took:?}; 200 ms of it the API's; one after the other they would take more than 6 s"
    );
    assert!(took < Duration::from_secs(3), "{took:?}");
    world
        .until("all succeeded", |w| {
            (0..30).all(|n| w.promotion(&format!("s{n}.1.b3e7149"))["phase"] == "Succeeded")
        })
        .await;
}
