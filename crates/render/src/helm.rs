//! A Helm chart, rendered with the flags that Argo CD gives Helm for a native source.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::blocking::blocking;
use crate::files::{self, Files};
use crate::renderer::Inputs;
use crate::source::UPLOADED;
use crate::tools::{Program, Work};
use crate::{Options, RenderError, Target, documents};

/// The objects that `helm template` makes of the chart.
pub(crate) async fn objects(
    program: &Program,
    files: Arc<Files>,
    inputs: &Inputs,
    read: &Read,
    deadline: Instant,
) -> Result<Vec<Value>, RenderError> {
    let work = Work::of(files, read.all.clone()).await?;
    let options = &inputs.options;
    // As Argo CD: values as an object, where there are any, are all there is.
    let values = options.values_object.as_deref().or(options.values.as_deref());
    let values = values.map(|text| work.add("values.yaml", text)).transpose()?;
    let mut args = arguments(&inputs.target, &inputs.options)?;
    args.extend(read.values.iter().map(|name| flag("values", &climb(&inputs.folder, name))));
    args.extend(values.map(|path| {
        let mut flag = OsString::from("--values=");
        flag.push(path);
        flag
    }));
    let text = program.run(&work, &inputs.folder, &args, deadline).await?;
    blocking(move || documents::objects("the output of helm", &text)).await?
}

/// The files that a chart is made of.
pub(crate) struct Read {
    /// The chart's own files, and values files from elsewhere.
    pub(crate) all: Vec<String>,
    /// The values files, in the order in which they are laid over each other.
    values: Vec<String>,
}

pub(crate) fn read(files: &Files, inputs: &Inputs) -> Result<Read, RenderError> {
    let folder = &inputs.folder;
    let options = &inputs.options;
    let named = options.value_files.iter();
    let values: Vec<String> = named
        .map(|name| values_file(files, folder, name, options.ignore_missing_value_files))
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let own = files.below(folder).filter_map(|(name, _)| files::join(folder, name));
    let all: BTreeSet<String> = own.chain(values.iter().cloned()).collect();
    Ok(Read { all: all.into_iter().collect(), values })
}

/// Where a values file is: found as Argo CD finds it. Nowhere, if it may be missing and is.
fn values_file(
    files: &Files,
    folder: &str,
    name: &str,
    may_be_missing: bool,
) -> Result<Option<String>, RenderError> {
    if name.starts_with('$') {
        return Err(RenderError::Input(format!(
            "the values file {name:?} is in another source; Argo CD lets only native Helm sources read it. Keep the Application's source native and let the promotion step argocd-update write the image, or put the file into the chart's repository"
        )));
    }
    if name.contains("://") {
        return Err(RenderError::Input(format!(
            "the values file {name:?} is remote; the plugin fetches nothing. Copy it into the repository"
        )));
    }
    let from = if name.starts_with('/') { "" } else { folder };
    let path = files::join(from, name).ok_or_else(|| RenderError::Input(format!("the values file {name:?} lies outside of the repository or of what Argo CD handed over. {UPLOADED}")))?;
    match files.get(&path) {
        Some(_) => Ok(Some(path)),
        None if may_be_missing => Ok(None),
        None => {
            Err(RenderError::Input(format!("the values file {name:?} is not there. {UPLOADED}")))
        }
    }
}

/// Each flag in one piece with its value, so that no value is taken for a flag.
fn arguments(target: &Target, options: &Options) -> Result<Vec<OsString>, RenderError> {
    let release = options.release_name.as_deref().unwrap_or(&target.name);
    if !is_release(release) {
        return Err(RenderError::Input(format!(
            "{release:?} is no name for a Helm release: lower-case letters, digits, - and ., at most 53 of them. The plugin's parameter \"releaseName\" sets another"
        )));
    }
    let mut args: Vec<OsString> = ["template", release, "."].map(OsString::from).into();
    let switches = [
        ("--include-crds", !options.skip_crds),
        ("--skip-tests", options.skip_tests),
        ("--skip-schema-validation", options.skip_schema_validation),
    ];
    args.extend(switches.into_iter().filter(|(_, on)| *on).map(|(switch, _)| switch.into()));
    let namespace = options.namespace.as_ref().unwrap_or(&target.namespace);
    let kube_version = options.kube_version.as_ref().unwrap_or(&target.kube_version);
    let texts = [("namespace", namespace), ("kube-version", kube_version)];
    args.extend(texts.iter().filter(|(_, v)| !v.is_empty()).map(|(name, v)| flag(name, v)));
    let api_versions = Some(&options.api_versions).filter(|v| !v.is_empty());
    let api_versions = api_versions.unwrap_or(&target.api_versions).iter();
    args.extend(api_versions.filter(|v| !v.is_empty()).map(|v| flag("api-versions", v)));
    for (set, parameters) in [("set", &options.parameters), ("set-string", &options.force_string)] {
        let parameters = parameters.iter();
        args.extend(parameters.map(|(name, v)| flag(set, &format!("{name}={}", escaped(v)))));
    }
    Ok(args)
}

