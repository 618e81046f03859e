use serde_json::json;

use super::*;

/// What is wrong with an item: `field: text`, warnings with a question mark in front.
fn findings(item: &Value) -> Vec<String> {
    let found = match Subscription::read(item) {
        Ok(subscription) => subscription.findings(),
        Err(finding) => vec![finding],
    };
    found
        .iter()
        .map(|f| format!("{}{}: {}", if f.fault { "" } else { "? " }, f.field, f.text))
        .collect()
}

/// The schema has no fields of subscriptions: their items may hold anything.
#[test]
fn the_examples_set_every_field_of_every_subscription() {
    let examples = include_str!("../../../../tests/fixtures/kinds/warehouses.yaml");
    let warehouses = examples.split("\n---\n").map(serde_saphyr::from_str::<Value>);
    let items: Vec<Value> = warehouses
        .flat_map(|warehouse| {
            warehouse.unwrap()["spec"]["subscriptions"].as_array().cloned().unwrap_or_default()
        })
        .collect();
    for kind in [Kind::Git, Kind::Image, Kind::Chart] {
        for field in kind.fields() {
            let is_set = |item: &Value| item[kind.key()].get(field.name).is_some();
            assert!(items.iter().any(is_set), "no example sets {kind}.{}", field.name);
        }
    }
}

#[test]
fn a_subscription_has_one_kind_and_what_that_takes() {
    let git = |patch: Value| {
        let mut item = json!({ "git": { "repoURL": "https://github.com/acme/web.git" } });
        item["git"].as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        item
    };
    let image = |patch: Value| {
        let mut item = json!({ "image": { "repoURL": "ghcr.io/acme/web" } });
        item["image"].as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        item
    };
    for item in [
        git(json!({})),
        git(json!({ "repoURL": "http://user:secret@git:3000/a b/c" })),
        git(json!({ "repoURL": "git@github.com:acme/web.git" })),
        git(json!({ "repoURL": "ssh://git@github.com/acme/web.git" })),
        git(
            json!({ "commitSelectionStrategy": "SemVer", "semverConstraint": "^1", "strictSemvers": false }),
        ),
        git(
            json!({ "branch": "release/1.0", "includePaths": ["a"], "excludePaths": ["glob:b/*"] }),
        ),
        git(
            json!({ "allowTagsRegexes": ["^v"], "since": "2026-01-02T15:04:05Z", "blobless": true }),
        ),
        git(json!({ "discoveryLimit": 100, "expressionFilter": "true" })),
        image(json!({})),
        image(json!({ "repoURL": "localhost:5000/a/b-c.d" })),
        image(json!({ "repoURL": "nginx", "platform": "linux/arm/v7", "cacheByTag": true })),
        image(json!({ "imageSelectionStrategy": "Digest", "constraint": "latest" })),
        image(json!({ "constraint": "^1.2 || >=3" })),
        image(json!({ "imageSelectionStrategy": "Lexical", "constraint": "latest!" })),
        json!({ "name": "x", "chart": { "repoURL": "oci://ghcr.io/acme/charts/web" } }),
        json!({ "chart": { "repoURL": "https://charts.example.com", "name": "web", "semverConstraint": "1.x" } }),
    ] {
        assert_eq!(findings(&item), [""; 0], "{item}");
    }
    for (item, expected) in [
        (json!({}), ": must have exactly one of git, image and chart"),
        (json!("git"), ": must have exactly one of git, image and chart"),
        (json!({ "git": {}, "image": {} }), ": must have exactly one of git, image and chart"),
        (json!({ "imag": {} }), ": must have exactly one of git, image and chart"),
        (
            json!({ "git": {}, "other": {} }),
            "other: no such type of subscription; there are git, image and chart",
        ),
        (json!({ "git": [] }), "git: must be an object"),
        (json!({ "git": {} }), "git.repoURL: is required"),
        (
            git(json!({ "repoURL": "" })),
            "git.repoURL: must be the URL of a Git repository: https://…, http://…, ssh://… or user@host:path, and is \"\"",
        ),
        (
            git(json!({ "repoURL": "file:///tmp/x" })),
            "git.repoURL: must be the URL of a Git repository: https://…, http://…, ssh://… or user@host:path, and is \"file:///tmp/x\"",
        ),
        (git(json!({ "repoURL": 1 })), "git.repoURL: must be a text"),
        (
            git(json!({ "commitSelectionStrategy": "Newest" })),
            "git.commitSelectionStrategy: must be one of NewestFromBranch, SemVer, Lexical, NewestTag, and is \"Newest\"",
        ),
        (git(json!({ "branch": "-x" })), "git.branch: must be the name of a branch, and is \"-x\""),
        (
            git(json!({ "branch": "a".repeat(256) })),
            &format!("git.branch: must be the name of a branch, and is {:?}", "a".repeat(80)),
        ),
        (git(json!({ "strictSemvers": "yes" })), "git.strictSemvers: must be true or false"),
        (
            git(json!({ "discoveryLimit": 101 })),
            "git.discoveryLimit: must be a number from 1 to 100",
        ),
        (
            git(json!({ "discoveryLimit": "1" })),
            "git.discoveryLimit: must be a number from 1 to 100",
        ),
        (git(json!({ "includePaths": "a" })), "git.includePaths: must be a list of texts"),
        (git(json!({ "includePaths": ["a", 1] })), "git.includePaths: entry 1 must be a text"),
        (
            git(json!({ "ignoreTagsRegexes": ["a", "("] })),
            "git.ignoreTagsRegexes: entry 1 is no valid regular expression: unclosed group",
        ),
        (
            git(json!({ "since": "yesterday" })),
            "git.since: must be a time such as 2026-01-02T15:04:05Z, and is \"yesterday\"",
        ),
        (git(json!({ "allowTags": "^v" })), "? git.allowTags: is not known, and means nothing"),
        (
            git(json!({ "allowTags": "^v", "commitSelectionStrategy": "NewestTag" })),
            "git.allowTags: is no longer supported; use allowTagsRegexes",
        ),
        (
            image(json!({ "ignoreTags": ["a"] })),
            "image.ignoreTags: is no longer supported; use ignoreTagsRegexes",
        ),
        (
            image(json!({ "semverConstraint": "^1" })),
            "? image.semverConstraint: is not known, and means nothing",
        ),
        (
            image(json!({ "repoURL": "https://ghcr.io/acme/web" })),
            "image.repoURL: must be the name of an image's repository, without scheme, tag or digest, and is \"https://ghcr.io/acme/web\"",
        ),
        (
            image(json!({ "repoURL": "ghcr.io/acme/web:v1" })),
            "image.repoURL: must be the name of an image's repository, without scheme, tag or digest, and is \"ghcr.io/acme/web:v1\"",
        ),
        (
            image(json!({ "platform": "linux" })),
            "image.platform: must be of the form os/arch or os/arch/variant, and is \"linux\"",
        ),
        (
            image(json!({ "constraint": "latest!" })),
            "image.constraint: \"latest!\" is not a constraint, such as ^1.2 or >=1.2.0 <2",
        ),
        (
            git(json!({ "semverConstraint": ">>1" })),
            "git.semverConstraint: \">>1\" is not a constraint, such as ^1.2 or >=1.2.0 <2",
        ),
        (
            image(json!({ "imageSelectionStrategy": "Digest" })),
            "image.constraint: is required with imageSelectionStrategy Digest: the tag whose digest is wanted",
        ),
        (
            json!({ "chart": { "repoURL": "charts.example.com" , "name": "web" } }),
            "chart.repoURL: must be the URL of a chart repository: https://…, http://… or oci://…, and is \"charts.example.com\"",
        ),
        (
            json!({ "chart": { "repoURL": "https://charts.example.com" } }),
            "chart.name: is required, except for an OCI repository",
        ),
        (
            json!({ "chart": { "repoURL": "oci://ghcr.io/a/b", "name": "b" } }),
            "chart.name: must be empty for an OCI repository, whose URL names the chart",
        ),
    ] {
        assert_eq!(findings(&item), [expected], "{item}");
    }
}

