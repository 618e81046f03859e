//! Stages and Warehouses as they were written before v1.0 of Kargo.

use wharfinger_api::additions::CONVERTED;

use super::*;

const USER: &str = "alice";

#[test]
fn a_stage_of_a_warehouse_requests_its_freight_directly() {
    let (stage, warnings) = made(json!({ "subscriptions": { "warehouse": "web" } }));
    assert_eq!(
        stage["spec"],
        json!({ "requestedFreight": [request("web", json!({ "direct": true }))] })
    );
    assert_eq!(
        warnings,
        ["spec.subscriptions is of Kargo before v0.9; it was converted. Write instead: \
             requestedFreight: [{origin: {kind: Warehouse, name: web}, sources: {direct: true}}]"]
    );
}

#[test]
fn stages_upstream_are_followed_to_their_warehouse() {
    for subscriptions in [
        json!({ "upstreamStages": [{ "name": "dev" }, { "name": "prod" }] }),
        json!({ "stages": ["dev", "prod"] }),
        json!({ "stages": ["dev", { "name": "prod" }, "dev"], "warehouse": null }),
        json!({ "upstreamStages": [{ "name": "dev" }], "stages": ["prod"] }),
    ] {
        let (stage, warnings) = made(json!({ "subscriptions": subscriptions }));
        let sources = json!({ "stages": ["dev", "prod"] });
        assert_eq!(stage["spec"], json!({ "requestedFreight": [request("main", sources)] }));
        assert!(warnings[0].ends_with(
            "requestedFreight: [{origin: {kind: Warehouse, name: main}, sources: {stages: [dev, prod]}}]"
        ));
    }
}

#[test]
fn what_can_not_be_converted_says_what_to_write() {
    let many: Vec<_> = (0..21).map(|n| format!("s{n}")).collect();
    let rows = [
        (
            json!({ "stages": ["absent"] }),
            Code::StageMissing,
            "Apply Stage absent first, and Stage new after it",
        ),
        (
            json!({ "stages": ["absent"] }),
            Code::StageMissing,
            "requestedFreight: [{origin: {kind: Warehouse, name: WAREHOUSE}, sources: {stages: [absent]}}]",
        ),
        (json!({ "stages": ["new"] }), Code::LegacyForm, "can't come after itself"),
        (json!({ "stages": ["../x"] }), Code::StageMissing, "spec.subscriptions"),
        (
            json!({ "stages": ["dev", "both"] }),
            Code::LegacyForm,
            "more than one Warehouse (api, main)",
        ),
        (
            json!({ "stages": ["dev", "both"] }),
            Code::LegacyForm,
            "[{origin: {kind: Warehouse, name: api}, sources: {stages: [both]}}, {origin: {kind: Warehouse, name: main}, sources: {stages: [dev, both]}}]",
        ),
        (json!({ "stages": ["nothing"] }), Code::LegacyForm, "no Warehouse: nothing request"),
        (json!({ "stages": [""] }), Code::LegacyForm, "spec.subscriptions.stages[0]"),
        (
            json!({ "upstreamStages": ["dev", {}] }),
            Code::LegacyForm,
            "spec.subscriptions.upstreamStages[1]",
        ),
        (json!({ "stages": many }), Code::LegacyForm, "more than 20"),
        (json!({ "stages": "dev" }), Code::LegacyForm, "spec.subscriptions.stages is not a list"),
        (
            json!({ "warehouse": "web", "stages": ["dev"] }),
            Code::LegacyForm,
            "{direct: true, stages: [dev]}",
        ),
        (json!({ "warehouse": "" }), Code::LegacyForm, "spec.subscriptions.warehouse"),
        (json!({ "warehouse": 7 }), Code::LegacyForm, "spec.subscriptions.warehouse"),
        (json!({}), Code::LegacyForm, "neither a Warehouse nor a Stage"),
        (json!([]), Code::LegacyForm, "not an object"),
        (json!({ "repos": { "images": [] } }), Code::LegacyForm, "Make a Warehouse"),
        (json!({ "whereHouse": "web" }), Code::LegacyForm, "no field \"whereHouse\""),
    ];
    for (subscriptions, code, text) in rows {
        let row = subscriptions.to_string();
        let new = stage_of(json!({ "subscriptions": subscriptions }));
        let check = denied(world().mutate(&review(Kind::Stage, USER, None, Some(&new))), &row);
        assert_eq!(check.code, code, "{row}");
        assert!(check.to_string().contains(text), "{row}: {check}");
    }
}

