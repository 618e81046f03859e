//! `Stage.spec.promotionMechanisms`, which became `promotionTemplate`: the steps that do what each mechanism did.
//!
//! They are shown, not stored: a Stage that had mechanisms assigns its Freight, and nothing is written to Git.

use serde_json::{Map, Value, json};

pub const GIT: &str = "gitRepoUpdates";
const APPLICATIONS: &str = "argoCDAppUpdates";

/// For each mechanism that is used, its name and the steps that do the same today.
pub fn mechanisms(old: &Value) -> Vec<(&'static str, Value)> {
    let mut found = vec![];
    let updates = list(old, GIT);
    if !updates.is_empty() {
        let steps = updates.iter().enumerate().flat_map(|(index, update)| git(update, index));
        found.push((GIT, steps.collect()));
    }
    let updates = list(old, APPLICATIONS);
    if !updates.is_empty() {
        let apps: Vec<_> = updates.iter().map(application).collect();
        found.push((APPLICATIONS, json!([step("argocd-update", json!({ "apps": apps }))])));
    }
    found
}

/// Check out, edit, commit, push.
fn git(update: &Value, index: usize) -> Vec<Value> {
    // Each update has a place of its own to work in.
    let number = if index == 0 { String::new() } else { (index + 1).to_string() };
    let (from, to) = (format!("./src{number}"), format!("./out{number}"));
    let (read, write) = (&update["readBranch"], &update["writeBranch"]);
    let replaced = read != write;
    let mut out = checkout(write, &to);
    let mut steps = vec![];
    let mut clone = fields(update, &["repoURL", "insecureSkipTLSVerify"]);
    if replaced {
        out["create"] = true.into();
        clone.insert("checkout".into(), json!([checkout(read, &from), out]));
    } else {
        clone.insert("checkout".into(), json!([out]));
    }
    steps.push(step("git-clone", Value::Object(clone)));
    if replaced {
        steps.push(step("git-clear", json!({ "path": to })));
    }
    if update["render"].is_null() {
        if replaced {
            steps.push(step("copy", json!({ "inPath": from, "outPath": to })));
        }
        steps.extend(edits(update, &to));
    } else {
        let rendered = if replaced { &from } else { &to };
        let images: Vec<_> = list(&update["render"], "images").iter().map(image).collect();
        if !images.is_empty() {
            steps.push(step("kustomize-set-image", json!({ "path": rendered, "images": images })));
        }
        steps.push(step("kustomize-build", json!({ "path": rendered, "outPath": to })));
    }
    let message = "${{ ctx.stage }}: ${{ ctx.targetFreight.name }}";
    steps.push(step("git-commit", json!({ "path": to, "message": message })));
    if update["pullRequest"].is_null() {
        steps.push(step("git-push", json!({ "path": to })));
    } else {
        steps.extend(pull_request(update, &to, &number));
    }
    steps
}

fn checkout(branch: &Value, path: &str) -> Value {
    // Without a branch, what the repository calls its default.
    if branch.is_null() {
        json!({ "path": path })
    } else {
        json!({ "branch": branch, "path": path })
    }
}

fn edits(update: &Value, root: &str) -> Vec<Value> {
    let (kustomize, helm) = (&update["kustomize"], &update["helm"]);
    let mut steps = vec![];
    for (path, images) in by(&list(kustomize, "images"), "path") {
        let images: Vec<_> = images.into_iter().map(image).collect();
        let config = json!({ "path": within(root, path), "images": images });
        steps.push(step("kustomize-set-image", config));
    }
    for (path, images) in by(&list(helm, "images"), "valuesFilePath") {
        let updates: Vec<_> = images.into_iter().map(value).collect();
        steps.push(step("yaml-update", json!({ "path": within(root, path), "updates": updates })));
    }
    for (path, charts) in by(&list(helm, "charts"), "chartPath") {
        let charts: Vec<_> = charts.into_iter().map(chart).collect();
        let config = json!({ "path": within(root, path), "charts": charts });
        steps.push(step("helm-update-chart", config));
    }
    steps
}

fn pull_request(update: &Value, path: &str, number: &str) -> [Value; 3] {
    let (pushed, opened) = (format!("push{number}"), format!("pull{number}"));
    let repo = &update["repoURL"];
    let mut push = step("git-push", json!({ "path": path, "generateTargetBranch": true }));
    push["as"] = pushed.as_str().into();
    let branch = format!("${{{{ outputs.{pushed}.branch }}}}");
    let config =
        json!({ "repoURL": repo, "sourceBranch": branch, "targetBranch": update["writeBranch"] });
    let mut open = step("git-open-pr", config);
    open["as"] = opened.as_str().into();
    let request = format!("${{{{ outputs.{opened}.pr.id }}}}");
    [push, open, step("git-wait-for-pr", json!({ "repoURL": repo, "prNumber": request }))]
}

