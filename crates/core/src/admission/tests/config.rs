//! Projects, ProjectConfigs, the ClusterConfig and PromotionRequests.

use super::*;

const ALICE: &str = "alice";

/// Denied because of exactly this.
#[track_caller]
fn faulty(verdict: Verdict, expected: &str) {
    let check = denied(verdict, expected);
    assert_eq!((check.code, &*check.text), (Code::Invalid, expected));
}

#[test]
fn with_a_project_comes_its_namespace() {
    let create = |name: &str, dry_run: bool| {
        let project = json!({ "metadata": { "name": name } });
        let review = Review { dry_run, ..review(Kind::Project, ALICE, None, Some(&project)) };
        World::default().validate(&review)
    };
    let effect = |name: &str| allowed(create(name, false), name).effect;
    assert_eq!(effect("new"), Some(Effect::CreateNamespace { name: "new".into() }));
    assert_eq!(effect("shop"), None, "it is there");
    assert_eq!(allowed(create("new", true), "on trial").effect, None);
    expect(create("foreign", false), Err(Code::Namespace), "somebody else's");
    expect(create("going", false), Err(Code::Namespace), "it is being deleted");
    for name in ["a.b", &"a".repeat(64)] {
        expect(create(name, false), Err(Code::Invalid), "no namespace's name");
    }
    assert_eq!(
        denied(create("foreign", false), "foreign").to_string(),
        "namespace foreign exists, and lacks the label kargo.akuity.io/project=true. If what is in it may become the Project's: kubectl label namespace foreign kargo.akuity.io/project=true. Else choose another name [namespace]"
    );
    let project = json!({ "metadata": { "name": "foreign" } });
    let update =
        World::default().validate(&review(Kind::Project, ALICE, Some(&project), Some(&project)));
    assert_eq!(allowed(update, "updated").effect, None);
}

fn config(spec: Value) -> Verdict {
    let config = json!({ "metadata": { "name": "shop", "namespace": "shop" }, "spec": spec });
    World::default().validate(&review(Kind::ProjectConfig, ALICE, None, Some(&config)))
}

fn cluster(name: &str, spec: Value) -> Verdict {
    let config = json!({ "metadata": { "name": name }, "spec": spec });
    World::default().validate(&review(Kind::ClusterConfig, ALICE, None, Some(&config)))
}

#[test]
fn there_is_one_config_under_one_name() {
    expect(config(json!({})), Ok(()), "the Project's");
    let other = json!({ "metadata": { "name": "other", "namespace": "shop" }, "spec": {} });
    faulty(
        World::default().validate(&review(Kind::ProjectConfig, ALICE, None, Some(&other))),
        "metadata.name: must be the Project's name, shop, and is \"other\"",
    );
    expect(cluster("cluster", json!({})), Ok(()), "the cluster's");
    faulty(cluster("shop", json!({})), "metadata.name: must be \"cluster\", and is \"shop\"");
}

#[test]
fn policies_choose_stages_in_a_way_that_can_be_read() {
    let policies = |selectors: &[Value]| {
        let policies: Vec<_> = selectors.iter().map(|s| json!({ "stageSelector": s })).collect();
        config(json!({ "promotionPolicies": policies }))
    };
    let expressions = |requirement: Value| json!({ "matchExpressions": [requirement] });
    for good in [
        json!({}),
        json!({ "name": "prod" }),
        json!({ "name": "glob:prod-{eu,us}" }),
        json!({ "name": "regexp:^prod$", "matchLabels": { "tier": "" } }),
        expressions(json!({ "key": "a/b", "operator": "In", "values": ["x"] })),
        expressions(json!({ "key": "a", "operator": "Exists" })),
    ] {
        expect(policies(std::slice::from_ref(&good)), Ok(()), &good.to_string());
    }
    const AT: &str = "spec.promotionPolicies[0].stageSelector";
    for (bad, expected) in [
        (json!({ "name": "regex:(" }), ".name: no valid regular expression: unclosed group"),
        (
            json!({ "name": "glob:[" }),
            ".name: no valid glob: unclosed character class; missing ']'",
        ),
        (
            json!({ "name": "prefix:prod" }),
            ".name: \"prefix:prod\" has an unknown prefix; a pattern begins with glob:, regex: or regexp:",
        ),
        (json!({ "matchLabels": { "a b": "c" } }), ".matchLabels: \"a b=c\" can't be a label"),
        (json!({ "matchLabels": { "a": "b c" } }), ".matchLabels: \"a=b c\" can't be a label"),
        (
            expressions(json!({ "key": "-", "operator": "Exists" })),
            ".matchExpressions[0].key: \"-\" can't be the key of a label",
        ),
        (
            expressions(json!({ "key": "a", "operator": "Is" })),
            ".matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist",
        ),
        (
            expressions(json!({ "key": "a", "operator": "NotIn" })),
            ".matchExpressions[0].values: NotIn takes at least one value",
        ),
        (
            expressions(json!({ "key": "a", "operator": "Exists", "values": ["x"] })),
            ".matchExpressions[0].values: Exists takes no values",
        ),
        (
            expressions(json!({ "key": "a", "operator": "In", "values": ["x", "y z"] })),
            ".matchExpressions[0].values: \"y z\" can't be the value of a label",
        ),
    ] {
        faulty(policies(&[bad]), &format!("{AT}{expected}"));
    }
    let prod = || json!({ "name": "prod" });
    faulty(
        policies(&[prod(), json!({ "name": "dev" }), prod()]),
        "spec.promotionPolicies[2]: Stage prod has spec.promotionPolicies[0] already",
    );
    faulty(
        config(json!({ "promotionPolicies": [{ "stage": "prod" }, { "stageSelector": prod() }] })),
        "spec.promotionPolicies[1]: Stage prod has spec.promotionPolicies[0] already",
    );
    expect(
        policies(&[json!({ "name": "glob:*" }), json!({ "name": "glob:*" }), prod()]),
        Ok(()),
        "patterns may overlap",
    );
}

