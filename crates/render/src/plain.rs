//! A folder of YAML and JSON files.

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

use crate::{Files, Options, RenderError, documents};

/// Argo CD leaves out files in which this stands.
const SKIP: &str = "+argocd:skip-file-rendering";

/// The files that are read, by their names below `folder`.
pub(crate) fn files<'f>(
    files: &'f Files,
    folder: &str,
    options: &Options,
) -> Result<Vec<(&'f str, &'f [u8])>, RenderError> {
    let base = folder.len() + usize::from(!folder.is_empty());
    let include = options.include.as_deref().map(|text| pattern("include", text)).transpose()?;
    let exclude = options.exclude.as_deref().map(|text| pattern("exclude", text)).transpose()?;
    let all = files.iter().filter(|(name, _)| {
        let Some(below) = below(name, folder) else { return false };
        let reached = !files.is_linked(&name[base..]) && (options.recurse || !below.contains('/'));
        reached
            && ["yaml", "yml", "json", "jsonnet"].iter().any(|end| extension(below) == Some(end))
            && include.as_ref().is_none_or(|pattern| pattern.is_match(below))
            && !exclude.as_ref().is_some_and(|pattern| pattern.is_match(below))
    });
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
    let glob = glob.map_err(|e| {
        RenderError::input(format!("the plugin's parameter {parameter:?}: {}", e.kind()))
    })?;
    Ok(glob.compile_matcher())
}

/// The objects in the files that [`files`] found.
pub(crate) fn objects(files: &[(&str, &[u8])]) -> Result<Vec<Value>, RenderError> {
    let mut objects = Vec::new();
    for (name, content) in files {
        if extension(name) == Some("jsonnet") {
            let text = format!(
                "{name} is Jsonnet, which the plugin does not render. Keep its output in the repository, or take a source without the plugin"
            );
            return Err(RenderError::input(text));
        }
        let text = std::str::from_utf8(content)
            .map_err(|_| RenderError::input(format!("{name} is not UTF-8")))?;
        if text.contains(SKIP) {
            continue;
        }
        let found = if extension(name) == Some("json") {
            documents::object(name, text)
        } else {
            documents::objects(name, text)
        };
        match found {
            Ok(found) => objects.extend(found),
            // As Argo CD: values of something else that lie around.
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
