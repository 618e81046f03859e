use super::*;

fn source(options: &Value) -> Source {
    let mut all = json!({ "repoURL": "https://git.example/shop.git", "path": "web", "targetRevision": "main" });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

/// As the controller leaves it: with a claim.
fn claimed(source: &Source) -> Source {
    let mut source = source.clone();
    source.0["plugin"]["env"] = json!([
        { "name": ENV_STAGE, "value": "shop:dev" },
        { "name": ENV_FREIGHT, "value": format!("1-{}", "a".repeat(40)) },
    ]);
    source
}

#[test]
fn what_is_adopted_and_released_is_as_it_was() {
    let check = |kind: Kind, options: Value| {
        let native = source(&options);
        let ours = adopt(&native).unwrap();
        assert_eq!(ours.plugin(), Some(PLUGIN));
        let parameters = ours.0["plugin"].get("parameters").cloned().unwrap_or_default();
        Options::parse(&parameters.to_string()).unwrap().check(kind).unwrap();
        for ours in [&ours, &claimed(&ours)] {
            // As JSON: the order of fields means nothing.
            assert_eq!(json!(release(ours, kind).unwrap()), json!(native), "{ours:?}");
        }
    };
    for kind in [Kind::Helm, Kind::Kustomize, Kind::Plain] {
        check(kind, json!({}));
    }
    check(
        Kind::Helm,
        json!({ "helm": {
            "releaseName": "web", "valueFiles": ["values.yaml", "../prod.yaml", "$ARGOCD_APP_NAME/*.yaml"], "ignoreMissingValueFiles": true,
            "values": "a: 1\nb: $x\n", "valuesObject": { "a": { "b": [1, "2", null, 1.5] } },
            "parameters": [
                { "name": "a.b", "value": "1,2" }, { "name": "c", "value": "" },
                { "name": "n", "value": "1", "forceString": true },
            ],
            "fileParameters": [{ "name": "f", "path": "${ARGOCD_APP_NAME}.pem" }],
            "skipCrds": true, "skipTests": true, "skipSchemaValidation": true,
            "namespace": "other", "kubeVersion": "1.30.0", "apiVersions": ["x/v1"],
        } }),
    );
    check(
        Kind::Helm,
        json!({ "helm": { "parameters": [{ "name": "n", "value": "1", "forceString": true }] } }),
    );
    check(
        Kind::Kustomize,
        json!({ "kustomize": {
            "namePrefix": "a-", "nameSuffix": "-b", "namespace": "other", "images": ["web=ghcr.io/acme/web:1", "db:2"],
            "replicas": [{ "name": "web", "count": 3 }, { "name": "db", "count": 0 }],
            "commonLabels": { "a": "b" }, "forceCommonLabels": true, "labelWithoutSelector": true,
            "labelIncludeTemplates": true, "commonAnnotations": { "c": "$d" }, "forceCommonAnnotations": true,
            "commonAnnotationsEnvsubst": true, "components": ["../a"], "ignoreMissingComponents": true,
            "patches": [
                { "path": "p.yaml", "options": { "allowNameChange": true } },
                { "patch": "- {op: remove, path: /a}\n", "target": { "kind": "Deployment", "labelSelector": "a=b" } },
            ],
        } }),
    );
    check(
        Kind::Plain,
        json!({ "directory": { "recurse": true, "include": "*.yaml", "exclude": "{a,b}/*" } }),
    );
    // A chart of its own, from a Helm repository.
    let chart = json!({ "chart": "web", "repoURL": "https://charts.example", "targetRevision": "1.2.3", "helm": { "values": "a: 1" } });
    check(Kind::Helm, chart);
}

#[test]
fn what_argo_cd_takes_for_nothing_is_left_out() {
    let native = source(
        &json!({ "helm": {}, "kustomize": { "images": [] }, "directory": { "recurse": false, "jsonnet": {} } }),
    );
    let ours = adopt(&native).unwrap();
    assert_eq!(ours.0["plugin"], json!({ "name": PLUGIN }));
    assert_eq!(release(&ours, Kind::Plain).unwrap(), source(&json!({})));
}

#[test]
fn what_users_say_with_nothing_is_not_lost() {
    let check = |options: Value, expected: Value| {
        let native = source(&options);
        let ours = adopt(&native).unwrap();
        assert_eq!(ours.0["plugin"]["parameters"], expected, "{options}");
        let kind = if options.get("helm").is_some() { Kind::Helm } else { Kind::Kustomize };
        assert_eq!(json!(release(&ours, kind).unwrap()), json!(native));
    };
    for object in [
        json!({ "ingress": { "enabled": false } }),
        json!({ "a": "" }),
        json!({ "a": null }),
        json!({ "a": {} }),
        json!({}),
    ] {
        check(
            json!({ "helm": { "values": "a: 1", "valuesObject": object } }),
            json!([
                { "name": "values", "string": "a: 1" },
                { "name": "valuesObject", "string": object.to_string() },
            ]),
        );
        check(
            json!({ "helm": { "valuesObject": object } }),
            json!([{ "name": "valuesObject", "string": object.to_string() }]),
        );
    }
    for map in ["commonLabels", "commonAnnotations"] {
        check(
            json!({ "kustomize": { map: { "a": "" } } }),
            json!([{ "name": map, "map": { "a": "" } }]),
        );
    }
}

#[test]
fn a_number_of_replicas_may_be_written_as_text() {
    let native = source(
        &json!({ "kustomize": { "replicas": [{ "name": "web", "count": "3" }, { "name": "db", "count": 1 }] } }),
    );
    let ours = adopt(&native).unwrap();
    assert_eq!(ours.0["plugin"]["parameters"][0]["array"], json!(["web=3", "db=1"]));
}

#[test]
fn what_can_not_be_adopted_is_told_by_its_field() {
    let check = |options: Value, field: &str, part: &str| {
        let error = adopt(&source(&options)).unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.text.contains(part), "{error}");
    };
    check(json!({ "helm": { "passCredentials": true } }), "helm.passCredentials", "no credentials");
    check(json!({ "helm": { "version": "v3" } }), "helm.version", "remove it");
    check(json!({ "kustomize": { "version": "v4" } }), "kustomize.version", "one of Kustomize");
    check(
        json!({ "kustomize": { "kubeVersion": "1.30.0" } }),
        "kustomize.kubeVersion",
        "remove it",
    );
    check(
        json!({ "helm": { "fileParameters": [{ "name": "a", "path": "$values/b" }] } }),
        "helm.fileParameters",
        "argocd-update",
    );
    check(
        json!({ "helm": { "fileParameters": [{ "name": "a", "path": "b" }, { "name": "a", "path": "c" }] } }),
        "helm.fileParameters",
        "more than once",
    );
    check(
        json!({ "helm": { "valueFiles": ["$values/a.yaml"] } }),
        "helm.valueFiles",
        "argocd-update",
    );
    check(
        json!({ "helm": { "parameters": [{ "name": "a", "value": "1" }, { "name": "a", "value": "2" }] } }),
        "helm.parameters",
        "more than once",
    );
    check(json!({ "helm": { "forceString": { "a": "1" } } }), "helm.forceString", "does not have");
    check(json!({ "helm": { "values": 1 } }), "helm.values", "form");
    check(
        json!({ "kustomize": { "replicas": [{ "name": "a", "count": "3%" }] } }),
        "kustomize.replicas",
        "is a number",
    );
    check(json!({ "kustomize": { "tomorrow": 1 } }), "kustomize.tomorrow", "does not have");
    check(json!({ "directory": { "jsonnet": { "libs": ["x"] } } }), "directory.jsonnet", "Jsonnet");
    check(json!({ "helm": { "values": "a: ${{ b }}" } }), "helm.values", "begins an expression");
    check(json!({ "kustomize": { "images": ["a:${% b"] } }), "kustomize.images", "${{ \"${%\" }}");
    check(json!({ "ref": "values" }), "ref", "native Helm");
    check(json!({ "plugin": { "name": "other" } }), "plugin.name", "other");
    check(json!({ "plugin": { "name": PLUGIN } }), "plugin.name", "already");
    check(
        json!({ "helm": { "values": "a" }, "kustomize": { "namePrefix": "a" } }),
        "kustomize",
        "one type",
    );
}

