//! A folder of YAML and JSON files.

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

use crate::options::at;
use crate::source::Place;
use crate::{Files, Options, RenderError, documents, encoding};

/// Argo CD leaves out files in which this stands.
const SKIP: &str = "+argocd:skip-file-rendering";

/// The files that are read, by their names below `folder`.
pub(crate) fn files<'f>(
    files: &'f Files,
    place: Place<'_>,
    options: &Options,
) -> Result<Vec<(&'f str, &'f [u8])>, RenderError> {
    let folder = place.folder;
    let base = folder.len() + usize::from(!folder.is_empty());
    let include = options.include.as_deref().map(|text| pattern("include", text)).transpose()?;
    let exclude = options.exclude.as_deref().map(|text| pattern("exclude", text)).transpose()?;
    let is_read = |name: &str| {
        let Some(below) = below(name, folder) else { return false };
        let reached = !files.is_linked(folder, name) && (options.recurse || !below.contains('/'));
        reached
            && ["yaml", "yml", "json", "jsonnet"].iter().any(|end| extension(below) == Some(end))
            && include.as_ref().is_none_or(|pattern| pattern.is_match(below))
            && !exclude.as_ref().is_some_and(|pattern| pattern.is_match(below))
    };
    place.hold_all(files, files.outside_in(folder).filter(|name| is_read(name)))?;
    let all = files.within(folder).filter(|(name, _)| is_read(name));
    let mut all: Vec<_> = all.map(|(name, content)| (&name[base..], content)).collect();
    // As a walk finds them: a folder before what only begins with its name.
    all.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    Ok(all)
}

/// A pattern as Argo CD has it: `*` crosses folders, and two of them are not more than one.
fn pattern(parameter: &str, text: &str) -> Result<GlobMatcher, RenderError> {
    let mut single = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if c != '*' || escaped || !single.ends_with('*') || single.ends_with("\\*") {
            single.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    let glob = GlobBuilder::new(&single)
        .literal_separator(false)
        .backslash_escape(true)
        .empty_alternates(true)
        .build();
    let glob = glob.map_err(|e| RenderError::input(format!("{}: {}", at(parameter), e.kind())))?;
    Ok(glob.compile_matcher())
}

/// The objects in the files that [`files`] found.
pub(crate) fn objects(files: &[(&str, &[u8])]) -> Result<Vec<Value>, RenderError> {
    let mut objects = Vec::new();
    for (name, content) in files {
        let text = &*encoding::text(name, content)?;
        if text.contains(SKIP) {
            continue;
        }
        if extension(name) == Some("jsonnet") {
            let text = format!(
                "{name} is Jsonnet, which the plugin does not render. Keep its output in the repository, or take a source without the plugin"
            );
            return Err(RenderError::input(text));
        }
        if extension(name) == Some("json") {
            objects.extend(documents::object(name, text)?);
            continue;
        }
        match documents::objects(name, text) {
            Ok(found) => objects.extend(found),
            // As Argo CD, of YAML alone: values of something else that lie around.
            Err(_) if !resembles_an_object(text) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(objects)
}

/// Whether a file that can't be read was meant to hold objects.
fn resembles_an_object(text: &str) -> bool {
    let has = |field: &str| {
        text.lines().any(|line| line.trim_start_matches(['"', '{', ' ', '-']).starts_with(field))
    };
    has("apiVersion") || has("kind")
}

fn below<'n>(name: &'n str, folder: &str) -> Option<&'n str> {
    if folder.is_empty() { Some(name) } else { name.strip_prefix(folder)?.strip_prefix('/') }
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use crate::files::{Limits, Tree};

    use super::*;

    fn found(options: &Options) -> Vec<String> {
        let mut tree = Tree::new(Limits::default());
        let names = ["a.yaml", "a-b.yaml", "a/x.yaml", "a/b/y.yml", "b.json", "note.txt"];
        for name in names {
            tree.file(format!("repo/app/{name}").as_bytes(), Vec::new()).unwrap();
        }
        tree.file(b"repo/shared/s.yaml", Vec::new()).unwrap();
        tree.link(b"repo/app/link.yaml", b"../shared/s.yaml").unwrap();
        tree.link(b"repo/app/linked", b"../shared").unwrap();
        // The folder itself may lie behind a link.
        tree.link(b"way", b"repo").unwrap();
        let files = tree.finish("").unwrap();
        let found = |folder| -> Vec<String> {
            let all = super::files(&files, Place { folder, above: "" }, options).unwrap();
            all.into_iter().map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(found("repo/app"), found("way/app"));
        found("repo/app")
    }

    #[test]
    fn a_folder_is_walked_as_argo_cd_walks_it() {
        assert_eq!(found(&Options::default()), ["a-b.yaml", "a.yaml", "b.json", "link.yaml"]);
        let deep = found(&Options { recurse: true, ..Options::default() });
        let all = ["a/b/y.yml", "a/x.yaml", "a-b.yaml", "a.yaml", "b.json", "link.yaml"];
        assert_eq!(deep, all);
    }

    #[test]
    fn patterns_are_those_of_argo_cd() {
        let check = |include: &str, expected: &[&str]| {
            let options =
                Options { recurse: true, include: Some(include.into()), ..Options::default() };
            assert_eq!(found(&options), expected, "{include}");
        };
        check("a*", &["a/b/y.yml", "a/x.yaml", "a-b.yaml", "a.yaml"]);
        check("**/*.yml", &["a/b/y.yml"]);
        check("*/*.yml", &["a/b/y.yml"]);
        check("**/a.yaml", &[]);
        check("{a{,-b}.yaml,?.json}", &["a-b.yaml", "a.yaml", "b.json"]);
        check("[!a]*", &["b.json", "link.yaml"]);
        check("\\a.yaml", &["a.yaml"]);
        check("\\**", &[]);
    }
}
