//! A Kustomize folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::time::Instant;
use wharfinger_core::url::shown;

use crate::exec::May;
use crate::files::{self, Files};
use crate::source::{KUSTOMIZATIONS, Place};
use crate::tools::{Program, Work};
use crate::{Inputs, Options, Patch, RenderError, documents, encoding};

/// What a build reads.
pub(crate) struct Build {
    /// Each with a kustomization, and all that lies in them. Kustomize itself lets none read anything else.
    pub(crate) folders: BTreeSet<String>,
    /// Files that kustomizations name, and names that are none of a file.
    pub(crate) named: BTreeSet<String>,
}

pub(crate) fn build(files: &Files, inputs: &Inputs) -> Result<Build, RenderError> {
    let place = inputs.place();
    let build = Build { folders: BTreeSet::new(), named: BTreeSet::new() };
    let mut walk = Walk { files, place, build, missing: Vec::new() };
    walk.check(vec![inputs.folder.clone()])?;
    walk.check_options(&inputs.options)?;
    walk.all_is_there()?;
    place.hold_all(files, walk.build.named.iter().map(String::as_str))?;
    Ok(walk.build)
}

/// All that lies in `folders`, each file once.
pub(crate) fn files<'f>(
    files: &'f Files,
    folders: &BTreeSet<String>,
) -> BTreeMap<&'f str, &'f [u8]> {
    folders.iter().flat_map(|folder| files.within(folder)).collect()
}

/// What `kustomize build` prints, with what lies in `folders`.
pub(crate) async fn output(
    program: &Program,
    files: Arc<Files>,
    folders: &BTreeSet<String>,
    inputs: &Inputs,
    deadline: Instant,
) -> Result<String, RenderError> {
    let Inputs { folder, options, .. } = inputs;
    let components = components(&files, inputs.place(), options)?;
    let name = kustomization_of(&files, folder);
    let all = self::files(&files, folders).into_keys().map(str::to_owned).collect();
    let work = Work::of(Arc::clone(&files), all).await?;
    for edit in edits(options) {
        program.run(&work, folder, &edit, May::Write, deadline).await?;
    }
    if let Some(name) = name.filter(|_| !options.patches.is_empty()) {
        let text = patched(&name, &work.read(&name)?, &options.patches)?;
        work.replace(&name, &text)?;
    }
    if !components.is_empty() {
        let words = ["edit", "add", "component", "--"].map(OsString::from).into_iter();
        let edit: Vec<_> = words.chain(components.into_iter().map(OsString::from)).collect();
        program.run(&work, folder, &edit, May::Write, deadline).await?;
    }
    let words = ["build", "."].map(OsString::from).into_iter();
    let build: Vec<_> = words.chain(options.build_options.iter().map(OsString::from)).collect();
    program.run(&work, folder, &build, May::Read, deadline).await
}

/// What is changed in the kustomization before it is built: the commands, and their order, that Argo CD has for the
/// fields of a native source.
fn edits(options: &Options) -> Vec<Vec<OsString>> {
    let pairs = |map: &BTreeMap<String, String>| -> Vec<String> {
        map.iter().map(|(name, value)| format!("{name}:{value}")).collect()
    };
    let text = |text: &Option<String>| text.iter().cloned().collect();
    let labels = [
        ("--force", options.force_common_labels),
        ("--without-selector", options.label_without_selector),
        ("--include-templates", options.label_include_templates),
    ];
    let annotations = [("--force", options.force_common_annotations)];
    let mut all = Vec::new();
    let mut edit = |verb: &str, what: &str, flags: &[(&str, bool)], values: Vec<String>| {
        if values.is_empty() {
            return;
        }
        let flags = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| *flag);
        // What follows the dashes is never taken for a flag.
        let words = ["edit", verb, what].into_iter().chain(flags).chain(["--"]).map(OsString::from);
        all.push(words.chain(values.into_iter().map(OsString::from)).collect());
    };
    edit("set", "nameprefix", &[], text(&options.name_prefix));
    edit("set", "namesuffix", &[], text(&options.name_suffix));
    edit("set", "image", &[], options.images.clone());
    edit("set", "replicas", &[], options.replicas.clone());
    edit("add", "label", &labels, pairs(&options.common_labels));
    edit("add", "annotation", &annotations, pairs(&options.common_annotations));
    edit("set", "namespace", &[], text(&options.namespace));
    all
}

