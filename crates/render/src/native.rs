//! A native source, rendered as Argo CD renders it itself: what an Application deploys before it is adopted, and after it
//! is released.
//!
//! Apart from the plugin's own way on purpose, and told by the source instead of by parameters: the two are compared, and
//! one that borrowed from the other would prove nothing. Plain files are the exception; there is no tool to ask.

use std::ffi::OsString;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;
use wharfinger_api::argocd::Source;

use crate::blocking::blocking;
use crate::exec::May;
use crate::helm::dependencies::{self, Dependencies};
use crate::source::Place;
use crate::tools::{Program, Work};
use crate::{Files, Kind, Options, RenderError, Renderer, Target, Variables, documents, plain};

/// Where a native source is, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Native<'a> {
    pub source: &'a Source,
    /// As in [`Inputs`](crate::Inputs).
    pub folder: &'a str,
    pub target: &'a Target,
    pub variables: &'a Variables,
}

impl Renderer {
    /// The objects of a native source. Files that it reads from another source are not there.
    pub async fn native(
        &self,
        native: &Native<'_>,
        files: Files,
        deadline: Instant,
    ) -> Result<Vec<Value>, RenderError> {
        let kind = match explicit(native.source) {
            Some(kind) => kind,
            None => Kind::of(&files, native.folder)?,
        };
        let files = Arc::new(files);
        let Some(program) = self.program(kind)? else { return directory(native, files).await };
        let all = files.iter().map(|(name, _)| name.to_owned()).collect();
        let work = Work::of(Arc::clone(&files), all).await?;
        let (before, last) = match kind {
            Kind::Kustomize => (edits(native), vec!["build".into(), ".".into()]),
            _ => (Vec::new(), template(native, &files, &work)?),
        };
        for command in before {
            run(program, &work, native, &command, May::Write, deadline).await?;
        }
        if kind == Kind::Kustomize {
            patch(native, &files, &work)?;
            if let Some(command) = components(native, &files) {
                run(program, &work, native, &command, May::Write, deadline).await?;
            }
        }
        let last = || run(program, &work, native, &last, May::Read, deadline);
        let text = match last().await {
            Err(error) if dependencies::are_missing(&error) => {
                let needed = Dependencies::of(&files, Place { folder: native.folder, above: "" });
                needed.build(program, &work, native.folder, deadline).await?;
                last().await?
            }
            text => text?,
        };
        blocking(move || documents::objects("what the tool printed", &text)).await?
    }
}

/// The type that a source says it has, whatever its folder looks like.
pub fn explicit(source: &Source) -> Option<Kind> {
    let types = [("kustomize", Kind::Kustomize), ("helm", Kind::Helm), ("directory", Kind::Plain)];
    let set =
        |name: &str| source.0.get(name).is_some_and(|options| !crate::adopt::are_unset(options));
    types.into_iter().find(|(name, _)| set(name)).map(|(_, kind)| kind)
}

async fn run(
    program: &Program,
    work: &Work,
    native: &Native<'_>,
    command: &[String],
    may: May<'_>,
    deadline: Instant,
) -> Result<String, RenderError> {
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    program.run(work, native.folder, &command, may, deadline).await
}

async fn directory(native: &Native<'_>, files: Arc<Files>) -> Result<Vec<Value>, RenderError> {
    let text = |field| text(native.source, "directory", field).map(str::to_owned);
    let options = Options {
        recurse: flag(native.source, "directory", "recurse"),
        include: text("include"),
        exclude: text("exclude"),
        ..Options::default()
    };
    let folder = native.folder.to_owned();
    blocking(move || {
        let place = Place { folder: &folder, above: "" };
        plain::objects(&plain::files(&files, place, &options)?)
    })
    .await?
}

