//! A Helm chart, rendered with the flags that Argo CD gives Helm for a native source.

pub(crate) mod dependencies;
mod values;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use tokio::time::Instant;

use crate::exec::May;
use crate::files::Files;
use crate::options::FILE_PARAMETERS;
use crate::renderer::Inputs;
use crate::tools::{Program, Work};
use crate::{Options, RenderError, Target};
use dependencies::Dependencies;
pub(crate) use values::matching;

/// What `helm template` prints of the chart.
pub(crate) async fn output(
    program: &Program,
    files: Arc<Files>,
    inputs: &Inputs,
    read: &Read,
    deadline: Instant,
) -> Result<String, RenderError> {
    let work = Work::of(files, read.all.clone()).await?;
    let options = &inputs.options;
    // As Argo CD: values as an object, where there are any, are all there is.
    let values = options.values_object.as_deref().or(options.values.as_deref());
    let values = values.map(|text| work.add("values.yaml", text)).transpose()?;
    let mut args = arguments(&inputs.target, &inputs.options)?;
    let from_files = read.parameters.iter();
    args.extend(from_files.map(|(name, path)| {
        flag("set-file", &format!("{name}={}", escaped(&climb(&inputs.folder, path))))
    }));
    args.extend(read.values.iter().map(|name| flag("values", &climb(&inputs.folder, name))));
    args.extend(values.map(|path| {
        let mut flag = OsString::from("--values=");
        flag.push(path);
        flag
    }));
    let template = || program.run(&work, &inputs.folder, &args, May::Read, deadline);
    match template().await {
        Err(error) if dependencies::are_missing(&error) => {
            read.dependencies.build(program, &work, &inputs.folder, deadline).await?;
            template().await
        }
        text => text,
    }
}

/// The files that a chart is made of.
pub(crate) struct Read {
    /// The chart's own files, and values files and charts from elsewhere.
    pub(crate) all: Vec<String>,
    /// The same, by folder where a whole folder is read.
    pub(crate) paths: Vec<String>,
    /// The values files, in the order in which they are laid over each other.
    values: Vec<String>,
    /// Names of values, and the files that hold them.
    parameters: Vec<(String, String)>,
    dependencies: Dependencies,
}

pub(crate) fn read(files: &Files, inputs: &Inputs) -> Result<Read, RenderError> {
    let Inputs { folder, options, .. } = inputs;
    let place = inputs.place();
    let values = values::files(files, place, options)?;
    let file = |(name, path): (&String, &String)| {
        values::locate(files, place, options, FILE_PARAMETERS, path)
            .map(|path| (name.clone(), path))
    };
    let parameters: Vec<_> = options.file_parameters.iter().map(file).collect::<Result<_, _>>()?;
    let dependencies = Dependencies::of(files, place);
    let below = |folder: &String| files.within(folder).map(|(name, _)| name.to_owned());
    let own: Vec<String> = [folder].into_iter().chain(&dependencies.folders).cloned().collect();
    place.hold_all(files, own.iter().flat_map(|folder| files.outside_in(folder)))?;
    let elsewhere = values.iter().chain(parameters.iter().map(|(_, path)| path));
    let all: BTreeSet<String> =
        own.iter().flat_map(below).chain(elsewhere.clone().cloned()).collect();
    let paths = own.iter().chain(elsewhere).cloned().collect();
    Ok(Read { all: all.into_iter().collect(), paths, values, parameters, dependencies })
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
    let kube_version = match &options.kube_version {
        Some(own) => version(own)?,
        None => target.kube_version.clone(),
    };
    let texts = [("namespace", namespace), ("kube-version", &kube_version)];
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

/// A version of Kubernetes without what a vendor adds to it, which Helm would trip over.
fn version(text: &str) -> Result<String, RenderError> {
    let plain = text.trim();
    let plain = plain.strip_prefix('v').unwrap_or(plain);
    let end = plain.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(plain.len());
    let numbers: Vec<&str> = plain[..end].split('.').take_while(|n| !n.is_empty()).collect();
    if numbers.len() < 2 {
        return Err(RenderError::Input(format!(
            "the plugin's parameter \"kubeVersion\": {text:?} is no version of Kubernetes"
        )));
    }
    Ok(numbers.join("."))
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
        if c == ',' && last != Some('\\') {
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
                "--set=e=\\,",
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
        let flag = || "--post-renderer=/bin/sh".to_owned();
        let target = Target {
            name: "web".into(),
            namespace: flag(),
            kube_version: flag(),
            api_versions: vec![flag()],
        };
        let set = || [(flag(), flag())].into();
        let options = Options { parameters: set(), force_string: set(), ..Options::default() };
        for options in [
            options.clone(),
            Options { namespace: Some(flag()), api_versions: vec![flag()], ..options },
        ] {
            let args = arguments(&target, &options).unwrap();
            let known =
                ["--namespace=", "--kube-version=", "--api-versions=", "--set=", "--set-string="];
            let is_known = |arg: &OsString| {
                known.iter().any(|known| arg.to_str().is_some_and(|arg| arg.starts_with(known)))
            };
            assert!(args[4..].iter().all(is_known), "{args:?}");
        }
        for bad in ["--post-renderer=/bin/sh", "-x", "a_b", "", "A", "a.", &"a".repeat(54)] {
            let options = Options { release_name: Some(bad.into()), ..Options::default() };
            assert!(arguments(&target, &options).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_loses_what_vendors_add() {
        for (text, expected) in [
            ("1.30.0", Some("1.30.0")),
            ("v1.29.5+k3s1", Some("1.29.5")),
            (" 1.28 ", Some("1.28")),
            ("v1.27.", Some("1.27")),
            ("1.30-gke.1", Some("1.30")),
            ("1", None),
            ("latest", None),
            ("", None),
        ] {
            assert_eq!(version(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
