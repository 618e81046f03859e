//! Files in an Application's folder that Argo CD merges into its source before it renders it: what Argo CD Image Updater
//! writes back.

use serde_json::Value;
use wharfinger_api::argocd::Source;
use wharfinger_render::{Files, files};

use crate::exit::{Exit, Failure};

/// What they don't change, whatever they say: where the source is.
const KEPT: [&str; 4] = ["repoURL", "path", "chart", "targetRevision"];

/// The source as Argo CD renders it. `app` is the name that Argo CD gives the Application.
pub(super) fn merged(
    source: &Source,
    files: &Files,
    folder: &str,
    app: &str,
) -> Result<Source, Failure> {
    let mut merged = Value::Object(source.0.clone());
    let mut found = Vec::new();
    for name in [".argocd-source.yaml".to_owned(), format!(".argocd-source-{app}.yaml")] {
        let Some(name) = files::join(folder, &name) else { continue };
        let Some(content) = files.get(&name) else { continue };
        let unreadable = |e: &dyn std::error::Error| {
            Failure::new(format!("can't read {name}")).because(e).exit(Exit::Usage)
        };
        let text = std::str::from_utf8(content).map_err(|e| unreadable(&e))?;
        let patch: Value = serde_saphyr::from_str(text).map_err(|e| unreadable(&e))?;
        if patch.is_object() {
            json_patch::merge(&mut merged, &patch);
        }
        found.push(name);
    }
    let Value::Object(mut merged) = merged else { return Ok(source.clone()) };
    for field in KEPT {
        match source.0.get(field) {
            Some(value) => drop(merged.insert(field.to_owned(), value.clone())),
            None => drop(merged.shift_remove(field)),
        }
    }
    let merged = Source(merged);
    let types = ["plugin", "kustomize", "helm", "directory"];
    let added = types
        .into_iter()
        .find(|name| merged.0.contains_key(*name) && !source.0.contains_key(*name));
    match added {
        Some(added) if source.plugin().is_some() => Err(stands_in_the_way(&format!(
            "{} adds {added} to a source of the plugin, which Argo CD refuses as more than one type",
            found.join(" or ")
        ))),
        _ if source.plugin().is_none() && merged != *source => Err(stands_in_the_way(&format!(
            "{} changes the source when Argo CD renders it, and would not change one of the plugin alike",
            found.join(" and ")
        ))),
        _ => Ok(merged),
    }
}

/// The Application has to say itself what they say.
pub fn stands_in_the_way(what: &str) -> Failure {
    Failure::new(what).exit(Exit::Blocked).next(
        "Write what it says into the Application's source and delete it. Images follow Freight: let Argo CD Image Updater leave the Application alone",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(more: &Value) -> Source {
        let mut source = json!({ "repoURL": "https://git.example/shop", "path": "web" });
        json_patch::merge(&mut source, more);
        serde_json::from_value(source).unwrap()
    }

    fn of(source: &Source, files: &[(&str, &str)]) -> Result<Source, String> {
        let files: Files = files.iter().copied().collect();
        merged(source, &files, "web", "team_shop").map_err(|failure| failure.what)
    }

    #[test]
    fn parameters_of_the_plugin_are_those_that_argo_cd_sends() {
        let ours = source(
            &json!({ "plugin": { "name": "wharfinger", "parameters": [{ "name": "namePrefix", "string": "a-" }] } }),
        );
        let all = "path: other\ntargetRevision: x\nplugin: {parameters: [{name: namePrefix, string: b-}]}\n";
        let own = "plugin: {parameters: [{name: nameSuffix, string: -c}]}\n";
        let with = |name: &str, text: &str| of(&ours, &[(name, text), ("web/x.yaml", "")]).unwrap();
        let parameters = |source: Source| source.0["plugin"]["parameters"].clone();
        let merged = with("web/.argocd-source.yaml", all);
        assert_eq!(merged.text("path"), "web");
        assert_eq!(merged.target_revision(), ours.target_revision());
        assert_eq!(merged.plugin(), Some("wharfinger"));
        assert_eq!(parameters(merged), json!([{ "name": "namePrefix", "string": "b-" }]));
        let both = [("web/.argocd-source.yaml", all), ("web/.argocd-source-team_shop.yaml", own)];
        let last = json!([{ "name": "nameSuffix", "string": "-c" }]);
        assert_eq!(parameters(of(&ours, &both).unwrap()), last);
        for elsewhere in
            [".argocd-source.yaml", "web/sub/.argocd-source.yaml", "web/.argocd-source-shop.yaml"]
        {
            assert_eq!(with(elsewhere, all), ours, "{elsewhere}");
        }
        assert_eq!(with("web/.argocd-source.yaml", "# nothing\n"), ours);
    }

    #[test]
    fn what_would_become_another_type_is_told_with_its_file() {
        let file = |text| [("web/.argocd-source-team_shop.yaml", text)];
        let images = file("kustomize: {images: ['web:2']}\n");
        let native = source(&json!({ "kustomize": { "namePrefix": "a-" } }));
        let ours = source(&json!({ "plugin": { "name": "wharfinger" } }));
        for source in [&native, &source(&json!({})), &ours] {
            let error = of(source, &images).unwrap_err();
            assert!(error.contains("web/.argocd-source-team_shop.yaml"), "{error}");
        }
        let error = of(&ours, &file("a: [")).unwrap_err();
        assert!(error.contains("can't read web/.argocd-source-team_shop.yaml"), "{error}");
        assert_eq!(of(&native, &file("kustomize: {namePrefix: a-}\n")), Ok(native));
    }
}
