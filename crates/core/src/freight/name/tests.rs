use serde_json::{Value, json};

use super::*;

/// The vectors A to E of Kargo's documented rules, as inputs.
#[test]
fn the_name_is_the_hash_of_origin_and_artifacts() {
    let zeros = "0".repeat(64);
    let app = json!({ "repoURL": "ghcr.io/example/app", "tag": "v1.2.3", "digest": format!("sha256:{zeros}") });
    let repo = json!({ "repoURL": "https://github.com/example/repo", "id": "abc123" });
    check(
        json!({ "origin": warehouse("my-warehouse"), "images": [app], "commits": [repo] }),
        &format!(
            "Warehouse/my-warehouse:ghcr.io/example/app:v1.2.3@sha256:{zeros}|https://github.com/example/repo:abc123"
        ),
        "b3e7149de5914b1d5400c3b3675d52843f1762b6",
    );
    check(
        json!({
            "origin": warehouse("my-warehouse"),
            "commits": [{
                "repoURL": "https://github.com/Example/Repo.git",
                "id": "abc123",
                "tag": "v1.0.0",
                "subscriptionName": "sub1",
            }],
            "charts": [{ "repoURL": "oci://example.com/charts/demo", "version": "1.2.3" }],
        }),
        "Warehouse/my-warehouse:example.com/charts/demo:1.2.3|https://github.com/example/repo:v1.0.0:abc123:sub1",
        "c021d5477b24cc671550cfa87f16fb6e4828ad18",
    );
    check(
        json!({
            "origin": warehouse("w"),
            "charts": [{ "repoURL": "https://charts.example.com", "name": "demo", "version": "1.0.0" }],
        }),
        "Warehouse/w:https:/charts.example.com/demo:1.0.0",
        "79c1a4b6c74317aae8ad514a127fea0e2c1f971e",
    );
    check(
        json!({
            "origin": { "kind": "fake-kind", "name": "fake-name" },
            "commits": [{ "repoURL": "fake-git-repo", "id": "fake-commit-id" }],
            "images": [{ "repoURL": "fake-image-repo", "tag": "fake-image-tag" }],
            "charts": [{ "repoURL": "fake-chart-repo", "name": "fake-chart", "version": "fake-chart-version" }],
        }),
        "fake-kind/fake-name:fake-chart-repo/fake-chart:fake-chart-version|fake-image-repo:fake-image-tag@|ssh://fake-git-repo:fake-commit-id",
        "2ef94c8c7020aa65825be992e9525f7703d15990",
    );
    check(
        json!({ "origin": warehouse("w"), "commits": [repo] }),
        "Warehouse/w:https://github.com/example/repo:abc123",
        "eb467a70c66949c63935106c6e282ddf25e5d1f2",
    );
}

#[test]
fn what_only_describes_has_no_part_in_the_name() {
    let bare = json!({ "commits": [{ "id": "1" }], "images": [{ "tag": "1" }] });
    let described = json!({
        "metadata": { "name": "n", "labels": { "a": "b" } },
        "alias": "happy-otter",
        "commits": [{ "id": "1", "branch": "b", "message": "m", "author": "a", "committer": "c" }],
        "images": [{ "tag": "1", "annotations": { "a": "b" } }],
    });
    assert_eq!(name(&freight(bare)), name(&freight(described)));
}

#[test]
fn a_chart_is_joined_like_a_file_path() {
    for (repo, chart, joined) in [
        ("", "", ""),
        ("", "a", "a"),
        ("a", "", "a"),
        ("", "..", ".."),
        ("https://x.y/", "z", "https:/x.y/z"),
        ("a/b", "../c", "a/c"),
        ("a", "../../..", "../.."),
        ("/a", "../../b", "/b"),
        ("a", "..", "."),
        ("//", "", "/"),
        ("./a", "./b/.", "a/b"),
    ] {
        assert_eq!(join_path(repo, chart), joined, "{repo:?} and {chart:?}");
    }
}

/// Text of every kind in every field: the name is always there, and always of the same form.
#[test]
fn any_freight_has_a_name() {
    let huge = "%".repeat(100_000);
    for odd in
        ["", "\0\u{1b}\n", "%", "%zz%", "é/😀:\u{feff}@|,", "../../..", "[::1", huge.as_str()]
    {
        let freight = freight(json!({
            "origin": { "kind": odd, "name": odd },
            "commits": [{ "repoURL": odd, "id": odd, "tag": odd, "subscriptionName": odd }],
            "images": [{ "repoURL": odd, "tag": odd, "digest": odd, "subscriptionName": odd }],
            "charts": [{ "repoURL": odd, "name": odd, "version": odd, "subscriptionName": odd }],
            "artifacts": [{ "artifactType": odd, "subscriptionName": odd, "version": odd }],
        }));
        let name = name(&freight);
        assert_eq!(name.len(), 40);
        assert!(name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
}

#[track_caller]
fn check(input: Value, text: &str, sha1: &str) {
    let freight = freight(input);
    assert_eq!(preimage(&freight), text);
    assert_eq!(name(&freight), sha1);
}

fn freight(input: Value) -> Freight {
    serde_json::from_value(input).unwrap()
}

fn warehouse(name: &str) -> Value {
    json!({ "kind": "Warehouse", "name": name })
}