const COMPONENTS: &str = "the plugin's parameter \"components\"";

/// The components that are added. Those that are not there are left out if they may be missing; whether those are there
/// that were not handed over, nobody can tell.
fn components(
    files: &Files,
    place: Place<'_>,
    options: &Options,
) -> Result<Vec<String>, RenderError> {
    let mut all = options.components.clone();
    if options.ignore_missing_components {
        let seen = |name: &String| match files::join(place.folder, name) {
            Some(path) => files.get(&path).is_some() || files.has_folder(&path),
            None => place.is_in_repository(name),
        };
        all.retain(seen);
        let unseen = all.iter().find(|name| files::join(place.folder, name).is_none());
        if let Some(name) = unseen {
            return Err(place.missing(files, COMPONENTS, name, place.folder, Vec::new()));
        }
    }
    Ok(all)
}

/// A kustomization with patches after its own. There is no `kustomize edit` for them.
fn patched(name: &str, text: &str, patches: &[Patch]) -> Result<String, RenderError> {
    let failed = |what: &str| RenderError::Input(format!("{name}: {what}"));
    let parsed = documents::parse(text).map_err(|e| failed(&format!("not YAML: {e}")))?;
    let Some(Value::Object(mut fields)) = parsed else {
        return Err(failed("it is not an object"));
    };
    let all = fields.entry("patches").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(all) = all else {
        return Err(failed("patches is not a list"));
    };
    for patch in patches {
        let patch = serde_json::to_value(patch);
        all.push(patch.map_err(|e| RenderError::internal("can't write a patch", &e))?);
    }
    Ok(Value::Object(fields).to_string())
}

/// Fields that name files or folders to build on.
const BUILT_ON: [&str; 6] =
    ["resources", "bases", "components", "generators", "transformers", "validators"];
/// Fields that need Kustomize's own Helm, which fetches charts.
const CHARTS: [&str; 3] = ["helmcharts", "helmchartinflationgenerator", "helmglobals"];

/// Refuses what would have to be fetched, before Kustomize tries: the sidecar has no credentials, and a render that
/// depends on what a server says today is no function of a commit.
struct Walk<'f> {
    files: &'f Files,
    place: Place<'f>,
    build: Build,
    missing: Vec<Missing>,
}

/// What leads nowhere: who names it, as what, and from which folder.
struct Missing {
    name: String,
    entry: String,
    from: String,
}

