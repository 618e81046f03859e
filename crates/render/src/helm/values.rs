//! Which files of values a chart is given: found as Argo CD finds them.

use std::collections::BTreeSet;

use wharfinger_core::pattern::Pattern;
use wharfinger_core::url::shown;

use crate::files::{self, Files};
use crate::options::at;
use crate::source::Place;
use crate::{Options, RenderError};

/// The values files of `options`, in the order in which they are laid over each other.
pub(super) fn files(
    files: &Files,
    place: Place<'_>,
    options: &Options,
) -> Result<Vec<String>, RenderError> {
    let ignore_missing = options.ignore_missing_value_files;
    let paths: Vec<(&String, String)> = options
        .value_files
        .iter()
        .map(|name| Ok((name, path(files, place, options, VALUES_FILE, name)?)))
        .collect::<Result<_, RenderError>>()?;
    // A file that is named itself stands where it is named, not where a pattern finds it.
    let named: BTreeSet<&str> =
        paths.iter().map(|(_, path)| path.as_str()).filter(|path| !is_pattern(path)).collect();
    let mut all: Vec<String> = Vec::new();
    for (name, path) in &paths {
        let mut found = if is_pattern(path) {
            matching(files, name, path)?
        } else {
            files.get(path).map(|_| path.clone()).into_iter().collect()
        };
        if found.is_empty() && !ignore_missing {
            return Err(missing(files, place, options, VALUES_FILE, name));
        }
        if is_pattern(path) {
            found.retain(|path| !named.contains(path.as_str()));
        }
        for path in found {
            if !all.contains(&path) {
                all.push(path);
            }
        }
    }
    Ok(all)
}

/// Where one file is that has to be there.
pub(super) fn locate(
    files: &Files,
    place: Place<'_>,
    options: &Options,
    parameter: &str,
    name: &str,
) -> Result<String, RenderError> {
    let path = path(files, place, options, parameter, name)?;
    match files.get(&path) {
        Some(_) => Ok(path),
        None => Err(missing(files, place, options, parameter, name)),
    }
}

const VALUES_FILE: &str = "valueFiles";

fn missing(
    files: &Files,
    place: Place<'_>,
    options: &Options,
    parameter: &str,
    name: &str,
) -> RenderError {
    let others = options.value_files.iter().chain(options.file_parameters.values());
    let others = others.filter(|other| !is_pattern(other) && !is_elsewhere(other));
    let read = others.filter_map(|other| place.in_repository(place.folder, other)).collect();
    place.missing(files, &at(parameter), name, place.folder, read)
}

/// In another source, or on another machine.
fn is_elsewhere(name: &str) -> bool {
    name.starts_with('$') || name.contains("://")
}

