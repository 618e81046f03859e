use serde_json::{Value, json};

use super::*;
use crate::check::State;

const GIT: &str = "https://git.example/shop";

/// An Application of Stage `shop:dev` with a source of ours for each path.
fn app(name: &str, paths: &[&str]) -> Value {
    let source =
        |path: &&str| json!({ "repoURL": GIT, "path": path, "plugin": { "name": "wharfinger" } });
    json!({
        "metadata": { "name": name, "namespace": "argocd", "annotations": { AUTHORIZED_STAGE: "shop:dev" } },
        "spec": { "sources": paths.iter().map(source).collect::<Vec<_>>() },
    })
}

fn place(application: &str, path: &str) -> Place {
    Place {
        namespace: "argocd".into(),
        application: application.into(),
        repository: GIT.into(),
        path: path.into(),
    }
}

fn rendered(used: &[&str], others: &[&str]) -> Rendered {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let images = Found { used: names(used), others: names(others), ..Found::default() };
    Rendered { stage: "shop:dev".into(), collection: "now".into(), images }
}

struct World {
    held: Vec<&'static str>,
    apps: Vec<Value>,
    renders: BTreeMap<Place, Rendered>,
    everywhere: bool,
}

impl World {
    /// The Stage holds `web` and `db`; two Applications, of which the second has two sources, use `web` alone.
    fn new() -> Self {
        Self {
            held: vec!["web", "db"],
            apps: vec![app("one", &["a"]), app("two", &["b", "./c/"])],
            renders: BTreeMap::from([
                (place("one", "a"), rendered(&["web"], &["envoy"])),
                (place("two", "b"), rendered(&[], &["cache"])),
                (place("two", "c"), rendered(&["web"], &[])),
            ]),
            everywhere: true,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Vec<(Code, State, String)> {
        let mut world = Self::new();
        change(&mut world);
        let image = |repo: &&str| json!({ "repoURL": repo, "tag": "1" });
        let images: Vec<Value> = world.held.iter().map(image).collect();
        let items = json!({ "Warehouse/w": { "name": "f", "images": images } });
        let apps: Vec<Application> =
            world.apps.into_iter().map(|app| serde_json::from_value(app).unwrap()).collect();
        let told = of_stage(&Deployed {
            stage: &"shop:dev".parse().unwrap(),
            collection: &serde_json::from_value(json!({ "id": "now", "items": items })).unwrap(),
            applications: &apps,
            everywhere: world.everywhere,
            renders: &world.renders,
            subscribed: &Subscribed::from([("cache".to_owned(), "w".to_owned())]),
        });
        let short = |check: Check| {
            let (stage, text) = check.text.split_once(": ").unwrap();
            assert_eq!(stage, "Stage shop:dev");
            let (before, after) = match check.state {
                State::Waiting => ("has rendered ", " with it"),
                _ => ("the image ", " "),
            };
            let (_, named) = text.split_once(before).unwrap();
            let named = named.split_once(after).unwrap().0.trim_end_matches(',').to_owned();
            (check.code, check.state, named)
        };
        told.into_iter().map(short).collect()
    }
}

/// What is told, and which Applications are missing for the rest.
fn check(change: impl FnOnce(&mut World), checks: &[(Code, &str)], missing: &str) {
    let told = World::with(change);
    let mut expected: Vec<_> =
        checks.iter().map(|(code, image)| (*code, State::Warning, (*image).to_owned())).collect();
    if !missing.is_empty() {
        expected.push((Code::ImageUnused, State::Waiting, missing.to_owned()));
    }
    assert_eq!(told, expected);
}

const UNUSED: (Code, &str) = (Code::ImageUnused, "db");
const UNMANAGED: (Code, &str) = (Code::ImageUnmanaged, "cache");

#[test]
fn what_no_application_of_the_stage_uses_is_told_when_all_were_looked_at() {
    check(|_| {}, &[UNUSED, UNMANAGED], "");
    let db = rendered(&["db"], &[]);
    check(|w| drop(w.renders.insert(place("two", "b"), db)), &[], "");
    // Whoever names no Stage, or another one, is no part of it.
    let mut other = app("three", &["a"]);
    other["metadata"]["annotations"][AUTHORIZED_STAGE] = "shop:prod".into();
    check(|w| w.apps.push(other), &[UNUSED, UNMANAGED], "");
    check(|w| w.apps.clear(), &[], "");
}

#[test]
fn nothing_is_called_unused_while_an_application_is_missing() {
    check(|w| drop(w.renders.remove(&place("one", "a"))), &[UNMANAGED], "argocd/one");
    check(|w| drop(w.renders.remove(&place("two", "b"))), &[], "argocd/two");
    check(|w| w.renders.clear(), &[], "argocd/one, argocd/two");
    check(|w| w.apps.push(app("new", &["a"])), &[UNMANAGED], "argocd/new");
    let many = |w: &mut World| w.apps.extend((3..9).map(|n| app(&format!("{n}"), &["a"])));
    let named = "argocd/3, argocd/4, argocd/5, argocd/6, argocd/7 and 1 more";
    check(many, &[UNMANAGED], named);
    check(|w| w.everywhere = false, &[UNMANAGED], "Applications of other namespaces");
    // Not by us: what it uses is not seen.
    let native = |w: &mut World| {
        let mut native = app("native", &["x"]);
        native["spec"]["sources"][0].as_object_mut().unwrap().shift_remove("plugin");
        w.apps.push(native);
    };
    check(native, &[UNMANAGED], "argocd/native");
    // Where all is used already, nobody is missed.
    check(
        |w| {
            w.held = vec!["web"];
            w.renders.remove(&place("two", "b"));
        },
        &[],
        "",
    );
}

#[test]
fn a_render_counts_for_what_it_was_made_with() {
    let change = |change: fn(&mut Rendered)| {
        move |w: &mut World| change(w.renders.get_mut(&place("two", "b")).unwrap())
    };
    check(change(|r| r.collection = "before".into()), &[], "argocd/two");
    check(change(|r| r.stage = "shop:prod".into()), &[], "argocd/two");
    // What is cut off may be what is looked for.
    check(change(|r| r.images.more_used = 1), &[UNMANAGED], "argocd/two");
    check(change(|r| r.images.more_others = 1), &[UNUSED, UNMANAGED], "");
}

#[test]
fn sources_are_told_apart_or_not_at_all() {
    let second = |field: &'static str, value: Value| {
        move |w: &mut World| w.apps[1]["spec"]["sources"][1][field] = value
    };
    check(second("repoURL", json!("https://git.example/other")), &[UNMANAGED], "argocd/two");
    check(second("path", json!("b")), &[UNMANAGED], "argocd/two");
    // A password is no part of what is shown, on neither side.
    let secret = second("repoURL", json!("https://ana:hunter2@git.example/shop"));
    check(secret, &[UNUSED, UNMANAGED], "");
}