#[test]
fn windows_can_be_read() {
    let window = |patch: Value| json!({ "promotionWindows": [with(json!({ "name": "a", "kind": "Deny" }), patch)] });
    for good in [
        json!({}),
        json!({ "rrule": "FREQ=WEEKLY;BYDAY=MO,TU", "dtstart": "TZID=Europe/Berlin:20260102T090000", "dtend": "20260102T170000Z" }),
        json!({ "rrule": "RRULE:FREQ=DAILY;", "dtstart": "20260102" }),
        json!({ "stageSelector": { "name": "glob:prod-*" } }),
    ] {
        expect(config(window(good.clone())), Ok(()), &good.to_string());
        expect(cluster("cluster", window(good.clone())), Ok(()), &good.to_string());
    }
    let chosen = || window(json!({ "projectSelector": { "name": "shop" } }));
    expect(cluster("cluster", chosen()), Ok(()), "the cluster's choose Projects");
    faulty(
        config(chosen()),
        "spec.promotionWindows[0].projectSelector: only windows of the ClusterConfig choose Projects",
    );
    for (bad, expected) in [
        (
            json!({ "rrule": "every day" }),
            "rrule: must be a recurrence rule such as FREQ=WEEKLY;BYDAY=MO,TU",
        ),
        (
            json!({ "rrule": "BYDAY=MO" }),
            "rrule: must be a recurrence rule such as FREQ=WEEKLY;BYDAY=MO,TU",
        ),
        (
            json!({ "dtstart": "2026-01-02T09:00:00Z" }),
            "dtstart: \"2026-01-02T09:00:00Z\" is not like 20060102T150405, perhaps with TZID=Area/City: in front",
        ),
        (
            json!({ "dtend": "TZID=:20260102T090000" }),
            "dtend: \"TZID=:20260102T090000\" is not like 20060102T150405, perhaps with TZID=Area/City: in front",
        ),
        (
            json!({ "stageSelector": { "name": "regex:[" } }),
            "stageSelector.name: no valid regular expression: unclosed character class",
        ),
        (
            json!({ "projectSelector": { "name": "x:y" } }),
            "projectSelector.name: \"x:y\" has an unknown prefix; a pattern begins with glob:, regex: or regexp:",
        ),
    ] {
        faulty(cluster("cluster", window(bad)), &format!("spec.promotionWindows[0].{expected}"));
    }
}

#[test]
fn a_receiver_has_one_name_and_one_type() {
    let receivers = |receivers: Value| {
        let spec = json!({ "webhookReceivers": receivers });
        let verdicts = [config(spec.clone()), cluster("cluster", spec)];
        assert_eq!(verdicts[0], verdicts[1]);
        let [verdict, _] = verdicts;
        verdict
    };
    let secret = || json!({ "secretRef": { "name": "s" } });
    let of = |name: &str, kind: &str| json!({ "name": name, kind: secret() });
    for kind in [
        "artifactory",
        "azure",
        "bitbucket",
        "dockerhub",
        "gitea",
        "github",
        "gitlab",
        "harbor",
        "quay",
    ] {
        expect(receivers(json!([of("a", kind)])), Ok(()), kind);
        let two = with(of("a", kind), json!({ "generic": { "secretRef": {}, "actions": [] } }));
        let check = denied(receivers(json!([two])), kind);
        assert!(
            check
                .text
                .starts_with("spec.webhookReceivers[0]: must have exactly one type, and has "),
            "{check}"
        );
    }
    faulty(
        receivers(json!([{ "name": "a" }])),
        "spec.webhookReceivers[0]: must have exactly one type, and has none",
    );
    faulty(
        receivers(json!([of("a", "github"), of("a", "quay")])),
        "spec.webhookReceivers[1].name: \"a\" is the name of spec.webhookReceivers[0] already",
    );
    let generic = |criteria: Value| {
        let actions = json!([{ "action": "Refresh", "targetSelectionCriteria": [with(json!({ "kind": "Warehouse" }), criteria)] }]);
        receivers(json!([{ "name": "a", "generic": { "secretRef": {}, "actions": actions } }]))
    };
    for good in [
        json!({ "name": "w" }),
        json!({ "labelSelector": { "matchLabels": { "a": "b" } } }),
        json!({ "indexSelector": { "matchIndices": [{ "key": "subscribedURLs", "operator": "Equals", "value": "x" }] } }),
    ] {
        expect(generic(good.clone()), Ok(()), &good.to_string());
    }
    const AT: &str = "spec.webhookReceivers[0].generic.actions[0].targetSelectionCriteria[0]";
    for empty in
        [json!({}), json!({ "labelSelector": {}, "indexSelector": { "matchIndices": [] } })]
    {
        faulty(
            generic(empty),
            &format!("{AT}: must have a name, a labelSelector or an indexSelector"),
        );
    }
    faulty(
        generic(json!({ "labelSelector": { "matchLabels": { "a": "-" } } })),
        &format!("{AT}.labelSelector.matchLabels: \"a=-\" can't be a label"),
    );
    let when = |expression: &str| {
        let target = json!([{ "kind": "Warehouse", "name": "w" }]);
        let actions = json!([{ "action": "Refresh", "whenExpression": expression, "targetSelectionCriteria": target }]);
        receivers(json!([{ "name": "a", "generic": { "secretRef": {}, "actions": actions } }]))
    };
    for good in [
        "",
        "true",
        "request.header('X-Event') == 'push' && normalizeGit(request.body.url) in params.urls",
    ] {
        expect(when(good), Ok(()), good);
    }
    const WHEN: &str = "spec.webhookReceivers[0].generic.actions[0].whenExpression";
    for (bad, expected) in [
        ("request.body ==", "no expression: it ends too early, at column 16"),
        ("${{ true }}", "no expression: { can't stand here, at column 2"),
        ("1 == '1'", "== does not take an integer and text, at column 3"),
    ] {
        faulty(when(bad), &format!("{WHEN}: {expected}"));
    }
}