#[test]
fn what_is_given_in_todays_words_wins() {
    let given = json!([request("web", json!({ "stages": ["qa"] }))]);
    let template = json!({ "spec": { "steps": [{ "uses": "git-clone" }] } });
    // Nothing is looked up: Stage absent may not exist.
    let (stage, warnings) = made(json!({
        "subscriptions": { "stages": ["absent"] },
        "requestedFreight": given,
        "promotionMechanisms": { "gitRepoUpdates": [{ "repoURL": "r", "writeBranch": "b" }] },
        "promotionTemplate": template,
    }));
    assert_eq!(stage["spec"], json!({ "requestedFreight": given, "promotionTemplate": template }));
    assert_eq!(stage["metadata"].get("annotations"), None, "nothing was converted");
    assert_eq!(
        warnings,
        [
            "spec.subscriptions is of an older Kargo, and was left out because spec.requestedFreight is given as well. Keep \
             only: requestedFreight: [{origin: {kind: Warehouse, name: web}, sources: {stages: [qa]}}]",
            "spec.promotionMechanisms is of an older Kargo, and was left out because spec.promotionTemplate is given as well. \
             Keep only: promotionTemplate: {spec: {steps: [{uses: git-clone}]}}",
        ]
    );
}

#[test]
fn mechanisms_become_an_assignment_and_the_old_steps_are_shown() {
    let (stage, warnings) = made(json!({
        "subscriptions": { "warehouse": "web" },
        "promotionMechanisms": {
            "gitRepoUpdates": [{ "repoURL": "https://git/a.git", "writeBranch": "main", "kustomize": { "images": [{ "image": "ghcr.io/acme/web", "path": "dev" }] } }],
            "argoCDAppUpdates": [{ "appName": "web", "appNamespace": "argocd" }],
        },
    }));
    assert_eq!(
        stage["spec"]["promotionTemplate"],
        json!({ "spec": { "steps": [{ "uses": "assign" }] } })
    );
    assert_eq!(stage["spec"].get("promotionMechanisms"), None);
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert!(warnings[1].ends_with("promotionTemplate: {spec: {steps: [{uses: assign}]}}"));
    // What is lost is said, and how to keep it.
    for (index, text) in [
        (1, "spec.promotionMechanisms is of Kargo before v1.0"),
        (1, "A promotion does not write to Git any more"),
        (2, "spec.promotionMechanisms.gitRepoUpdates was left out"),
        (2, "To go on writing to Git, put these steps into promotionTemplate.spec"),
    ] {
        assert!(warnings[index].contains(text), "{text}: {}", warnings[index]);
    }
    let steps = steps(&warnings[2]);
    let uses: Vec<_> = steps.iter().map(|s| s["uses"].as_str().unwrap()).collect();
    assert_eq!(
        uses,
        ["git-clone", "git-clear", "copy", "kustomize-set-image", "git-commit", "git-push"]
    );
    assert_eq!(
        steps[3]["config"],
        json!({ "path": "./out/dev", "images": [{ "image": "ghcr.io/acme/web", "tag": "${{ imageFrom(\"ghcr.io/acme/web\").Tag }}" }] })
    );
    assert!(warnings[3].ends_with(
        "steps: [{uses: argocd-update, config: {apps: [{name: web, namespace: argocd}]}}]"
    ));
    // Whatever mechanism it was, or none of them by name.
    let (stage, _) = made(
        json!({ "requestedFreight": [], "subscriptions": { "warehouse": "web" }, "promotionMechanisms": {} }),
    );
    assert!(!stage["spec"]["promotionTemplate"].is_null());
}

#[test]
fn an_old_manifest_may_be_applied_again() {
    let old = |warehouse: &str| json!({ "subscriptions": { "warehouse": warehouse }, "promotionMechanisms": {} });
    let (stored, _) = made(old("web"));
    assert_eq!(fields(&stored), ["requestedFreight", "promotionTemplate"]);
    let twice = world().mutate(&review(Kind::Stage, USER, None, Some(&stored)));
    let twice = allowed(twice, "twice");
    assert_eq!(twice.object.unwrap(), stored, "asked twice, because another webhook changed it");
    let apply = |spec: Value| {
        let new = with(stored.clone(), json!({ "spec": spec }));
        let world = world();
        let made = allowed(world.mutate(&review(Kind::Stage, USER, Some(&stored), Some(&new))), "");
        (made.object.unwrap(), made.warnings)
    };
    assert_eq!(apply(old("web")).0, stored, "the same");
    let annotations = |stage: &Value| stage["metadata"]["annotations"].clone();
    let (other, _) = apply(json!({ "shard": "x" }));
    assert_eq!(annotations(&other), annotations(&stored), "something else");
    let (changed, warnings) = apply(old("api"));
    assert_eq!(changed["spec"]["requestedFreight"][0]["origin"]["name"], "api");
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    // Written in today's words in the meantime: they count from then on.
    let today = json!([request("today", json!({ "direct": true }))]);
    let both = with(old("api"), json!({ "requestedFreight": today }));
    let (changed, _) = apply(both);
    assert_eq!(changed["spec"]["requestedFreight"], today);
    assert_eq!(fields(&changed), ["promotionTemplate"]);
    let new = with(changed.clone(), json!({ "spec": old("api") }));
    let again = world().mutate(&review(Kind::Stage, USER, Some(&changed), Some(&new)));
    let again = allowed(again, "again").object.unwrap();
    assert_eq!(again["spec"]["requestedFreight"], today);
}