#[test]
fn what_is_not_said_is_meant() {
    let with_defaults = |mut item: Value| {
        set_defaults(&mut item);
        item
    };
    let git = json!({ "git": { "repoURL": "https://x/y", "discoveryLimit": 0, "commitSelectionStrategy": "" } });
    let set = json!({ "git": { "repoURL": "https://x/y", "discoveryLimit": 20, "commitSelectionStrategy": "NewestFromBranch", "strictSemvers": true } });
    assert_eq!(with_defaults(git), set);
    assert_eq!(with_defaults(set.clone()), set);
    let image = json!({ "image": { "repoURL": "a", "imageSelectionStrategy": "Lexical", "strictSemvers": false, "discoveryLimit": 5 } });
    assert_eq!(with_defaults(image.clone()), image);
    assert_eq!(
        with_defaults(json!({ "image": {} })),
        json!({ "image": { "imageSelectionStrategy": "SemVer", "strictSemvers": true, "discoveryLimit": 20 } })
    );
    assert_eq!(with_defaults(json!({ "chart": {} })), json!({ "chart": { "discoveryLimit": 20 } }));
    for nothing in [json!(null), json!("x"), json!({ "git": 1 }), json!({ "other": {} })] {
        assert_eq!(with_defaults(nothing.clone()), nothing);
    }
}

#[test]
fn the_same_thing_is_recognised_however_it_is_written() {
    let subject = |item: Value| {
        let subscription = Subscription::read(&item).map(|s| (s.kind, s.subject()));
        subscription.unwrap()
    };
    let git = |url: &str| subject(json!({ "git": { "repoURL": url } }));
    let image = |url: &str| subject(json!({ "image": { "repoURL": url } }));
    let chart =
        |url: &str, name: &str| subject(json!({ "chart": { "repoURL": url, "name": name } }));
    assert_eq!(git("https://github.com/acme/web"), git("https://GitHub.com/acme/web.git/"));
    assert_ne!(git("https://github.com/acme/web"), git("https://github.com/acme/db"));
    assert_eq!(image("nginx"), image("docker.io/library/nginx"));
    assert_ne!(image("nginx"), git("nginx"));
    assert_ne!(chart("https://charts", "a"), chart("https://charts", "b"));
    assert_eq!(chart("https://charts", "a"), chart("https://Charts", "a"));
    assert_eq!(chart("oci://ghcr.io/acme/a", ""), chart("oci://GHCR.io/acme/a", "ignored"));
}