#[test]
fn what_can_not_be_released_is_told() {
    let plugin = |plugin: Value| source(&json!({ "plugin": plugin }));
    let check = |source: Source, kind: Kind, part: &str| {
        let error = release(&source, kind).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(source(&json!({})), Kind::Plain, "not rendered by the plugin");
    check(
        plugin(json!({ "name": PLUGIN, "env": [{ "name": "X", "value": "y" }] })),
        Kind::Plain,
        "X means nothing",
    );
    let recurse =
        json!({ "name": PLUGIN, "parameters": [{ "name": "recurse", "string": "true" }] });
    check(plugin(recurse), Kind::Helm, "is for a folder of plain files");
    let object =
        json!({ "name": PLUGIN, "parameters": [{ "name": "valuesObject", "string": "a: 1" }] });
    check(plugin(object), Kind::Helm, "not JSON");
    let replicas =
        json!({ "name": PLUGIN, "parameters": [{ "name": "replicas", "array": ["web"] }] });
    check(plugin(replicas), Kind::Kustomize, "name=number");
    let expression =
        json!({ "name": PLUGIN, "parameters": [{ "name": "values", "string": "a: ${{ 1 }}" }] });
    check(plugin(expression), Kind::Helm, "values: it holds an expression");
}

#[test]
fn what_is_about_freight_ends_with_it() {
    let parameters = json!([
        { "name": "imageForm", "string": "tag" }, { "name": "imagePaths", "array": ["ConfigMap:.data.image"] },
        { "name": "provenance", "string": "true" }, { "name": "recurse", "string": "true" },
    ]);
    let ours = source(&json!({ "plugin": { "name": PLUGIN, "parameters": parameters } }));
    let native = release(&ours, Kind::Plain).unwrap();
    assert_eq!(native.0["directory"], json!({ "recurse": true }));
    let foreign = source(&json!({ "directory": { "provenance": true } }));
    assert!(adopt(&foreign).is_err());
}

#[test]
fn a_pin_takes_the_place_of_another_version() {
    let check = |images: Value, pins: &[&str], expected: Value| {
        let native = source(&json!({ "kustomize": { "namePrefix": "a-", "images": images } }));
        let pins: Vec<String> = pins.iter().map(|pin| (*pin).to_owned()).collect();
        let pinned = pin(&native, &pins);
        assert_eq!(pinned.0["kustomize"], json!({ "namePrefix": "a-", "images": expected }));
    };
    check(json!([]), &["web:2"], json!(["web:2"]));
    check(json!(["web:1", "db:1"]), &["web:2@sha256:1"], json!(["web:2@sha256:1", "db:1"]));
    check(
        json!(["web=ghcr.io/acme/web:1"]),
        &["ghcr.io/acme/web:2"],
        json!(["web=ghcr.io/acme/web:2"]),
    );
    check(json!(["localhost:5000/web:1"]), &["web:2"], json!(["localhost:5000/web:1", "web:2"]));
    let bare = pin(&source(&json!({})), &["web:2".to_owned()]);
    assert_eq!(bare.0["kustomize"], json!({ "images": ["web:2"] }));
}