#[test]
fn rules_for_applications_can_be_read() {
    let rules = |rules: Value| config(json!({ "wharfinger": rules }));
    expect(
        rules(
            json!({ "applications": [{ "namespace": "argocd-*", "name": "{a,b}" }], "releasedBy": ["alice"] }),
        ),
        Ok(()),
        "globs and names",
    );
    faulty(
        rules(json!({ "applications": [{}, { "project": "[" }], "releasedBy": [" "] })),
        "spec.wharfinger.applications[1].project: no valid glob: unclosed character class; missing ']'; spec.wharfinger.releasedBy[0]: must be the name of a user",
    );
}

#[test]
fn a_promotion_request_is_somebodys_who_may_promote() {
    let world = || {
        let mut world = World { targets: vec!["eu", "us"], ..World::default() };
        let mut many = serde_json::to_value(stage("many", 0)).unwrap();
        many["spec"]["targets"] = json!({ "selectors": [] });
        world.cached.insert("shop:many", stage("many", 0));
        world.live.insert("shop:many", object(many));
        ["shop:many", "shop:prod", "shop:none"]
            .into_iter()
            .fold(world, |world, stage| world.may(ALICE, Verb::Promote, stage))
    };
    let request = |stage: &str, targets: Value| json!({ "metadata": { "name": "r", "namespace": "shop" }, "spec": { "stage": stage, "freight": "f", "targets": targets } });
    let create = |user: &str, request: Value| {
        world().validate(&review(Kind::PromotionRequest, user, None, Some(&request)))
    };
    let both = || json!([{ "name": "eu" }, { "name": "us" }]);
    expect(create(ALICE, request("many", both())), Ok(()), "by somebody who may");
    expect(create(ALICE, request("many", json!([]))), Ok(()), "of no Targets");
    expect(create("bob", request("many", both())), Err(Code::Permission), "by anybody");
    expect(create(ALICE, request("prod", both())), Err(Code::Target), "to one place");
    expect(create(ALICE, request("none", both())), Err(Code::StageMissing), "to nowhere");
    expect(create(ALICE, request("../x", both())), Err(Code::StageMissing), "to no Stage's name");
    expect(
        create(ALICE, request("many", json!([{ "name": "mars" }]))),
        Err(Code::Target),
        "no Target",
    );
    expect(
        create(ALICE, request("many", json!([{ "name": "../x" }]))),
        Err(Code::Target),
        "no Target's name",
    );
    faulty(
        create(ALICE, request("many", json!([{ "name": "eu" }, { "name": "eu" }]))),
        "spec.targets[1].name: eu is in spec.targets[0] already",
    );
    let foreign = with(request("many", both()), json!({ "metadata": { "namespace": "foreign" } }));
    expect(create(ALICE, foreign), Err(Code::Namespace), "in no Project");

    let old = request("many", both());
    let update = |user: &str, new: Value| {
        world().validate(&review(Kind::PromotionRequest, user, Some(&old), Some(&new)))
    };
    expect(
        update("bob", with(old.clone(), json!({ "metadata": { "labels": { "a": "b" } } }))),
        Ok(()),
        "labelled",
    );
    expect(update("bob", request("many", json!([]))), Err(Code::Permission), "changed by anybody");
    expect(update(ALICE, request("many", json!([{ "name": "us" }]))), Ok(()), "changed");
}