impl Walk<'_> {
    fn check(&mut self, mut ahead: Vec<String>) -> Result<(), RenderError> {
        while let Some(folder) = ahead.pop() {
            if !self.build.folders.insert(folder.clone()) {
                continue;
            }
            let Some((name, fields)) = kustomization(self.files, &folder)? else { continue };
            if let Some(field) = CHARTS.into_iter().find(|field| fields.contains_key(*field)) {
                let text = format!(
                    "{name} uses {field}, for which Kustomize would fetch a chart. Put the rendered chart into the repository, or take the chart as the source"
                );
                return Err(RenderError::Input(text));
            }
            self.build.named.insert(name.clone());
            fields.values().for_each(|value| self.name(&folder, value));
            for field in BUILT_ON {
                for entry in fields.get(field).and_then(Value::as_array).into_iter().flatten() {
                    let Some(entry) = entry.as_str().filter(|e| !e.contains('\n')) else {
                        continue;
                    };
                    ahead.extend(self.built_on(&folder, &name, entry)?);
                }
            }
            fields.iter().try_for_each(|(field, value)| no_urls(&name, field, value))?;
        }
        Ok(())
    }

    /// The same for what the options add to the kustomization.
    fn check_options(&mut self, options: &Options) -> Result<(), RenderError> {
        for patch in options.patches.iter().filter(|patch| !patch.path.is_empty()) {
            no_urls("the plugin's parameter \"patches\"", "path", &Value::from(&*patch.path))?;
        }
        let folder = self.place.folder;
        for patch in &options.patches {
            self.name(folder, &Value::from(&*patch.path));
        }
        let mut ahead = Vec::new();
        for entry in components(self.files, self.place, options)? {
            match expanded(self.files, folder, &entry) {
                found if found.is_empty() => {
                    ahead.extend(self.built_on(folder, COMPONENTS, &entry)?);
                }
                found => ahead.extend(found),
            }
        }
        self.check(ahead)
    }

    /// What an entry leads to: another folder, a file (nothing more to look at), or nowhere.
    fn built_on(
        &mut self,
        folder: &str,
        name: &str,
        entry: &str,
    ) -> Result<Option<String>, RenderError> {
        match files::join(folder, entry) {
            Some(path) if self.files.get(&path).is_some() => Ok(None),
            Some(path) if self.files.has_folder(&path) => Ok(Some(path)),
            _ if is_remote(entry) => Err(RenderError::Input(format!(
                "{name} names the remote base {:?}; the plugin fetches no bases. Copy it into the repository",
                shown(entry)
            ))),
            _ => {
                let [name, entry, from] = [name, entry, folder].map(str::to_owned);
                self.missing.push(Missing { name, entry, from });
                Ok(None)
            }
        }
    }

    /// All that is missing is told at once, so that it is asked for once.
    fn all_is_there(&self) -> Result<(), RenderError> {
        let Some(Missing { name, entry, from }) = self.missing.first() else { return Ok(()) };
        let folders = self.build.folders.iter().map(|folder| self.place.within(folder));
        let missing =
            self.missing.iter().filter_map(|m| self.place.in_repository(&m.from, &m.entry));
        let read = folders.chain(missing).collect();
        Err(self.place.missing(self.files, name, entry, from, read))
    }

    /// Takes note of the files that a kustomization may mean: any text in it can be a path.
    fn name(&mut self, folder: &str, value: &Value) {
        match value {
            Value::Object(fields) => fields.values().for_each(|value| self.name(folder, value)),
            Value::Array(items) => items.iter().for_each(|item| self.name(folder, item)),
            Value::String(text) => {
                // `key=path`, in a generator.
                let path = text.split_once('=').map_or(text.as_str(), |(_, path)| path);
                let paths = [text.as_str(), path].into_iter().filter(|path| path.len() <= LONGEST);
                self.build.named.extend(paths.filter_map(|path| files::join(folder, path)));
            }
            _ => {}
        }
    }
}

/// Of a path.
const LONGEST: usize = 4096;

/// The folders that a pattern may find: some too many, none too few.
fn expanded(files: &Files, folder: &str, pattern: &str) -> BTreeSet<String> {
    let Some(meta) = pattern.find(['*', '?', '[']) else { return BTreeSet::new() };
    // The pattern itself stays within the root, if it climbs no further up than what is known of it.
    let inside = files::join(folder, pattern).is_some();
    let Some(known) = files::join(folder, &pattern[..meta]).filter(|_| inside) else {
        return BTreeSet::new();
    };
    let all = files.iter().map(|(name, _)| files::parent(name));
    all.filter(|folder| folder.starts_with(&known)).map(str::to_owned).collect()
}

/// Its path, and its fields.
type Kustomization = (String, Map<String, Value>);

/// The kustomization of a folder, with the names of its fields in lower case: Go takes them in any.
///
/// What can't be read here is not looked at, and Kustomize may be able to read it: it is refused.
fn kustomization(files: &Files, folder: &str) -> Result<Option<Kustomization>, RenderError> {
    let Some(name) = kustomization_of(files, folder) else { return Ok(None) };
    let failed = |what: &str| RenderError::input(format!("{name}: {what}"));
    let content = files.get(&name).unwrap_or_default();
    let text = encoding::text(&name, content)?;
    let parsed = documents::first(&text).map_err(|e| failed(&format!("not YAML: {e}")))?;
    let fields = match parsed {
        None => Map::new(),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(failed("it is not an object")),
    };
    let mut lower = Map::new();
    for (field, value) in fields {
        if lower.insert(field.to_lowercase(), value).is_some() {
            return Err(failed(&format!("{field} stands there twice, in upper and lower case")));
        }
    }
    Ok(Some((name, lower)))
}

fn kustomization_of(files: &Files, folder: &str) -> Option<String> {
    KUSTOMIZATIONS.into_iter().find_map(|name| {
        let name = files::join(folder, name)?;
        files.get(&name).is_some().then_some(name)
    })
}

/// Whether Kustomize would take an entry for a repository or a URL.
fn is_remote(entry: &str) -> bool {
    let host = entry.split('/').next().unwrap_or_default();
    entry.contains("://")
        || entry.starts_with("git::")
        || entry.contains("?ref=")
        || host.contains('@')
        || (entry.contains('/') && host.contains('.') && host.chars().any(char::is_alphanumeric))
}