fn flag(name: &str, value: &str) -> OsString {
    format!("--{name}={value}").into()
}

fn is_release(name: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=53).contains(&bytes.len())
        && bytes.iter().all(|b| edge(b) || *b == b'-' || *b == b'.')
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
}

/// A value for `--set`: as Argo CD, commas are part of it unless it is a list in braces or they are escaped already.
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut last = None;
    for c in value.chars() {
        if c == ',' && last.is_some() && last != Some('\\') {
            out.push('\\');
        }
        out.push(c);
        last = Some(c);
    }
    out
}

/// The way from `folder` to a file, both told from the root.
fn climb(folder: &str, name: &str) -> String {
    let ups = folder.split('/').filter(|part| !part.is_empty()).count();
    format!("{}{name}", "../".repeat(ups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_a_native_source() {
        let target = Target {
            name: "web".into(),
            namespace: "shop".into(),
            kube_version: "1.36.3".into(),
            api_versions: vec!["v1".into(), "apps/v1".into()],
        };
        let parameters = [("a.b", "1,2"), ("c", "{x,y}"), ("d", "p\\,q"), ("e", ",")];
        let options = Options {
            parameters: parameters.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Options::default()
        };
        let args = arguments(&target, &options).unwrap();
        assert_eq!(
            args,
            [
                "template",
                "web",
                ".",
                "--include-crds",
                "--namespace=shop",
                "--kube-version=1.36.3",
                "--api-versions=v1",
                "--api-versions=apps/v1",
                "--set=a.b=1\\,2",
                "--set=c={x,y}",
                "--set=d=p\\,q",
                "--set=e=,",
            ]
        );
        let options = Options {
            force_string: [("a".to_owned(), "1".to_owned())].into(),
            skip_crds: true,
            skip_tests: true,
            skip_schema_validation: true,
            namespace: Some("other".into()),
            kube_version: Some("1.30.0".into()),
            api_versions: vec!["x/v1".into()],
            ..Options::default()
        };
        assert_eq!(
            arguments(&target, &options).unwrap()[3..],
            [
                "--skip-tests",
                "--skip-schema-validation",
                "--namespace=other",
                "--kube-version=1.30.0",
                "--api-versions=x/v1",
                "--set-string=a=1",
            ]
        );
        for bad in ["--post-renderer=/bin/sh", "-x", "a_b", "", "A", "a.", &"a".repeat(54)] {
            let options = Options { release_name: Some(bad.into()), ..Options::default() };
            assert!(arguments(&target, &options).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_files_are_found_as_argo_cd_finds_them() {
        let files: Files =
            [("charts/web/Chart.yaml", ""), ("charts/web/a.yaml", ""), ("values/b.yaml", "")]
                .into_iter()
                .collect();
        let check =
            |name: &str| values_file(&files, "charts/web", name, false).map_err(|e| e.to_string());
        let found = |name: &str| check(name).unwrap().unwrap();
        assert_eq!(found("a.yaml"), "charts/web/a.yaml");
        assert_eq!(found("../../values/b.yaml"), "values/b.yaml");
        assert_eq!(found("/values/b.yaml"), "values/b.yaml");
        assert_eq!(values_file(&files, "charts/web", "b.yaml", true), Ok(None));
        for (bad, part) in [
            ("b.yaml", "is not there"),
            ("../../../x.yaml", "outside"),
            ("$values/x.yaml", "another source"),
            ("https://example.com/v.yaml", "remote"),
        ] {
            assert!(check(bad).unwrap_err().contains(part), "{bad}");
        }
        assert_eq!(climb("charts/web", "values/b.yaml"), "../../values/b.yaml");
        assert_eq!(climb("", "b.yaml"), "b.yaml");
    }
}
