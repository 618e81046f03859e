//! Plain files as text: what they are written in, how their lines end, and what of several kinds of text is in one file.
//!
//! Beside each of them lies an object that is read in any case.

use std::fs;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

use super::{Case, World};

const THERE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: there}\n";

struct Text {
    name: &'static str,
    /// Names end in `.yaml` or `.json`.
    file: &'static str,
    bytes: Vec<u8>,
    is: Is,
}

enum Is {
    Same,
    /// Argo CD renders it, and we don't: our reason.
    Refused(&'static str),
    /// Nobody renders it: Argo CD's reason, and ours.
    Broken(&'static str, &'static str),
}

fn text(name: &'static str, file: &'static str, bytes: impl Into<Vec<u8>>, is: Is) -> Text {
    Text { name, file, bytes: bytes.into(), is }
}

#[test]
fn files_are_read_as_argo_cd_reads_them() -> Result<()> {
    let world = World::new("texts")?;
    let (project, _) = world.project()?;
    let folder = TempDir::new()?;
    let texts = texts();
    for Text { name, file, bytes, .. } in &texts {
        let folder = folder.path().join(name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("there.yaml"), THERE)?;
        fs::write(folder.join(file), bytes)?;
    }
    let commit = world.cluster.git().commit_folder(&project.name, folder.path(), "Texts")?;
    let case = |Text { name, is, .. }: Text| {
        let case = Case::new(name, name, json!({}), json!([]));
        match is {
            Is::Same => case,
            Is::Refused(ours) => case.refused(ours),
            Is::Broken(theirs, ours) => case.broken(theirs, ours),
        }
    };
    let cases: Vec<_> = texts.into_iter().map(case).collect();
    let url = world.cluster.git().url(&project.name);
    world.run(
        &project,
        &cases,
        |path| json!({ "repoURL": url, "targetRevision": commit, "path": path }),
    )
}

fn texts() -> Vec<Text> {
    use Is::{Broken, Refused, Same};
    let map = |name: &str, data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{data}")
    };
    let json = |name: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "a": "ä😀" } })
            .to_string()
    };
    let odd = map("odd", "  a: ä😀\n  b: |\n    1\n    2\n");
    let marked = |text: &str| format!("\u{feff}{text}");
    let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        marked(text).encode_utf16().flat_map(bytes).collect()
    };
    let unmarked =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let lines = map(
        "lines",
        "  literal: |\n    a\n      b\n\n  keep: |+\n    a\n\n  folded: >-\n    a\n    b\n\n    c\n  quoted: \"a\n    b\\\n    c\"\n  plain: a\n    b\n",
    );
    let lines = format!("# first\n---\n{lines}---\n{}--- # and\n{}", odd, map("last", "  a: b\n"));
    let (a, b, c) = (json("a"), json("b"), json("c"));
    // As whoever knows JSON alone writes it.
    let escaped = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"escaped\"},\n\t\"data\": {\"a\": \"\\ud83d\\ude00 \\/ \\u00e4\"}\n}";
    let twice = map(
        "twice",
        "  a: '1'\n  b: '2'\n  a: '3'\nmetadata: {name: once, labels: {x: '1', x: '2'}}\n",
    );
    let twice_json = r#"{"apiVersion": "v1", "kind": "X", "kind": "ConfigMap", "metadata": {"name": "a"}, "metadata": {"name": "b", "labels": {"x": "1", "x": "2"}}}"#;
    let nothing = "apiVersion: v1\nkind: List\nitems: null\n---\napiVersion: example.com/v1\nkind: Menu\nitems:\n---\napiVersion: v1\nkind: ConfigMapList\nitems: []\n---\napiVersion: example.com/v1\nkind: MenuList\nmetadata: {name: kept}\nitems: null\nspec: {a: 1}\n";
    vec![
        text("x-utf16-le", "odd.yaml", wide(&odd, u16::to_le_bytes), Same),
        text("x-utf16-be", "odd.yaml", wide(&odd, u16::to_be_bytes), Same),
        text("x-utf16-json", "a.json", wide(&a, u16::to_le_bytes), Same),
        text(
            "x-utf16-skipped",
            "odd.yaml",
            wide(&format!("# +argocd:skip-file-rendering\n{odd}"), u16::to_le_bytes),
            Same,
        ),
        // Without a mark it is no text that anybody knows. Argo CD leaves it out, as it does with files of something else.
        text("x-utf16-unmarked", "odd.yaml", unmarked(&odd), Refused("odd.yaml is not UTF-8")),
        text("x-utf16-unmarked-ascii", "odd.yaml", unmarked(THERE), Same),
        text("x-utf8-mark", "odd.yaml", marked(&odd), Same),
        text("x-utf8-mark-json", "a.json", marked(&a), Same),
        text("x-utf8-mark-stream", "a.yaml", marked(&format!("{a}{b}")), Same),
        text(
            "x-latin1",
            "odd.yaml",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: \xe9}\n",
            Refused("odd.yaml is not UTF-8"),
        ),
        text("x-crlf", "lines.yaml", lines.replace('\n', "\r\n"), Same),
        text("x-crlf-json", "a.json", format!("{{\r\n{}\r\n", &a[1..]), Same),
        text("x-cr", "odd.yaml", odd.replace('\n', "\r"), Same),
        text("x-unended", "odd.yaml", odd.trim_end(), Same),
        text("x-unended-crlf", "odd.yaml", odd.trim_end().replace('\n', "\r\n"), Same),
        text("x-stream", "a.yaml", format!("{a}{b}\n\n  {c}\n"), Same),
        text("x-stream-escaped", "a.yaml", format!("{escaped}\n{a}"), Same),
        text("x-stream-then-yaml", "a.yaml", format!("{a}\n---\n{odd}---\n{b}\n"), Same),
        text("x-stream-null", "a.yaml", format!("{a}\nnull\n{b}"), Same),
        text(
            "x-flow",
            "a.yaml",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: flow}}\n---\n# nothing\n",
            Same,
        ),
        text(
            "x-streams-then-yaml",
            "a.yaml",
            format!("{a}\n{b}\n---\n{odd}"),
            Broken("Failed to unmarshal", "a.yaml, document 3: not JSON"),
        ),
        text(
            "x-json-twice",
            "a.json",
            format!("{a}\n{b}\n"),
            Broken("Found multiple objects", "a.json: not JSON"),
        ),
        text("x-json-empty", "a.json", "", Broken("Failed to unmarshal", "a.json: not JSON")),
        text(
            "x-json-list",
            "a.json",
            format!("[{a}]"),
            Broken("Failed to unmarshal", "a.json: not an object"),
        ),
        text("x-items-null", "a.yaml", nothing, Same),
        text(
            "x-items-null-json",
            "a.json",
            r#"{"apiVersion": "v1", "kind": "List", "items": null}"#,
            Same,
        ),
        text("x-empty", "a.yaml", "", Same),
        text("x-blank", "a.yaml", " \n\n", Same),
        text(
            "x-comments",
            "a.yaml",
            "# apiVersion: v1\n# kind: ConfigMap\n---\n  # metadata:\n",
            Same,
        ),
        text("x-twice", "a.yaml", twice, Same),
        text("x-twice-json", "a.json", twice_json, Same),
        text("x-end", "a.yaml", format!("{odd}...\n---\n{}", map("after", "  a: b\n")), Same),
        text(
            "x-tabs",
            "a.yaml",
            map("tabs", "\ta: b\n"),
            Broken("found character that cannot start any token", "a.yaml, document 1: not YAML"),
        ),
        text(
            "x-separator",
            "a.yaml",
            format!("--- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: x}}}}\n---\n{odd}"),
            Broken("invalid Yaml document separator", "goes on with"),
        ),
        text(
            "x-directive",
            "a.yaml",
            format!("%YAML 1.1\n---\n{odd}"),
            Broken("did not find expected", "a.yaml, document 1"),
        ),
    ]
}
