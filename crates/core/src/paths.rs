//! What Argo CD sends for a render, and what of it is read: the annotation `manifest-generate-paths`.
//!
//! Argo CD sends the folder that all paths of the annotation have in common, or, without it, the whole repository. And a
//! commit that touches none of them is not rendered.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::check::{Check, Code, State};

pub const MANIFEST_GENERATE_PATHS: &str = "argocd.argoproj.io/manifest-generate-paths";
const SETTING: &str = "ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS";

/// An upload is too large when it has more than so many times what was read,
const TIMES: u64 = 10;
/// and is worth a word at all: below, it takes no time.
const WORTH_IT: u64 = 64 << 10;

/// What was sent for the render of one source, and what was read. All paths are told from the repository's root, which is
/// the empty one.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    pub namespace: &'a str,
    pub application: &'a str,
    /// The source's own.
    pub path: &'a str,
    /// The annotation.
    pub declared: Option<&'a str>,
    /// The folder that was sent.
    pub sent: &'a str,
    /// In bytes, as it was sent.
    pub received: u64,
    /// The bytes of the files that were read.
    pub read: u64,
    /// Folders and files that were read. The source's folder is among them.
    pub paths: &'a [String],
}

/// What is wrong with the paths that an Application declares.
pub fn judge(upload: &Upload<'_>) -> Vec<Check> {
    let Upload { namespace, application, path, declared, sent, received, read, paths } = *upload;
    // Most uploads are as they should be, and each render is judged.
    let wanted = || value(path, paths);
    let annotate = || {
        format!(
            "kubectl annotate application -n {namespace} {application} --overwrite {MANIFEST_GENERATE_PATHS}='{}' (where it comes from Git, write it there)",
            wanted()
        )
    };
    let warning = |code, text: String| Check::new(code, State::Warning, text);
    let covering = declared.map(|declared| covered(path, declared)).unwrap_or_default();
    let missed: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| !covering.is_empty() && !covering.iter().any(|c| lies_in(path, c)))
        .collect();
    let mut checks = vec![];
    if !missed.is_empty() {
        let missed: Vec<String> = missed.iter().map(|path| format!("/{path}")).collect();
        let text = format!(
            "it is made from {}, which the annotation {MANIFEST_GENERATE_PATHS} does not cover: Argo CD does not notice commits to it",
            missed.join(", ")
        );
        checks.push(warning(Code::PathsUndeclared, text).fix(annotate()));
    }
    if received > WORTH_IT && received / TIMES > read {
        let text = format!("Argo CD sent {} for {} that are read", size(received), size(read));
        let best = common(path, paths.iter().map(String::as_str));
        let declared_best = common(path, covering.iter().map(String::as_str));
        checks.push(if best == sent {
            let text = format!("{text}: what is read has only /{best} in common, which is sent whole");
            let fix = format!(
                "Move what is read ({}) into one folder; or keep the rest out by reposerver.plugin.tar.exclusions in argocd-cmd-params-cm",
                wanted()
            );
            warning(Code::UploadLarge, text).fix(fix)
        } else if missed.is_empty() && !covering.is_empty() && declared_best == best {
            let fix = format!("Set {SETTING}=true for argocd-repo-server: without it the annotation does not count here");
            warning(Code::UploadLarge, text).fix(fix)
        } else {
            warning(Code::UploadLarge, text).fix(annotate())
        });
    }
    checks
}

/// The value of the annotation by which everything that is read is sent, and not more than need be.
pub fn value(path: &str, paths: &[String]) -> String {
    let all = outermost(paths.iter().map(String::as_str).chain([path]));
    let mut told: Vec<String> = all.into_iter().map(|p| way(path, p)).collect();
    // The source's own folder comes first, as everybody writes it.
    told.sort_by_key(|p| p != ".");
    told.join(";")
}

/// Follows `path` from the folder `from`; nothing where it leaves the root. It looks at names only, not at files.
pub fn join(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// In bytes. Nobody pastes more than that.
const LONGEST: usize = 64 << 10;

/// The paths that were read, as they are told: where they are very many, the folder that all of them lie in.
pub fn told<'p>(path: &str, paths: &'p [String]) -> Cow<'p, [String]> {
    if paths.iter().map(String::len).sum::<usize>() <= LONGEST {
        return paths.into();
    }
    vec![common(path, paths.iter().map(String::as_str)).to_owned()].into()
}

/// Paths without those that lie in another one of them.
pub fn outermost<'p>(paths: impl Iterator<Item = &'p str>) -> Vec<&'p str> {
    let all: BTreeSet<&str> = paths.collect();
    let within = |path: &str| {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        !path.is_empty() && [""].into_iter().chain(folders).any(|folder| all.contains(folder))
    };
    all.iter().filter(|path| !within(path)).copied().collect()
}

/// A path, told from the source's folder, or from the root where they have only that in common.
fn way(from: &str, to: &str) -> String {
    let [from, to] =
        [from, to].map(|path| path.split('/').filter(|p| !p.is_empty()).collect::<Vec<_>>());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if same == 0 && !from.is_empty() {
        return format!("/{}", to.join("/"));
    }
    let up = std::iter::repeat_n("..", from.len() - same);
    let path: Vec<&str> = up.chain(to[same..].iter().copied()).collect();
    if path.is_empty() { ".".into() } else { path.join("/") }
}