/// Fields that name files to read.
const READ: [&str; 7] =
    ["path", "env", "envs", "files", "crds", "configurations", "patchesstrategicmerge"];

/// Refuses URLs wherever Kustomize takes a path. Elsewhere, as in annotations, they are just text.
fn no_urls(name: &str, field: &str, value: &Value) -> Result<(), RenderError> {
    match value {
        Value::Object(fields) => {
            fields.iter().try_for_each(|(field, value)| no_urls(name, field, value))
        }
        Value::Array(items) => items.iter().try_for_each(|item| no_urls(name, field, item)),
        Value::String(text) if READ.contains(&field.to_lowercase().as_str()) => {
            // `key=path`, in a generator.
            let path = text.split_once('=').map_or(text.as_str(), |(_, path)| path);
            let urls = [text.as_str(), path]
                .map(|p| p.starts_with("http://") || p.starts_with("https://"));
            if urls.contains(&true) { Err(url(name, text)) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn url(name: &str, url: &str) -> RenderError {
    RenderError::Input(format!(
        "{name} reads {:?}; the plugin fetches no files. Copy it into the repository",
        shown(url)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(files: &[(&str, &str)]) -> Result<BTreeSet<String>, String> {
        checked_in("", files)
    }

    fn checked_in(above: &str, files: &[(&str, &str)]) -> Result<BTreeSet<String>, String> {
        let files: Files = files.iter().copied().collect();
        let (folder, above) = ("apps/web".into(), above.into());
        let inputs = Inputs { folder, above, ..Inputs::default() };
        build(&files, &inputs).map(|build| build.folders).map_err(|e| e.to_string())
    }

    #[test]
    fn bases_in_the_repository_are_followed() {
        let files = [
            (
                "apps/web/kustomization.yaml",
                "resources: [../../base, web.yaml, \"inline: |\\n https://x\"]\nimages: [{name: a, newTag: b}]",
            ),
            ("apps/web/web.yaml", ""),
            (
                "base/kustomization.yml",
                "resources: [x.yaml]\nconfigMapGenerator: [{name: a, literals: [url=https://example.com]}]\ncommonAnnotations: {a: https://example.com}",
            ),
            ("base/x.yaml", ""),
        ];
        assert_eq!(checked(&files), Ok(["apps/web", "base"].map(str::to_owned).into()));
    }

    #[test]
    fn what_would_be_fetched_is_refused_wherever_it_stands() {
        let base = |base: &str| {
            checked(&[
                ("apps/web/kustomization.yaml", "resources: [../../base]"),
                ("base/Kustomization", base),
            ])
        };
        let check = |text: &str, part: &str| {
            let error = base(text).unwrap_err();
            assert!(
                error.starts_with("base/Kustomization ") && error.contains(part),
                "{text}: {error}"
            );
        };
        for remote in [
            "https://example.com/x.yaml",
            "github.com/acme/base?ref=v1",
            "github.com/acme/base//app",
            "git@github.com:acme/base.git",
            "git::https://example.com/x",
            "ssh://git@example.com/x",
            "file:///etc/passwd",
            "example.com/x?ref=main",
        ] {
            check(&format!("resources: [{remote:?}]"), "remote base");
            check(&format!("Components: [{remote:?}]"), "remote base");
            check(&format!("transformers: [{remote:?}]"), "remote base");
        }
        check("patches: [{path: 'https://example.com/p.yaml'}]", "fetches no files");
        check("configMapGenerator: [{name: a, files: ['x=https://example.com/f']}]", "Copy it");
        check("crds: ['http://169.254.169.254/latest']", "fetches no files");
        check("openapi: {path: 'https://example.com/'}", "fetches no files");
        check("helmCharts: [{name: x}]", "uses helmcharts");
        for secret in ["https://user:hunter2@example.com/x", "https://example.com/x?t=hunter2"] {
            for text in [
                format!("resources: ['{secret}']"),
                format!("patches: [{{path: '{secret}'}}]"),
                format!("configMapGenerator: [{{name: a, files: ['x={secret}']}}]"),
            ] {
                check(&text, "https://example.com/x\"");
                assert!(!base(&text).unwrap_err().contains("hunter2"), "{text}");
            }
        }
        check("resources: [gone.yaml]", "\"gone.yaml\", which is not there");
        check("resources: ['https://example.com/x']\n---\nresources: [gone.yaml]", "remote base");
        check("# and\n---\nresources: ['https://example.com/x']\n---\n", "remote base");
        check("resources: [../../elsewhere]", "lies outside of the repository");
    }

    #[test]
    fn what_kustomize_might_read_otherwise_is_looked_at_or_refused() {
        let built = |content: Vec<u8>| {
            let files: Files = [("app/kustomization.yaml", content)].into_iter().collect();
            let inputs = Inputs { folder: "app".into(), ..Inputs::default() };
            build(&files, &inputs).map(|build| build.folders).unwrap_err().to_string()
        };
        let remote = "resources: ['https://example.com/x']";
        let wide = format!("\u{feff}{remote}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = built(wide);
        assert!(error.contains("remote base"), "{error}");
        for (text, part) in [
            (format!("{remote}\nResources: []"), ": Resources stands there twice"),
            (format!("{remote}\n...\n{{{{"), " names the remote base"),
            (format!("%YAML 1.1\n---\n{remote}"), ": not YAML"),
            (format!("{remote}\n--- x"), ": not YAML"),
            ("[]".into(), ": it is not an object"),
        ] {
            let error = built(text.clone().into_bytes());
            let whole = format!("app/kustomization.yaml{part}");
            assert!(error.starts_with(&whole), "{text}: {error}");
        }
        let error = built(b"# \xe9".to_vec());
        assert_eq!(error, "app/kustomization.yaml is not UTF-8");
    }

    #[test]
    fn a_component_that_may_be_missing_is_left_out_only_where_it_would_be_seen() {
        let files: Files = [
            ("kustomization.yaml", "resources: [x.yaml]"),
            ("x.yaml", ""),
            ("here/kustomization.yaml", ""),
        ]
        .into_iter()
        .collect();
        let check = |above: &str, entry: &str| {
            let options = Options {
                components: vec![entry.to_owned()],
                ignore_missing_components: true,
                ..Options::default()
            };
            let inputs = Inputs { above: above.into(), options, ..Inputs::default() };
            let Build { folders, .. } = build(&files, &inputs).map_err(|e| e.to_string())?;
            Ok::<_, String>(folders.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(check("apps/web", "here"), Ok(" here".into()));
        for gone in ["gone", "../gone", "../../../outside", "https://example.com/x"] {
            assert_eq!(check("", gone), Ok(String::new()), "{gone}");
        }
        assert_eq!(check("apps/web", "gone"), Ok(String::new()));
        assert_eq!(check("apps/web", "../../../outside"), Ok(String::new()));
        // Argo CD, which has the whole repository, may find them.
        for (unseen, value) in
            [("../../components/a", ".;/components/a"), ("../other", ".;../other")]
        {
            let error = check("apps/web", unseen).unwrap_err();
            assert!(error.contains(unseen) && error.contains(&format!("to {value:?}")), "{error}");
        }
    }

    #[test]
    fn what_was_not_handed_over_is_told_with_what_would_bring_it() {
        let files = [
            ("apps/web/kustomization.yaml", "resources: [../base]"),
            (
                "apps/base/kustomization.yaml",
                "resources: [../../../shared/base, ../../../shared/more, ../other]",
            ),
            ("apps/other/kustomization.yaml", ""),
        ];
        let error = checked_in("teams/a", &files).unwrap_err();
        for part in [
            "apps/base/kustomization.yaml names \"../../../shared/base\"",
            "those of the folder teams/a",
            "argocd.argoproj.io/manifest-generate-paths to \".;../base;../other;../../../shared/base;../../../shared/more\"",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = checked_in("teams", &files).unwrap_err();
        assert!(error.contains("set the annotation"), "{error}");
        // Of very many, what they have in common.
        let many: Vec<_> = (0..5_000).map(|n| format!("../../../other/folder-{n}")).collect();
        let many = format!("resources: [{}]", many.join(", "));
        let error = checked_in("teams", &[("apps/web/kustomization.yaml", &many)]).unwrap_err();
        assert!(error.len() < 1_000 && error.contains("to \"/\""), "{error}");
        let error = checked(&files).unwrap_err();
        assert!(error.contains("lies outside of the repository"), "{error}");
    }
}