fn application(update: &Value) -> Value {
    let mut app = Map::new();
    for (old, new) in [("appName", "name"), ("appNamespace", "namespace")] {
        if !update[old].is_null() {
            app.insert(new.into(), update[old].clone());
        }
    }
    let sources: Vec<_> = list(update, "sourceUpdates").iter().map(source).collect();
    if !sources.is_empty() {
        app.insert("sources".into(), sources.into());
    }
    Value::Object(app)
}

fn source(update: &Value) -> Value {
    let mut source = fields(update, &["repoURL", "chart"]);
    if update["updateTargetRevision"] == true {
        let repo = quoted(&update["repoURL"]);
        let revision = if update["chart"].is_null() {
            expression(&format!("commitFrom({repo}).ID"))
        } else {
            expression(&format!("chartFrom({repo}, {}).Version", quoted(&update["chart"])))
        };
        source.insert("desiredRevision".into(), revision);
        source.insert("updateTargetRevision".into(), true.into());
    }
    let images = list(&update["kustomize"], "images");
    if !images.is_empty() {
        let images: Vec<_> = images
            .iter()
            .map(|old| {
                let (form, pinned) = pinned(old);
                json!({ "repoURL": old["image"], form: pinned })
            })
            .collect();
        source.insert("kustomize".into(), json!({ "images": images }));
    }
    let images = list(&update["helm"], "images");
    if !images.is_empty() {
        let images: Vec<_> = images.iter().map(value).collect();
        source.insert("helm".into(), json!({ "images": images }));
    }
    Value::Object(source)
}

fn image(old: &Value) -> Value {
    let (form, pinned) = pinned(old);
    json!({ "image": old["image"], form: pinned })
}

fn pinned(old: &Value) -> (&'static str, Value) {
    let (form, member) =
        if old["useDigest"] == true { ("digest", "Digest") } else { ("tag", "Tag") };
    (form, expression(&format!("imageFrom({}).{member}", quoted(&old["image"]))))
}

/// A value of Helm's that names an image: all of it, or a part.
fn value(old: &Value) -> Value {
    let image = old["image"].as_str().unwrap_or_default();
    let (before, member) = match old["value"].as_str() {
        Some("Tag") => (String::new(), "Tag"),
        Some("Digest") => (String::new(), "Digest"),
        Some("ImageAndDigest") => (format!("{image}@"), "Digest"),
        _ => (format!("{image}:"), "Tag"),
    };
    let value = format!("{before}${{{{ imageFrom({}).{member} }}}}", quoted(&old["image"]));
    json!({ "key": old["key"], "value": value })
}

fn chart(old: &Value) -> Value {
    let repository = quoted(&old["repository"]);
    let from = if old["name"].is_null() {
        format!("chartFrom({repository})")
    } else {
        format!("chartFrom({repository}, {})", quoted(&old["name"]))
    };
    let mut chart = fields(old, &["repository", "name"]);
    chart.insert("version".into(), expression(&format!("{from}.Version")));
    Value::Object(chart)
}

fn step(uses: &str, config: Value) -> Value {
    let mut step = json!({ "uses": uses });
    step["config"] = config;
    step
}

fn expression(text: &str) -> Value {
    format!("${{{{ {text} }}}}").into()
}

/// A text in an expression.
fn quoted(text: &Value) -> String {
    Value::from(text.as_str().unwrap_or_default()).to_string()
}

fn within(root: &str, path: &Value) -> String {
    match path.as_str().map(|path| path.trim_start_matches("./")) {
        None | Some("" | ".") => root.into(),
        Some(path) => format!("{root}/{path}"),
    }
}

fn list(of: &Value, field: &str) -> Vec<Value> {
    of[field].as_array().cloned().unwrap_or_default()
}

/// Those of the fields that are there.
fn fields(of: &Value, names: &[&str]) -> Map<String, Value> {
    let there = names.iter().filter(|name| !of[**name].is_null());
    there.map(|name| ((*name).into(), of[*name].clone())).collect()
}

/// Items with the same value of a field together, in the order of their first.
fn by<'a>(items: &'a [Value], field: &str) -> Vec<(&'a Value, Vec<&'a Value>)> {
    let mut groups: Vec<(&Value, Vec<&Value>)> = vec![];
    for item in items {
        let key = &item[field];
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