/// From the root of the files.
fn path(
    files: &Files,
    place: Place<'_>,
    options: &Options,
    parameter: &str,
    name: &str,
) -> Result<String, RenderError> {
    if name.starts_with('$') {
        return Err(RenderError::Input(format!(
            "{} names {name:?}, which is in another source; Argo CD lets only native Helm sources read it. Keep the Application's source native and let the promotion step argocd-update write the image, or put the file into the chart's repository",
            at(parameter)
        )));
    }
    if name.contains("://") {
        return Err(RenderError::Input(format!(
            "{} names {:?}, which is remote; the plugin fetches no files. Copy it into the repository",
            at(parameter),
            shown(name)
        )));
    }
    place.locate(name).ok_or_else(|| missing(files, place, options, parameter, name))
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The files that a pattern finds, in Argo CD's order: folder by folder.
pub(crate) fn matching(
    files: &Files,
    name: &str,
    pattern: &str,
) -> Result<Vec<String>, RenderError> {
    let mut ahead = vec![String::new()];
    let parts: Vec<&str> = pattern.split('/').collect();
    let (last, parts) = parts.split_last().unwrap_or((&"", &[]));
    for part in parts {
        let matcher = matcher(name, part)?;
        let inside = |folder: &String| -> Vec<String> {
            if *part == "**" {
                let mut all = vec![folder.clone()];
                deep(files, folder, &mut all);
                all
            } else {
                let below = folders(files, folder).into_iter();
                below.filter(|f| matcher.matches(base(f))).collect()
            }
        };
        ahead = ahead.iter().flat_map(inside).collect();
    }
    let matcher = matcher(name, last)?;
    let inside = |folder: &String| {
        let here = files.below(folder).map(|(name, _)| name).filter(|name| !name.contains('/'));
        let found = here.filter(|name| matcher.matches(name));
        found.filter_map(|name| files::join(folder, name)).collect::<Vec<_>>()
    };
    Ok(ahead.iter().flat_map(inside).collect())
}

fn matcher(name: &str, part: &str) -> Result<Pattern, RenderError> {
    Pattern::glob(part).map_err(|e| {
        RenderError::Input(format!("the values file {name:?} is no pattern: {}", e.reason))
    })
}

/// The folders in a folder.
fn folders(files: &Files, folder: &str) -> BTreeSet<String> {
    let first = |name: &str| Some(name.split_once('/')?.0.to_owned());
    let names = files.below(folder).filter_map(|(name, _)| first(name));
    names.filter_map(|name| files::join(folder, &name)).collect()
}

/// All folders below a folder, each before those in it.
fn deep(files: &Files, folder: &str, all: &mut Vec<String>) {
    for below in folders(files, folder) {
        all.push(below.clone());
        deep(files, &below, all);
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str], ignore_missing: bool) -> Result<Vec<String>, String> {
        found_in("", names, ignore_missing)
    }

    fn found_in(above: &str, names: &[&str], ignore_missing: bool) -> Result<Vec<String>, String> {
        let all: Files = [
            "charts/web/Chart.yaml",
            "charts/web/a.yaml",
            "charts/web/envs/b.yaml",
            "charts/web/envs/a.yaml",
            "charts/web/envs/x/a.yaml",
            "charts/web/envs.yaml",
            "values/b.yaml",
        ]
        .into_iter()
        .map(|name| (name, ""))
        .collect();
        let options = Options {
            value_files: names.iter().map(|name| (*name).to_owned()).collect(),
            ignore_missing_value_files: ignore_missing,
            ..Options::default()
        };
        files(&all, Place { folder: "charts/web", above }, &options).map_err(|e| e.to_string())
    }

    #[test]
    fn values_files_are_found_as_argo_cd_finds_them() {
        assert_eq!(found(&["a.yaml"], false).unwrap(), ["charts/web/a.yaml"]);
        assert_eq!(found(&["../../values/b.yaml"], false).unwrap(), ["values/b.yaml"]);
        assert_eq!(found(&["/values/b.yaml"], false).unwrap(), ["values/b.yaml"]);
        assert_eq!(found(&["b.yaml", "c*.yaml"], true).unwrap(), [""; 0]);
        for (bad, part) in [
            ("b.yaml", "is not there"),
            ("c*.yaml", "is not there"),
            ("../../../x.yaml", "outside"),
            ("$values/x.yaml", "another source"),
            (
                "https://user:hunter2@example.com/v.yaml?t=x",
                "\"https://example.com/v.yaml\", which is remote",
            ),
            ("[a", "no pattern"),
        ] {
            assert!(found(&[bad], false).unwrap_err().contains(part), "{bad}");
        }
    }

    #[test]
    fn where_a_part_of_the_repository_was_handed_over_paths_mean_the_same() {
        let check = |name: &str, expected: Result<&str, &str>| match (
            found_in("teams/a", &[name], false),
            expected,
        ) {
            (Ok(found), Ok(expected)) => assert_eq!(found, [expected]),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{name}: {found:?}"),
        };
        check("a.yaml", Ok("charts/web/a.yaml"));
        check("/teams/a/values/b.yaml", Ok("values/b.yaml"));
        check("/teams/a/val*/b.yaml", Ok("values/b.yaml"));
        check("../../../../teams/a/values/b.yaml", Ok("values/b.yaml"));
        check(
            "/values/b.yaml",
            Err(
                "those of the folder teams/a. If it is in the repository, set the annotation argocd.argoproj.io/manifest-generate-paths to \".;/values/b.yaml\"",
            ),
        );
        check("../../../b/x.yaml", Err("to \".;../../../b/x.yaml\""));
        check("../../values/gone.yaml", Err("to \".;../../values/gone.yaml\""));
        check("../../../../../x.yaml", Err("outside of the repository"));
    }

    #[test]
    fn patterns_find_files_folder_by_folder() {
        let check = |names: &[&str], expected: &[&str]| {
            assert_eq!(found(names, false).unwrap(), expected, "{names:?}");
        };
        let (a, b, x) =
            ("charts/web/envs/a.yaml", "charts/web/envs/b.yaml", "charts/web/envs/x/a.yaml");
        check(&["envs/*.yaml"], &[a, b]);
        check(&["envs/*"], &[a, b]);
        check(&["envs/?.yaml", "envs/b.yaml"], &[a, b]);
        check(&["envs/*.yaml", "envs/a.yaml"], &[b, a]);
        check(&["envs/b.yaml", "envs/*.yaml"], &[b, a]);
        check(&["envs/[!a].yaml"], &[b]);
        check(&["e*/**/a.yaml"], &[a, x]);
        check(&["/**/envs/**/*.yaml"], &[a, b, x]);
        check(
            &["**/*.yaml"],
            &["charts/web/Chart.yaml", "charts/web/a.yaml", "charts/web/envs.yaml", a, b, x],
        );
        check(&["/values/{a,b}*"], &["values/b.yaml"]);
    }
}
