//! Kustomize.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Case, compare};

const OVERLAY: &str = "kustomize/overlay";

fn overlay(name: &'static str, kustomize: Value, parameters: Value) -> Case {
    at(name, OVERLAY, kustomize, parameters)
}

fn at(name: &'static str, path: &'static str, kustomize: Value, parameters: Value) -> Case {
    Case::of(name, path, "kustomize", kustomize, parameters)
}

#[test]
fn kustomize_is_rendered_as_argo_cd_renders_it() -> Result<()> {
    let digest = format!("shop/web@sha256:{}", "1".repeat(64));
    let labels = json!({ "team": "a", "tier": "x-y" });
    let labelled = |flags: &[&str]| {
        let mut native = json!({ "commonLabels": labels });
        let mut parameters = vec![json!({ "name": "commonLabels", "map": labels })];
        for flag in flags {
            native[*flag] = true.into();
            parameters.push(json!({ "name": flag, "string": "true" }));
        }
        (native, Value::from(parameters))
    };
    let (with_selector, p_with_selector) = labelled(&[]);
    let (without_selector, p_without_selector) = labelled(&["labelWithoutSelector"]);
    let (in_templates, p_in_templates) =
        labelled(&["labelWithoutSelector", "labelIncludeTemplates"]);
    let strategic = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: proxy, $patch: delete}]}}}\n";
    let patches = json!([
        { "target": { "kind": "Deployment", "labelSelector": "app=web" }, "patch": "- {op: replace, path: /spec/replicas, value: 4}\n" },
        { "patch": strategic },
        { "path": "patch.yaml" },
        { "target": { "kind": "Service", "name": "web", "version": "v1" }, "patch": "[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"renamed\"}]", "options": { "allowNameChange": true } },
    ]);
    let patched = |patches: &Value| -> Value {
        let all: Vec<_> = patches.as_array().into_iter().flatten().map(Value::to_string).collect();
        json!([{ "name": "patches", "array": all }])
    };
    let both = ["../components/b", "../components/a"];
    let missing = ["../components/gone", "../components/a", "../../../../etc"];
    let envsubst = "$ARGOCD_APP_NAME in ${ARGOCD_APP_NAMESPACE}, $$5 of $NOTHING.";

    compare(
        "kustomize",
        &[
            Case::new("k-none", OVERLAY, json!({}), json!([])),
            Case::new("k-legacy", "kustomize/legacy", json!({}), json!([])),
            Case::new("k-bare", "kustomize/bare", json!({}), json!([])),
            overlay(
                "k-name-prefix",
                json!({ "namePrefix": "a-" }),
                json!([{ "name": "namePrefix", "string": "a-" }]),
            ),
            overlay(
                "k-name-dash",
                json!({ "namePrefix": "-" }),
                json!([{ "name": "namePrefix", "string": "-" }]),
            ),
            overlay(
                "k-name-suffix",
                json!({ "nameSuffix": "-b" }),
                json!([{ "name": "nameSuffix", "string": "-b" }]),
            ),
            overlay(
                "k-namespace",
                json!({ "namespace": "other" }),
                json!([{ "name": "namespace", "string": "other" }]),
            ),
            at(
                "k-legacy-set",
                "kustomize/legacy",
                json!({ "namespace": "other", "namePrefix": "b-", "nameSuffix": "-y" }),
                json!([
                    { "name": "namespace", "string": "other" }, { "name": "namePrefix", "string": "b-" }, { "name": "nameSuffix", "string": "-y" },
                ]),
            ),
            overlay(
                "k-images",
                json!({ "images": ["shop/web=ghcr.io/acme/other:2", "postgres:17", "envoy=proxy"] }),
                json!([{ "name": "images", "array": ["shop/web=ghcr.io/acme/other:2", "postgres:17", "envoy=proxy"] }]),
            ),
            overlay(
                "k-image-digest",
                json!({ "images": [digest] }),
                json!([{ "name": "images", "array": [digest] }]),
            ),
            overlay(
                "k-replicas",
                json!({ "replicas": [{ "name": "web", "count": 3 }, { "name": "db", "count": 0 }] }),
                json!([{ "name": "replicas", "array": ["web=3", "db=0"] }]),
            ),
            overlay("k-labels", with_selector, p_with_selector),
            overlay("k-labels-no-selector", without_selector, p_without_selector),
            overlay("k-labels-templates", in_templates, p_in_templates),
            overlay(
                "k-labels-forced",
                json!({ "commonLabels": { "there": "after" }, "forceCommonLabels": true }),
                json!([{ "name": "commonLabels", "map": { "there": "after" } }, { "name": "forceCommonLabels", "string": "true" }]),
            ),
            overlay(
                "k-annotations",
                json!({ "commonAnnotations": { "note": "with: a colon, a comma", "empty": "", "dollar": "$HOME $$" } }),
                json!([{ "name": "commonAnnotations", "map": { "note": "with: a colon, a comma", "empty": "", "dollar": "$HOME $$" } }]),
            ),
            overlay(
                "k-annotations-forced",
                json!({ "commonAnnotations": { "there": "after" }, "forceCommonAnnotations": true }),
                json!([{ "name": "commonAnnotations", "map": { "there": "after" } }, { "name": "forceCommonAnnotations", "string": "true" }]),
            ),
            overlay(
                "k-annotations-envsubst",
                json!({ "commonAnnotations": { "note": envsubst }, "commonAnnotationsEnvsubst": true }),
                json!([{ "name": "commonAnnotations", "map": { "note": envsubst } }, { "name": "commonAnnotationsEnvsubst", "string": "true" }]),
            ),
            overlay(
                "k-envsubst",
                json!({ "images": ["shop/web:$ARGOCD_APP_REVISION_SHORT_8"], "commonLabels": { "app-name": "${ARGOCD_APP_NAME}-x", "path": "$ARGOCD_APP_PROJECT_NAME" } }),
                json!([
                    { "name": "images", "array": ["shop/web:$ARGOCD_APP_REVISION_SHORT_8"] },
                    { "name": "commonLabels", "map": { "app-name": "${ARGOCD_APP_NAME}-x", "path": "$ARGOCD_APP_PROJECT_NAME" } },
                ]),
            ),
            overlay("k-patches", json!({ "patches": patches }), patched(&patches)),
            at(
                "k-patches-bare",
                "kustomize/bare",
                json!({ "patches": [{ "target": { "kind": "ConfigMap" }, "patch": "- {op: add, path: /data/new, value: \"0644\"}" }] }),
                json!([{ "name": "patches", "array": ["target: {kind: ConfigMap}\npatch: '- {op: add, path: /data/new, value: \"0644\"}'"] }]),
            ),
            overlay(
                "k-components",
                json!({ "components": both }),
                json!([{ "name": "components", "array": both }]),
            ),
            overlay(
                "k-components-glob",
                json!({ "components": ["../components/?"] }),
                json!([{ "name": "components", "array": ["../components/?"] }]),
            ),
            overlay(
                "k-components-missing",
                json!({ "components": missing, "ignoreMissingComponents": true }),
                json!([{ "name": "components", "array": missing }, { "name": "ignoreMissingComponents", "string": "true" }]),
            ),
            overlay(
                "k-everything",
                json!({
                    "namePrefix": "p-", "nameSuffix": "-s", "namespace": "other", "images": ["shop/web:9"],
                    "replicas": [{ "name": "web", "count": 2 }], "commonLabels": { "team": "a" }, "commonAnnotations": { "note": "n" },
                    "patches": patches, "components": both,
                }),
                json!([
                    { "name": "namePrefix", "string": "p-" }, { "name": "nameSuffix", "string": "-s" }, { "name": "namespace", "string": "other" },
                    { "name": "images", "array": ["shop/web:9"] }, { "name": "replicas", "array": ["web=2"] },
                    { "name": "commonLabels", "map": { "team": "a" } }, { "name": "commonAnnotations", "map": { "note": "n" } },
                    patched(&patches)[0], { "name": "components", "array": both },
                ]),
            ),
            at(
                "k-both",
                "both",
                json!({ "namePrefix": "a-" }),
                json!([{ "name": "namePrefix", "string": "a-" }]),
            ),
            Case::new("k-both-none", "both", json!({}), json!([])),
            overlay("k-version", json!({}), json!([{ "name": "version", "string": "v4.5.7" }]))
                .refused("one version of Helm and one of Kustomize"),
            overlay(
                "k-enable-helm",
                json!({}),
                json!([{ "name": "buildOptions", "string": "--enable-helm" }]),
            )
            .refused("would fetch"),
        ],
    )
}