#[test]
fn stages_of_today_are_left_alone() {
    for object in [
        stage_of(json!({ "requestedFreight": [request("web", json!({ "direct": true }))] })),
        json!({ "metadata": { "name": "new", "namespace": "shop" } }),
        json!({ "metadata": { "name": "new", "namespace": "shop" }, "spec": "none" }),
    ] {
        let made = allowed(world().mutate(&review(Kind::Stage, USER, None, Some(&object))), "");
        assert_eq!(made.object, Some(object));
        assert!(made.warnings.is_empty());
    }
}

#[test]
fn a_warning_is_one_line_however_hostile() {
    let hostile = "a\nb\u{7f}\u{85}\"\\\r".repeat(1000);
    let (_, warnings) = made(json!({
        "subscriptions": { "warehouse": hostile },
        "promotionMechanisms": { "gitRepoUpdates": [{ "repoURL": hostile }], "argoCDAppUpdates": [7, { "appName": hostile }] },
    }));
    assert_eq!(warnings.len(), 4);
    for warning in &warnings {
        assert!(!warning.chars().any(char::is_control), "{warning:?}");
    }
    let all: usize = warnings.iter().map(|w| w.chars().count()).sum();
    assert!(all < 6000, "{all}");
}

#[test]
fn images_of_a_warehouse_are_chosen_in_todays_words() {
    let warehouse = |image: Value| json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": { "subscriptions": [{ "git": { "semverConstraint": "^1" } }, { "image": image }] } });
    for (old, new, warnings) in [
        (
            json!({ "repoURL": "r", "tagSelectionStrategy": "SemVer", "semverConstraint": ">=1.0.0" }),
            json!({ "repoURL": "r", "imageSelectionStrategy": "SemVer", "constraint": ">=1.0.0" }),
            &[
                "spec.subscriptions[1].image.tagSelectionStrategy has another name now; it was converted. Write instead: imageSelectionStrategy: SemVer",
                "spec.subscriptions[1].image.semverConstraint has another name now; it was converted. Write instead: constraint: \">=1.0.0\"",
            ][..],
        ),
        (
            json!({ "semverConstraint": "^1", "constraint": "^2" }),
            json!({ "constraint": "^2" }),
            &[
                "spec.subscriptions[1].image.semverConstraint has another name now, and was left out because constraint is given as well. Keep only: constraint: \"^2\"",
            ],
        ),
        (json!({ "constraint": "^2" }), json!({ "constraint": "^2" }), &[]),
        (json!("none"), json!("none"), &[]),
    ] {
        let mut object = warehouse(old);
        assert_eq!(crate::legacy::warehouse(&mut object), warnings);
        assert_eq!(object, warehouse(new));
    }
}

/// The fields that a Stage is marked to have from a conversion.
fn fields(stage: &Value) -> Vec<&str> {
    let mark = stage["metadata"]["annotations"][CONVERTED].as_str().unwrap_or_default();
    mark.split(',').filter_map(|entry| Some(entry.split_once(':')?.0)).collect()
}

/// With Stages that request of `main`, of two Warehouses, and nothing.
fn world() -> World {
    let mut world = World::default();
    let main = stage("prod", 0).spec.requested_freight;
    let mut both = stage("both", 0);
    both.spec.requested_freight.extend(main);
    both.spec.requested_freight[0].origin.name = "api".into();
    let mut nothing = stage("nothing", 0);
    nothing.spec.requested_freight.clear();
    world.live.extend([("shop:both", both), ("shop:nothing", nothing)]);
    // What a cache has is not asked for: it may be behind.
    world.cached.clear();
    world
}

fn stage_of(spec: Value) -> Value {
    json!({ "metadata": { "name": "new", "namespace": "shop" }, "spec": spec })
}

/// What becomes of a new Stage, and what its writer is told.
#[track_caller]
fn made(spec: Value) -> (Value, Vec<String>) {
    let new = stage_of(spec);
    let made = allowed(world().mutate(&review(Kind::Stage, USER, None, Some(&new))), "made");
    (made.object.unwrap(), made.warnings)
}

fn request(warehouse: &str, sources: Value) -> Value {
    json!({ "origin": { "kind": "Warehouse", "name": warehouse }, "sources": sources })
}

/// The steps that a warning shows, read as YAML.
fn steps(warning: &str) -> Vec<Value> {
    let (_, yaml) = warning.split_once("steps: ").unwrap();
    serde_saphyr::from_str(yaml).unwrap()
}