fn edits(native: &Native<'_>) -> Vec<Vec<String>> {
    let (source, of, mut all) = (native.source, "kustomize", Vec::new());
    let expanded = |text: String| native.variables.expand(&text);
    let mut edit = |verb: &str, what: &str, flags: &[&str], values: Vec<String>| {
        if !values.is_empty() {
            let words = ["edit", verb, what].into_iter().chain(flags.iter().copied()).chain(["--"]);
            all.push(words.map(str::to_owned).chain(values).collect());
        }
    };
    let one = |field| text(source, of, field).map(str::to_owned).into_iter().collect();
    let on = |flags: &[(&'static str, &str)]| -> Vec<&'static str> {
        flags.iter().filter(|(_, field)| flag(source, of, field)).map(|(flag, _)| *flag).collect()
    };
    let replica = |replica: &Value| {
        let (name, count) = (replica.get("name")?.as_str()?, replica.get("count")?);
        Some(format!("{name}={}", count.as_str().map_or_else(|| count.to_string(), str::to_owned)))
    };
    edit("set", "nameprefix", &[], one("namePrefix"));
    edit("set", "namesuffix", &[], one("nameSuffix"));
    edit("set", "image", &[], list(source, of, "images").into_iter().map(expanded).collect());
    edit("set", "replicas", &[], items(source, of, "replicas").filter_map(replica).collect());
    let flags = on(&[
        ("--force", "forceCommonLabels"),
        ("--without-selector", "labelWithoutSelector"),
        ("--include-templates", "labelIncludeTemplates"),
    ]);
    edit("add", "label", &flags, pairs(source, of, "commonLabels", expanded));
    let flags = on(&[("--force", "forceCommonAnnotations")]);
    let substituted = flag(source, of, "commonAnnotationsEnvsubst");
    let value = |text: String| if substituted { expanded(text) } else { text };
    edit("add", "annotation", &flags, pairs(source, of, "commonAnnotations", value));
    edit("set", "namespace", &[], one("namespace"));
    all
}

/// Argo CD writes patches into the kustomization itself.
fn patch(native: &Native<'_>, files: &Files, work: &Work) -> Result<(), RenderError> {
    let patches: Vec<_> = items(native.source, "kustomize", "patches").cloned().collect();
    let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"].into_iter();
    let mut names = names.filter_map(|name| crate::files::join(native.folder, name));
    let name = names.find(|name| files.get(name).is_some()).filter(|_| !patches.is_empty());
    let Some(name) = name else { return Ok(()) };
    let text = work.read(&name)?;
    let failed = |what: String| RenderError::Input(format!("{name}: {what}"));
    let mut kustomization = documents::parse(&text)
        .map_err(|e| failed(e.to_string()))?
        .ok_or_else(|| failed("it is empty".into()))?;
    match kustomization.get_mut("patches").and_then(Value::as_array_mut) {
        Some(there) => there.extend(patches),
        None => kustomization["patches"] = patches.into(),
    }
    work.replace(&name, &kustomization.to_string())
}

fn components(native: &Native<'_>, files: &Files) -> Option<Vec<String>> {
    let Native { source, folder, .. } = *native;
    let mut wanted = list(source, "kustomize", "components");
    if flag(source, "kustomize", "ignoreMissingComponents") {
        wanted.retain(|name| {
            crate::files::join(folder, name).is_some_and(|path| files.has_folder(&path))
        });
    }
    let words = ["edit", "add", "component", "--"].into_iter().map(str::to_owned);
    (!wanted.is_empty()).then(|| words.chain(wanted).collect())
}

fn template(native: &Native<'_>, files: &Files, work: &Work) -> Result<Vec<String>, RenderError> {
    let Native { source, folder, target, variables } = *native;
    let of = "helm";
    let or = |field, otherwise: &str| text(source, of, field).unwrap_or(otherwise).to_owned();
    let mut args: Vec<String> = ["template", ".", "--name-template"].map(str::to_owned).into();
    args.push(or("releaseName", &target.name));
    let mut add = |flag: &str, value: String| {
        if !value.is_empty() {
            args.extend([format!("--{flag}"), value]);
        }
    };
    add("namespace", or("namespace", &target.namespace));
    add("kube-version", or("kubeVersion", &target.kube_version));
    for parameter in items(source, of, "parameters") {
        let text = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
        let forced = parameter.get("forceString").is_some_and(|f| *f == true);
        let value = commas(&variables.expand(text("value")));
        add(if forced { "set-string" } else { "set" }, format!("{}={value}", text("name")));
    }
    let up = "../".repeat(folder.split('/').filter(|part| !part.is_empty()).count());
    for path in value_files(native, files)? {
        add("values", format!("{up}{path}"));
    }
    for parameter in items(source, of, "fileParameters") {
        let text = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
        let path = located(folder, &variables.expand(text("path")))?;
        add("set-file", format!("{}={}", text("name"), commas(&format!("{up}{path}"))));
    }
    let object = source.0.get(of).and_then(|o| o.get("valuesObject")).filter(|o| !o.is_null());
    let values = object.map(Value::to_string).unwrap_or_else(|| or("values", ""));
    if !values.is_empty() {
        add("values", work.add("native.yaml", &values)?.display().to_string());
    }
    let own = list(source, of, "apiVersions");
    for version in if own.is_empty() { &target.api_versions } else { &own } {
        add("api-versions", version.clone());
    }
    if !flag(source, of, "skipCrds") {
        args.push("--include-crds".into());
    }
    for (word, field) in
        [("--skip-schema-validation", "skipSchemaValidation"), ("--skip-tests", "skipTests")]
    {
        if flag(source, of, field) {
            args.push(word.into());
        }
    }
    Ok(args)
}

/// Each once, patterns as what they find; what is named itself stands where it is named.
fn value_files(native: &Native<'_>, files: &Files) -> Result<Vec<String>, RenderError> {
    let Native { source, folder, variables, .. } = *native;
    let names = list(source, "helm", "valueFiles").into_iter().map(|name| variables.expand(&name));
    let paths: Vec<String> = names.map(|name| located(folder, &name)).collect::<Result<_, _>>()?;
    let is_pattern = |path: &String| path.contains(['*', '?', '[']);
    let mut all: Vec<String> = Vec::new();
    for path in &paths {
        let found = if is_pattern(path) {
            let mut found = crate::helm::matching(files, path, path)?;
            found.retain(|path| !paths.contains(path));
            found
        } else if files.get(path).is_some() {
            vec![path.clone()]
        } else if flag(source, "helm", "ignoreMissingValueFiles") {
            Vec::new()
        } else {
            let text = format!("helm.valueFiles: there is no {path:?} among the files");
            return Err(RenderError::Input(text));
        };
        all.extend(found);
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|path| seen.insert(path.clone()));
    Ok(all)
}

fn located(folder: &str, name: &str) -> Result<String, RenderError> {
    let from = if name.starts_with('/') { "" } else { folder };
    crate::files::join(from, name)
        .ok_or_else(|| RenderError::Input(format!("{name:?} lies outside of the files")))
}

/// A list in braces stays one; elsewhere commas are part of the value.
fn commas(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    value.replace("\\,", ",").replace(',', "\\,")
}

fn text<'s>(source: &'s Source, of: &str, field: &str) -> Option<&'s str> {
    source.0.get(of)?.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn flag(source: &Source, of: &str, field: &str) -> bool {
    source.0.get(of).and_then(|o| o.get(field)).is_some_and(|flag| *flag == true)
}

fn items<'s>(source: &'s Source, of: &str, field: &str) -> impl Iterator<Item = &'s Value> {
    source.0.get(of).and_then(|o| o.get(field)).and_then(Value::as_array).into_iter().flatten()
}

fn list(source: &Source, of: &str, field: &str) -> Vec<String> {
    items(source, of, field).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn pairs(source: &Source, of: &str, field: &str, value: impl Fn(String) -> String) -> Vec<String> {
    let map = source.0.get(of).and_then(|o| o.get(field)).and_then(Value::as_object);
    let pair = |(name, text): (&String, &Value)| {
        Some(format!("{name}:{}", value(text.as_str()?.to_owned())))
    };
    map.into_iter().flatten().filter_map(pair).collect()
}
