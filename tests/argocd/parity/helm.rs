//! Helm charts in Git.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Case, compare};

fn chart(name: &'static str, helm: Value, parameters: Value) -> Case {
    Case::of(name, "helm/chart", "helm", helm, parameters)
}

/// The same text under the same name.
fn text(name: &'static str, field: &str, value: &str) -> Case {
    chart(name, json!({ field: value }), json!([{ "name": field, "string": value }]))
}

fn flag(name: &'static str, field: &str) -> Case {
    chart(name, json!({ field: true }), json!([{ "name": field, "string": "true" }]))
}

fn value_files(name: &'static str, files: &[&str], ignore_missing: bool) -> Case {
    let mut native = json!({ "valueFiles": files });
    let mut parameters = vec![json!({ "name": "valueFiles", "array": files })];
    if ignore_missing {
        native["ignoreMissingValueFiles"] = true.into();
        parameters.push(json!({ "name": "ignoreMissingValueFiles", "string": "true" }));
    }
    chart(name, native, parameters.into())
}

fn unchanged(name: &'static str, path: &'static str) -> Case {
    Case::new(name, path, json!({}), json!([]))
}

#[test]
fn charts_are_rendered_as_argo_cd_renders_them() -> Result<()> {
    let object = json!({ "image": { "tag": "2" }, "list": [1, 1.5, true, null, "x"], "big": 12_345_678, "nested": { "map": null } });
    let parameters = json!({
        "image.tag": "1.10", "list[0]": "z", "replicas": "3", "nested.map.y": "a,b", "plain": "{p,q}", "dotted\\.key": "v",
        "empty": "", "equals": "a=b=c", "truth": "true", "comma": ",x", "escaped": "p\\,q", "none": "null",
    });
    let as_list = |forced: bool, map: &Value| -> Vec<Value> {
        let parameter = |(name, value): (&String, &Value)| json!({ "name": name, "value": value, "forceString": forced });
        map.as_object().into_iter().flatten().map(parameter).collect()
    };
    let strings = json!({ "image.tag": "1.10", "truth": "true", "nested.map.x": "007" });
    let variables = json!({ "image.tag": "$ARGOCD_APP_REVISION_SHORT", "env": "${ARGOCD_APP_NAME}/$$x/$NOTHING/$ARGOCD_APP_SOURCE_PATH" });
    let files =
        json!({ "cert": "../shared/cert.pem", "nested.file": "/helm/chart/config/app.ini" });
    let file_list = |map: &Value| -> Vec<Value> {
        map.as_object()
            .into_iter()
            .flatten()
            .map(|(name, path)| json!({ "name": name, "path": path }))
            .collect()
    };

    compare(
        "helm",
        &[
            unchanged("h-none", "helm/chart"),
            text("h-release-name", "releaseName", "other.name"),
            text("h-namespace", "namespace", "other"),
            text("h-kube-version", "kubeVersion", "1.30.0"),
            text("h-kube-version-vendor", "kubeVersion", "v1.29.5+k3s1"),
            text("h-kube-version-short", "kubeVersion", "1.28"),
            text("h-values", "values", "image: {tag: 1.10}\nlist: []\nnested:\n  text: |\n    a\n"),
            chart(
                "h-api-versions",
                json!({ "apiVersions": ["x/v1", "apps/v1/Deployment"] }),
                json!([{ "name": "apiVersions", "array": ["x/v1", "apps/v1/Deployment"] }]),
            ),
            flag("h-skip-crds", "skipCrds"),
            flag("h-skip-tests", "skipTests"),
            chart(
                "h-skip-schema",
                json!({ "skipSchemaValidation": true, "values": "strict: 1" }),
                json!([{ "name": "skipSchemaValidation", "string": "true" }, { "name": "values", "string": "strict: 1" }]),
            ),
            chart(
                "h-values-object",
                json!({ "valuesObject": object, "values": "image: {tag: not-this}" }),
                json!([{ "name": "valuesObject", "string": object.to_string() }, { "name": "values", "string": "image: {tag: not-this}" }]),
            ),
            chart(
                "h-parameters",
                json!({ "parameters": as_list(false, &parameters) }),
                json!([{ "name": "parameters", "map": parameters }]),
            ),
            chart(
                "h-force-string",
                json!({ "parameters": as_list(true, &strings) }),
                json!([{ "name": "forceString", "map": strings }]),
            ),
            chart(
                "h-envsubst",
                json!({ "parameters": as_list(false, &variables), "valueFiles": ["envs/${NOTHING}a.yaml"] }),
                json!([{ "name": "parameters", "map": variables }, { "name": "valueFiles", "array": ["envs/${NOTHING}a.yaml"] }]),
            ),
            chart(
                "h-precedence",
                json!({ "valueFiles": ["envs/a.yaml"], "values": "region: text\ntier: text\n", "parameters": [{ "name": "tier", "value": "set" }] }),
                json!([
                    { "name": "valueFiles", "array": ["envs/a.yaml"] }, { "name": "values", "string": "region: text\ntier: text\n" },
                    { "name": "parameters", "map": { "tier": "set" } },
                ]),
            ),
            chart(
                "h-file-parameters",
                json!({ "fileParameters": file_list(&files) }),
                json!([{ "name": "fileParameters", "map": files }]),
            ),
            value_files(
                "h-files",
                &["envs/b.yaml", "envs/a.yaml", "../shared/top.yaml", "/helm/shared/deep/c.yaml"],
                false,
            ),
            value_files(
                "h-files-missing",
                &["envs/gone.yaml", "envs/a.yaml", "envs/x*.yaml"],
                true,
            ),
            value_files("h-files-twice", &["envs/a.yaml", "envs/b.yaml", "envs/a.yaml"], false),
            value_files("h-glob", &["envs/*.yaml"], false),
            value_files("h-glob-explicit-last", &["envs/*.yaml", "envs/a.yaml"], false),
            value_files("h-glob-explicit-first", &["envs/b.yaml", "envs/*.yaml"], false),
            value_files("h-glob-deep", &["/helm/shared/**/*.yaml"], false),
            value_files("h-glob-class", &["envs/[!a].yaml", "../shared/{top,none}.yaml"], true),
            value_files("h-glob-question", &["../shared/deep/?.yaml", "../shared/t*p.yaml"], false),
            unchanged("h-unpacked", "helm/unpacked"),
            unchanged("h-packed", "helm/packed"),
            unchanged("h-beside", "helm/beside"),
            unchanged("h-old", "helm/old"),
            Case::new(
                "h-both",
                "both",
                json!({ "helm": { "releaseName": "r" } }),
                json!([{ "name": "releaseName", "string": "r" }]),
            ),
            chart(
                "h-ref",
                json!({}),
                json!([{ "name": "valueFiles", "array": ["$values/x.yaml"] }]),
            )
            .refused("another source"),
            chart(
                "h-url",
                json!({}),
                json!([{ "name": "valueFiles", "array": ["https://example.com/v.yaml"] }]),
            )
            .refused("is remote"),
            chart(
                "h-outside",
                json!({}),
                json!([{ "name": "valueFiles", "array": ["../../../etc/passwd"] }]),
            )
            .refused("outside of the repository"),
        ],
    )
}
