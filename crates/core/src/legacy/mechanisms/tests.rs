//! A table of old mechanisms, each with the steps of today.

use super::*;

const REPO: &str = "https://git/a.git";

/// The steps of one update of the branch `main`, from itself, without the clone before and the commit and push after.
#[track_caller]
fn edits_of(update: Value, expected: &Value) {
    let mut update = update;
    for (field, value) in [("repoURL", REPO), ("readBranch", "main"), ("writeBranch", "main")] {
        update[field] = value.into();
    }
    let steps = git(&update, 0);
    let checkout = json!([{ "branch": "main", "path": "./out" }]);
    assert_eq!(steps[0], step("git-clone", json!({ "repoURL": REPO, "checkout": checkout })));
    let (first, last) = (&steps[1..steps.len() - 2], &steps[steps.len() - 2..]);
    assert_eq!(last[0]["uses"], "git-commit");
    assert_eq!(last[1], step("git-push", json!({ "path": "./out" })));
    assert_eq!(Value::from(first.to_vec()), *expected, "{update}");
}

#[test]
fn edits() {
    edits_of(json!({}), &json!([]));
    edits_of(
        json!({ "kustomize": { "images": [
            { "image": "i", "path": "dev" }, { "image": "j", "path": "prod", "useDigest": true }, { "image": "k", "path": "dev" },
        ] } }),
        &json!([
            step(
                "kustomize-set-image",
                json!({ "path": "./out/dev", "images": [
                { "image": "i", "tag": "${{ imageFrom(\"i\").Tag }}" }, { "image": "k", "tag": "${{ imageFrom(\"k\").Tag }}" },
            ] })
            ),
            step(
                "kustomize-set-image",
                json!({ "path": "./out/prod", "images": [{ "image": "j", "digest": "${{ imageFrom(\"j\").Digest }}" }] })
            ),
        ]),
    );
    let image = |value: &str| json!({ "image": "i", "valuesFilePath": "./values.yaml", "key": "a.b", "value": value });
    let images: Vec<_> = ["ImageAndTag", "Tag", "ImageAndDigest", "Digest"].map(image).into();
    let update = |value: &str| json!({ "key": "a.b", "value": value });
    edits_of(
        json!({ "helm": {
            "images": images,
            "charts": [{ "repository": "oci://h/c", "chartPath": "charts/a" }, { "repository": "https://h", "name": "c", "chartPath": "." }],
        } }),
        &json!([
            step(
                "yaml-update",
                json!({ "path": "./out/values.yaml", "updates": [
                update("i:${{ imageFrom(\"i\").Tag }}"), update("${{ imageFrom(\"i\").Tag }}"),
                update("i@${{ imageFrom(\"i\").Digest }}"), update("${{ imageFrom(\"i\").Digest }}"),
            ] })
            ),
            step(
                "helm-update-chart",
                json!({ "path": "./out/charts/a", "charts": [{ "repository": "oci://h/c", "version": "${{ chartFrom(\"oci://h/c\").Version }}" }] })
            ),
            step(
                "helm-update-chart",
                json!({ "path": "./out", "charts": [{ "repository": "https://h", "name": "c", "version": "${{ chartFrom(\"https://h\", \"c\").Version }}" }] })
            ),
        ]),
    );
    edits_of(
        json!({ "render": { "images": [{ "image": "i" }] } }),
        &json!([
            step(
                "kustomize-set-image",
                json!({ "path": "./out", "images": [{ "image": "i", "tag": "${{ imageFrom(\"i\").Tag }}" }] })
            ),
            step("kustomize-build", json!({ "path": "./out", "outPath": "./out" })),
        ]),
    );
}

#[test]
fn another_branch_is_replaced_by_what_is_read() {
    for (read, from) in [
        (json!("main"), json!({ "branch": "main", "path": "./src2" })),
        (Value::Null, json!({ "path": "./src2" })),
    ] {
        let update = json!({ "repoURL": REPO, "insecureSkipTLSVerify": true, "readBranch": read, "writeBranch": "stage/dev" });
        let out = json!({ "branch": "stage/dev", "path": "./out2", "create": true });
        let expected = [
            step(
                "git-clone",
                json!({ "repoURL": REPO, "insecureSkipTLSVerify": true, "checkout": [from, out] }),
            ),
            step("git-clear", json!({ "path": "./out2" })),
            step("copy", json!({ "inPath": "./src2", "outPath": "./out2" })),
        ];
        assert_eq!(git(&update, 1)[..3], expected);
    }
}

#[test]
fn a_pull_request_is_opened_and_waited_for() {
    let update = json!({ "repoURL": REPO, "readBranch": "main", "writeBranch": "main", "pullRequest": { "github": {} } });
    let steps = git(&update, 0);
    let last = Value::from(steps[steps.len() - 3..].to_vec());
    let expected = json!([
        { "uses": "git-push", "config": { "path": "./out", "generateTargetBranch": true }, "as": "push" },
        { "uses": "git-open-pr", "config": { "repoURL": REPO, "sourceBranch": "${{ outputs.push.branch }}", "targetBranch": "main" }, "as": "pull" },
        { "uses": "git-wait-for-pr", "config": { "repoURL": REPO, "prNumber": "${{ outputs.pull.pr.id }}" } },
    ]);
    assert_eq!(last, expected);
}

#[test]
fn applications_are_updated_source_by_source() {
    let old = json!({ "argoCDAppUpdates": [{ "appName": "a", "appNamespace": "argocd", "sourceUpdates": [
        { "repoURL": REPO, "updateTargetRevision": true, "kustomize": { "images": [{ "image": "i", "useDigest": true }] } },
        { "repoURL": "https://h", "chart": "c", "updateTargetRevision": true, "helm": { "images": [{ "image": "i", "key": "k", "value": "Tag" }] } },
    ] }] });
    let expected = step(
        "argocd-update",
        json!({ "apps": [{ "name": "a", "namespace": "argocd", "sources": [
        { "repoURL": REPO, "desiredRevision": "${{ commitFrom(\"https://git/a.git\").ID }}", "updateTargetRevision": true,
          "kustomize": { "images": [{ "repoURL": "i", "digest": "${{ imageFrom(\"i\").Digest }}" }] } },
        { "repoURL": "https://h", "chart": "c", "desiredRevision": "${{ chartFrom(\"https://h\", \"c\").Version }}", "updateTargetRevision": true,
          "helm": { "images": [{ "key": "k", "value": "${{ imageFrom(\"i\").Tag }}" }] } },
    ] }] }),
    );
    assert_eq!(mechanisms(&old), [(APPLICATIONS, json!([expected]))]);
}

#[test]
fn nothing_is_made_of_nothing() {
    for old in
        [json!({}), json!(7), json!({ "gitRepoUpdates": [] }), json!({ "gitRepoUpdates": "x" })]
    {
        assert_eq!(mechanisms(&old), [], "{old}");
    }
    // Whatever an update is, it is no reason to stumble.
    let odd = [json!(7), json!("x"), json!({ "kustomize": [], "helm": 1, "pullRequest": true })];
    for update in odd {
        assert_eq!(
            mechanisms(&json!({ "gitRepoUpdates": [update], "argoCDAppUpdates": [update] })).len(),
            2
        );
    }
}
