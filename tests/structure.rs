//! The dependency arrows of the README, checked against what cargo sees.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// What each package of the product may depend on inside the workspace.
const ARROWS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("core", &["api"]),
    ("daemon", &[]),
    ("render", &["api", "core"]),
    ("sidecar", &["api", "core", "daemon", "render"]),
    ("webhook", &["api", "core", "daemon"]),
    ("controller", &["api", "core", "daemon", "sources"]),
    ("cli", &["api", "core", "render"]),
];

/// Packages that are not the product: they may use all of it, and nothing of it may use them.
const OUTSIDE: &[&str] = &["bench", "cluster", "tests"];

/// What must never be reached, not even through somebody else's crate: an admission path that unpacks archives or speaks
/// gRPC, decisions that can wait.
const NEVER: &[(&str, &[&str])] = &[
    ("webhook", &["tonic", "tar", "flate2", "git2"]),
    ("core", &["tokio", "kube-client", "hyper", "reqwest"]),
    ("api", &["tokio", "kube-client", "hyper", "reqwest"]),
];

#[test]
fn arrows_point_inward() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let drawn = drawn();
    for (from, tos) in drawn.iter().filter(|(from, _)| !OUTSIDE.contains(&from.as_str())) {
        let Some(allowed) = allowed.get(from.as_str()) else {
            panic!("{from} is not in ARROWS: say what it may depend on");
        };
        for to in tos {
            assert!(allowed.contains(&to.as_str()), "{from} must not depend on {to}");
        }
    }
    for (name, _) in ARROWS {
        assert!(drawn.contains_key(*name), "ARROWS names {name}, which is gone");
    }
}

#[test]
fn what_must_never_be_reached_is_not() {
    for (package, never) in NEVER {
        let reached = cargo(&[
            "tree",
            "--package",
            &format!("wharfinger-{package}"),
            "--edges",
            "normal",
            "--prefix",
            "none",
        ]);
        let reached = String::from_utf8(reached).unwrap();
        for crate_ in *never {
            let found = reached.lines().any(|line| line.split(' ').next() == Some(crate_));
            assert!(!found, "{package} reaches {crate_}");
        }
    }
}

/// Every package, with its direct dependencies inside the workspace.
fn drawn() -> BTreeMap<String, Vec<String>> {
    let meta: Value =
        serde_json::from_slice(&cargo(&["metadata", "--no-deps", "--format-version=1"]))
            .expect("cargo metadata must be JSON");
    let name = |v: &Value| v["name"].as_str().unwrap_or_default().replacen("wharfinger-", "", 1);
    let packages = meta["packages"].as_array().expect("cargo metadata must list packages");
    let inside = |p: &Value| {
        let all = p["dependencies"].as_array().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|d| !d["path"].is_null() && d["kind"] != "dev")
            .map(|d| name(&d))
            .collect()
    };
    packages.iter().map(|p| (name(p), inside(p))).collect()
}

#[expect(clippy::disallowed_methods, reason = "asks the cargo that runs this test")]
fn cargo(args: &[&str]) -> Vec<u8> {
    let out = Command::new(env!("CARGO")).args(args).output().expect("cargo must run");
    assert!(out.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}