/// The paths that an annotation covers. Of a pattern, the folder before it: it may cover all of that.
fn covered(path: &str, annotation: &str) -> Vec<String> {
    let entries = annotation.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    let of = |entry: &str| {
        let from = if entry.starts_with('/') { "" } else { path };
        let mut parts: Vec<&str> = from.split('/').filter(|p| !p.is_empty()).collect();
        for part in entry.split('/') {
            match part {
                "" | "." => {}
                // Argo CD stays within the repository.
                ".." => drop(parts.pop()),
                part if part.contains(['*', '?', '[']) => break,
                part => parts.push(part),
            }
        }
        parts.join("/")
    };
    entries.map(of).collect()
}

/// The folder that a source and all `paths` lie in. Nothing declared is the whole repository.
fn common<'p>(path: &'p str, paths: impl Iterator<Item = &'p str>) -> &'p str {
    let mut paths = paths.peekable();
    if paths.peek().is_none() {
        return "";
    }
    paths.fold(path, |common, path| {
        let mut common = common;
        while !lies_in(path, common) {
            common = common.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
        common
    })
}

/// Whether a path is a folder, or something in it. Everything lies in the root.
pub fn lies_in(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people, with one digit behind the point")]
    let float = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", float / 1e3),
        _ => format!("{:.1} MB", float / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_names_what_is_read_and_no_more() {
        let check = |path: &str, paths: &[&str], expected: &str| {
            let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
            assert_eq!(value(path, &paths), expected);
        };
        check("apps/web", &["apps/web"], ".");
        check("apps/web", &[], ".");
        check("", &[""], ".");
        check("apps/web/overlays/dev", &["apps/web/overlays/dev", "apps/web/base"], ".;../../base");
        check("apps/web", &["apps/web", "apps/web/x/y", "apps/webs"], ".;../webs");
        check("a/b/c/d", &["a/b/c/d", "values/x.yaml"], ".;/values/x.yaml");
        check("a/b", &["a"], "..");
        check("a/b", &[""], "/");
        check("a", &["a", "b/c", "b/c/d", "b/d"], ".;/b/c;/b/d");
    }

    #[test]
    fn very_many_paths_are_told_by_the_folder_they_are_in() {
        let paths = |n: usize| (0..n).map(|n| format!("a/b/{n:05}")).collect::<Vec<_>>();
        assert_eq!(*told("a/c", &paths(3)), paths(3));
        assert_eq!(*told("a/c", &paths(10_000)), ["a"]);
        assert_eq!(value("a/c", &told("a/c", &paths(10_000))), "..");
    }

    #[test]
    fn the_page_shows_what_is_told() {
        let paths = ["web/base", "web/overlays/dev"].map(str::to_owned);
        let checks = judge(&Upload {
            namespace: "argocd",
            application: "web",
            path: "web/overlays/dev",
            declared: None,
            sent: "",
            received: 3_665_974,
            read: 374,
            paths: &paths,
        });
        let page = include_str!("../../../docs/uploads.md");
        for check in checks {
            assert!(page.contains(&check.text) && page.contains(&check.fix), "{check:#?}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_paths_is_told_with_the_right_ones() {
        let paths = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let both = paths(&["apps/web/base", "apps/web/overlays/dev"]);
        let check = |upload: Upload<'_>, expected: &[(Code, &str)]| {
            let found = judge(&upload);
            assert_eq!(
                found.iter().map(|c| c.code).collect::<Vec<_>>(),
                expected.iter().map(|e| e.0).collect::<Vec<_>>(),
                "{found:#?}"
            );
            for (check, (_, part)) in found.iter().zip(expected) {
                assert!(format!("{} {}", check.text, check.fix).contains(part), "{check:#?}");
            }
        };
        let upload = Upload {
            namespace: "argocd",
            application: "web",
            path: "apps/web/overlays/dev",
            declared: None,
            sent: "",
            received: 11_500_000,
            read: 301,
            paths: &both,
        };
        let annotate = "kubectl annotate application -n argocd web --overwrite argocd.argoproj.io/manifest-generate-paths='.;../../base'";
        check(upload, &[(Code::UploadLarge, "11.5 MB for 301 bytes")]);
        check(upload, &[(Code::UploadLarge, annotate)]);
        check(Upload { received: 3_010, ..upload }, &[]);
        check(Upload { received: 65_000, ..upload }, &[]);
        check(Upload { read: 1_150_000, ..upload }, &[]);

        let right = Upload { declared: Some(" . ;../../base"), sent: "apps/web", ..upload };
        check(Upload { received: 900, ..right }, &[]);
        // Sent whole all the same.
        check(Upload { sent: "", ..right }, &[(Code::UploadLarge, "GENERATE_PATHS=true")]);
        check(right, &[(Code::UploadLarge, "only /apps/web in common")]);
        let apart = paths(&["base", "overlays/dev"]);
        let apart = Upload { path: "overlays/dev", paths: &apart, ..upload };
        check(apart, &[(Code::UploadLarge, "only / in common")]);

        let missing = (Code::PathsUndeclared, "from /apps/web/base, which");
        check(Upload { declared: Some("."), received: 900, ..upload }, &[missing]);
        check(Upload { declared: Some("."), received: 900, ..upload }, &[(missing.0, annotate)]);
        check(
            Upload { declared: Some("/docs"), ..upload },
            &[(missing.0, "/apps/web/base, /apps/web/overlays/dev"), (Code::UploadLarge, annotate)],
        );
        for covering in [
            "/",
            "..;../../base/",
            "/apps/web",
            "/apps/*/base;.",
            "../../../../../..",
            ".;/apps/web/base",
        ] {
            check(Upload { declared: Some(covering), received: 900, ..upload }, &[]);
        }
        // Empty, it says nothing.
        check(Upload { declared: Some(" ; "), received: 900, ..upload }, &[]);
    }
}
