//! What a source may say about how it is rendered: the parameters of the plugin, named as Argo CD names the fields of its
//! native sources.

mod build;
mod expressions;
mod patch;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharfinger_core::substitute::{ImageForm, ImagePath};

use crate::{Kind, RenderError, Variables};

pub use patch::Patch;
pub(crate) use patch::parse as patches;
use table::*;
pub use table::{Absent, Form, Parameter};
pub(crate) use table::{
    BUILD_OPTIONS, FILE_PARAMETERS, FORCE_STRING, PARAMETERS, PATCHES, REPLICAS, VALUE_FILES,
    VALUES_OBJECT,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Options {
    pub release_name: Option<String>,
    pub value_files: Vec<String>,
    pub ignore_missing_value_files: bool,
    /// As YAML text.
    pub values: Option<String>,
    /// As JSON text.
    pub values_object: Option<String>,
    pub parameters: BTreeMap<String, String>,
    /// As `parameters`, but never taken for numbers.
    pub force_string: BTreeMap<String, String>,
    /// Names of values, and the files that hold them.
    pub file_parameters: BTreeMap<String, String>,
    pub skip_crds: bool,
    pub skip_tests: bool,
    pub skip_schema_validation: bool,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
    pub namespace: Option<String>,
    pub name_prefix: Option<String>,
    pub name_suffix: Option<String>,
    pub images: Vec<String>,
    /// Each as `name=number`.
    pub replicas: Vec<String>,
    pub common_labels: BTreeMap<String, String>,
    pub force_common_labels: bool,
    pub label_without_selector: bool,
    pub label_include_templates: bool,
    pub common_annotations: BTreeMap<String, String>,
    pub force_common_annotations: bool,
    pub common_annotations_envsubst: bool,
    pub patches: Vec<Patch>,
    pub components: Vec<String>,
    pub ignore_missing_components: bool,
    /// Flags of `kustomize build`.
    pub build_options: Vec<String>,
    pub recurse: bool,
    pub include: Option<String>,
    pub exclude: Option<String>,
    pub image_form: Option<ImageForm>,
    pub image_paths: Vec<ImagePath>,
    pub provenance: bool,
}

/// More places of images than anybody names: each is looked for in every object.
const MOST_IMAGE_PATHS: usize = 64;

/// One entry of `ARGOCD_APP_PARAMETERS`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

impl Options {
    /// Parameters that say what becomes of Freight: no native source has them.
    pub(crate) const OF_FREIGHT: [&str; 3] = [IMAGE_FORM, IMAGE_PATHS, PROVENANCE];

    /// From the text of `ARGOCD_APP_PARAMETERS`, which is `null` where a source has none.
    pub fn parse(json: &str) -> Result<Self, RenderError> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let entries: Option<Vec<Entry>> = serde_json::from_str(json).map_err(|e| {
            RenderError::input(format!("the plugin's parameters can't be read: {e}"))
        })?;
        let mut options = Self::default();
        let mut seen = BTreeSet::new();
        for entry in entries.unwrap_or_default() {
            if !seen.insert(entry.name.clone()) {
                return Err(RenderError::input(format!(
                    "the plugin's parameter {:?} is set more than once",
                    entry.name
                )));
            }
            options.take(entry)?;
        }
        Ok(options)
    }

    fn take(&mut self, entry: Entry) -> Result<(), RenderError> {
        match entry.name.as_str() {
            RELEASE_NAME => self.release_name = entry.text()?,
            VALUE_FILES => self.value_files = entry.list()?,
            IGNORE_MISSING => self.ignore_missing_value_files = entry.flag()?,
            VALUES => self.values = entry.text()?,
            VALUES_OBJECT => self.values_object = entry.text()?,
            PARAMETERS => self.parameters = entry.map()?,
            FORCE_STRING => self.force_string = entry.map()?,
            FILE_PARAMETERS => self.file_parameters = entry.map()?,
            SKIP_CRDS => self.skip_crds = entry.flag()?,
            SKIP_TESTS => self.skip_tests = entry.flag()?,
            SKIP_SCHEMA => self.skip_schema_validation = entry.flag()?,
            KUBE_VERSION => self.kube_version = entry.text()?,
            API_VERSIONS => self.api_versions = entry.list()?,
            NAMESPACE => self.namespace = entry.text()?,
            NAME_PREFIX => self.name_prefix = entry.text()?,
            NAME_SUFFIX => self.name_suffix = entry.text()?,
            IMAGES => self.images = entry.list()?,
            REPLICAS => self.replicas = entry.list()?,
            COMMON_LABELS => self.common_labels = entry.map()?,
            FORCE_LABELS => self.force_common_labels = entry.flag()?,
            LABELS_WITHOUT_SELECTOR => self.label_without_selector = entry.flag()?,
            LABELS_IN_TEMPLATES => self.label_include_templates = entry.flag()?,
            COMMON_ANNOTATIONS => self.common_annotations = entry.map()?,
            FORCE_ANNOTATIONS => self.force_common_annotations = entry.flag()?,
            ENVSUBST => self.common_annotations_envsubst = entry.flag()?,
            PATCHES => self.patches = patch::parse(&entry.list()?)?,
            COMPONENTS => self.components = entry.list()?,
            IGNORE_MISSING_COMPONENTS => self.ignore_missing_components = entry.flag()?,
            BUILD_OPTIONS => self.build_options = build::parse(&entry.text()?.unwrap_or_default())?,
            RECURSE => self.recurse = entry.flag()?,
            INCLUDE => self.include = entry.text()?,
            EXCLUDE => self.exclude = entry.text()?,
            IMAGE_FORM => self.image_form = entry.image_form()?,
            IMAGE_PATHS => self.image_paths = entry.image_paths()?,
            PROVENANCE => self.provenance = entry.flag()?,
            name => {
                if let Some(absent) = Self::ABSENT.iter().find(|absent| absent.name == name) {
                    let text = format!("the plugin has no parameter {name:?}: {}", absent.instead);
                    return Err(RenderError::input(text));
                }
                let known = Self::PARAMETERS.map(|p| p.name).join(", ");
                let text = format!("the plugin has no parameter {name:?}; it has {known}");
                return Err(RenderError::input(text));
            }
        }
        Ok(())
    }

    /// Puts the values of Argo CD's variables in wherever it puts them into a native source.
    #[must_use]
    pub fn with(mut self, variables: &Variables) -> Self {
        let every = |texts: &mut dyn Iterator<Item = &mut String>| {
            texts.for_each(|text| *text = variables.expand(text));
        };
        every(&mut self.parameters.values_mut());
        every(&mut self.force_string.values_mut());
        every(&mut self.images.iter_mut());
        every(&mut self.common_labels.values_mut());
        if self.common_annotations_envsubst {
            every(&mut self.common_annotations.values_mut());
        }
        // What begins with any other variable is a file of another source.
        let files = self.value_files.iter_mut().chain(self.file_parameters.values_mut());
        every(&mut files.filter(|name| !name.starts_with('$') || variables.begins(name)));
        self
    }

    /// Refuses what says nothing about a folder of this kind: it is a mistake, and would be ignored.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), RenderError> {
        let wrong = Self::PARAMETERS.iter().find(|p| self.sets(p.name) && !p.kinds.contains(&kind));
        let Some(Parameter { name, kinds, .. }) = wrong else { return Ok(()) };
        let meant: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        Err(RenderError::input(format!(
            "the plugin's parameter {name:?} is for {}, but the source is {}",
            meant.join(" or "),
            kind.name()
        )))
    }

    fn sets(&self, name: &str) -> bool {
        match name {
            RELEASE_NAME => self.release_name.is_some(),
            VALUE_FILES => !self.value_files.is_empty(),
            IGNORE_MISSING => self.ignore_missing_value_files,
            VALUES => self.values.is_some(),
            VALUES_OBJECT => self.values_object.is_some(),
            PARAMETERS => !self.parameters.is_empty(),
            FORCE_STRING => !self.force_string.is_empty(),
            FILE_PARAMETERS => !self.file_parameters.is_empty(),
            SKIP_CRDS => self.skip_crds,
            SKIP_TESTS => self.skip_tests,
            SKIP_SCHEMA => self.skip_schema_validation,
            KUBE_VERSION => self.kube_version.is_some(),
            API_VERSIONS => !self.api_versions.is_empty(),
            NAMESPACE => self.namespace.is_some(),
            NAME_PREFIX => self.name_prefix.is_some(),
            NAME_SUFFIX => self.name_suffix.is_some(),
            IMAGES => !self.images.is_empty(),
            REPLICAS => !self.replicas.is_empty(),
            COMMON_LABELS => !self.common_labels.is_empty(),
            FORCE_LABELS => self.force_common_labels,
            LABELS_WITHOUT_SELECTOR => self.label_without_selector,
            LABELS_IN_TEMPLATES => self.label_include_templates,
            COMMON_ANNOTATIONS => !self.common_annotations.is_empty(),
            FORCE_ANNOTATIONS => self.force_common_annotations,
            ENVSUBST => self.common_annotations_envsubst,
            PATCHES => !self.patches.is_empty(),
            COMPONENTS => !self.components.is_empty(),
            IGNORE_MISSING_COMPONENTS => self.ignore_missing_components,
            BUILD_OPTIONS => !self.build_options.is_empty(),
            RECURSE => self.recurse,
            INCLUDE => self.include.is_some(),
            EXCLUDE => self.exclude.is_some(),
            IMAGE_FORM => self.image_form.is_some(),
            IMAGE_PATHS => !self.image_paths.is_empty(),
            PROVENANCE => self.provenance,
            _ => false,
        }
    }
}

/// A parameter, as errors name it.
pub(crate) fn at(name: &str) -> String {
    format!("the plugin's parameter {name:?}")
}

impl Entry {
    /// Nothing where it is empty: in a native source, that is a field that is not set.
    fn text(self) -> Result<Option<String>, RenderError> {
        match self {
            Self { string: Some(text), array: None, map: None, .. } => {
                Ok(Some(text).filter(|text| !text.is_empty()))
            }
            other => Err(other.wrong("a string")),
        }
    }

    fn list(self) -> Result<Vec<String>, RenderError> {
        match self {
            Self { array: Some(list), string: None, map: None, .. } => Ok(list),
            other => Err(other.wrong("an array")),
        }
    }

    fn map(self) -> Result<BTreeMap<String, String>, RenderError> {
        match self {
            Self { map: Some(map), string: None, array: None, .. } => Ok(map),
            other => Err(other.wrong("a map")),
        }
    }

    fn flag(self) -> Result<bool, RenderError> {
        let Self { string, array: None, map: None, .. } = &self else {
            return Err(self.wrong("the string true or false"));
        };
        let flag = string.as_deref().and_then(|text| text.parse().ok());
        flag.ok_or_else(|| self.wrong("the string true or false"))
    }

    fn image_form(self) -> Result<Option<ImageForm>, RenderError> {
        match &self {
            Self { string: Some(form), array: None, map: None, .. } if form.is_empty() => Ok(None),
            Self { string: Some(form), array: None, map: None, .. } => {
                form.parse().map(Some).map_err(|_| self.wrong("tag, digest or both"))
            }
            _ => Err(self.wrong("tag, digest or both")),
        }
    }

    fn image_paths(self) -> Result<Vec<ImagePath>, RenderError> {
        let paths = self.list()?;
        if paths.len() > MOST_IMAGE_PATHS {
            return Err(RenderError::input(format!(
                "the plugin's parameter {IMAGE_PATHS:?} has {} entries, which is more than {MOST_IMAGE_PATHS}. Use [*] to name several places at once",
                paths.len()
            )));
        }
        let read = |(at, path): (usize, &String)| {
            path.parse().map_err(|e| {
                RenderError::input(format!(
                    "the plugin's parameter {IMAGE_PATHS:?}, entry {at}: {e}"
                ))
            })
        };
        paths.iter().enumerate().map(read).collect()
    }

    fn wrong(&self, form: &str) -> RenderError {
        RenderError::input(format!("{} must be {form}", at(&self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_argo_cd_writes_them() {
        for none in ["null", "[]", ""] {
            assert_eq!(Options::parse(none).unwrap(), Options::default());
        }
        let json = r#"[{"name":"releaseName","string":"web"},{"name":"valueFiles","array":["a.yaml","b.yaml"]},
            {"name":"parameters","map":{"image.tag":"1"}},{"name":"values","string":"a: 1"}]"#;
        let options = Options::parse(json).unwrap();
        assert_eq!(options.release_name.as_deref(), Some("web"));
        assert_eq!(options.value_files, ["a.yaml", "b.yaml"]);
        assert_eq!(options.parameters["image.tag"], "1");
        options.check(Kind::Helm).unwrap();
        assert!(
            options.check(Kind::Plain).unwrap_err().to_string().contains("is for a Helm chart")
        );
        let recurse = Options::parse(r#"[{"name":"recurse","string":"true"}]"#).unwrap();
        assert!(recurse.recurse);
        assert!(recurse.check(Kind::Kustomize).is_err());
    }

    #[test]
    fn every_parameter_is_read_and_belongs_to_a_kind() {
        for parameter in Options::PARAMETERS {
            let value = match parameter.form {
                Form::Text => r#""string":"x""#,
                Form::Flag => r#""string":"true""#,
                Form::List => r#""array":["x: y"]"#,
                Form::Map => r#""map":{"x":"y"}"#,
            };
            let name = parameter.name;
            let value = match name {
                PATCHES => r#""array":["patch: x"]"#,
                BUILD_OPTIONS => r#""string":"--reorder none""#,
                IMAGE_FORM => r#""string":"tag""#,
                IMAGE_PATHS => r#""array":["ConfigMap:.data.image"]"#,
                _ => value,
            };
            let options = Options::parse(&format!(r#"[{{"name":"{name}",{value}}}]"#)).unwrap();
            assert!(options.sets(name), "{name}");
            for kind in [Kind::Kustomize, Kind::Helm, Kind::Plain] {
                assert_eq!(options.check(kind).is_ok(), parameter.kinds.contains(&kind), "{name}");
            }
            let others = Options::PARAMETERS.iter().filter(|p| p.name != name);
            assert!(!others.into_iter().any(|p| options.sets(p.name)), "{name}");
        }
    }

    #[test]
    fn an_empty_text_is_none_as_in_a_native_source() {
        for parameter in Options::PARAMETERS.iter().filter(|p| p.form == Form::Text) {
            let name = parameter.name;
            let json = format!(r#"[{{"name":"{name}","string":""}}]"#);
            assert_eq!(Options::parse(&json), Ok(Options::default()), "{name}");
        }
    }

    #[test]
    fn what_is_no_parameter_is_told_in_words_for_whatever_kind_it_is_of() {
        for absent in Options::ABSENT {
            let json = format!(r#"[{{"name":"{}","string":"x"}}]"#, absent.name);
            // What another kind has is refused once the kind is known.
            if Options::PARAMETERS.iter().any(|p| p.name == absent.name) {
                continue;
            }
            let text = Options::parse(&json).unwrap_err().to_string();
            assert!(text.contains(absent.instead), "{}: {text}", absent.name);
        }
    }

    #[test]
    fn the_examples_of_the_documentation_are_sound() {
        let freight = serde_json::json!({ "id": "c", "items": { "Warehouse/w": {
            "name": "f", "origin": { "kind": "Warehouse", "name": "w" },
            "images": [{ "repoURL": "ghcr.io/acme/web", "tag": "v1" }],
            "commits": [{ "repoURL": "https://github.com/acme/web", "id": "abc" }],
            "charts": [{ "repoURL": "oci://ghcr.io/acme/charts/web", "version": "1.0.0" }],
        } } });
        let freight = serde_json::from_value(freight).unwrap();
        let check = |page: &str, kinds: &[Kind]| {
            let examples: Vec<_> = page.split("```yaml\n").skip(1).collect();
            assert_eq!(examples.len(), kinds.len());
            for (example, kind) in examples.into_iter().zip(kinds) {
                let (example, _) = example.split_once("```").unwrap();
                let source = crate::documents::parse(example).unwrap().unwrap();
                let options = Options::parse(&source["plugin"]["parameters"].to_string()).unwrap();
                options.check(*kind).unwrap();
                assert_ne!(options, Options::default());
                options.evaluated(&freight).unwrap();
            }
        };
        check(include_str!("../../../docs/adopt.md"), &[Kind::Helm]);
        check(
            include_str!("../../../docs/rendering.md"),
            &[Kind::Helm, Kind::Kustomize, Kind::Helm],
        );

        let page = include_str!("../../../docs/freight.md");
        let (_, example) = page.split_once("```yaml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let app = crate::documents::parse(example).unwrap().unwrap();
        let parameters = &app["spec"]["source"]["plugin"]["parameters"];
        let options = Options::parse(&parameters.to_string()).unwrap();
        assert!(options.provenance && options.image_paths.len() == 3);
    }

    #[test]
    fn variables_are_put_in_where_argo_cd_puts_them_in() {
        let variables = Variables { app_name: "web".into(), ..Variables::default() };
        let json = r#"[{"name":"valueFiles","array":["$ARGOCD_APP_NAME/a.yaml","b-${ARGOCD_APP_NAME}.yaml","$values/c.yaml"]},
            {"name":"fileParameters","map":{"$ARGOCD_APP_NAME":"${ARGOCD_APP_NAME}.pem"}},{"name":"values","string":"$ARGOCD_APP_NAME"},
            {"name":"parameters","map":{"a":"$ARGOCD_APP_NAME"}},{"name":"forceString","map":{"a":"$$"}}]"#;
        let options = Options::parse(json).unwrap().with(&variables);
        assert_eq!(options.value_files, ["web/a.yaml", "b-web.yaml", "$values/c.yaml"]);
        assert_eq!(options.file_parameters["$ARGOCD_APP_NAME"], "web.pem");
        assert_eq!(options.values.as_deref(), Some("$ARGOCD_APP_NAME"));
        assert_eq!(options.parameters["a"], "web");
        assert_eq!(options.force_string["a"], "$");
        let json = |envsubst: bool| {
            format!(
                r#"[{{"name":"commonAnnotations","map":{{"a":"$ARGOCD_APP_NAME"}}}},{{"name":"commonLabels","map":{{"a":"$ARGOCD_APP_NAME"}}}},
                {{"name":"images","array":["a:$ARGOCD_APP_NAME"]}},{{"name":"namePrefix","string":"$"}},{{"name":"commonAnnotationsEnvsubst","string":"{envsubst}"}}]"#
            )
        };
        for (envsubst, annotation) in [(true, "web"), (false, "$ARGOCD_APP_NAME")] {
            let options = Options::parse(&json(envsubst)).unwrap().with(&variables);
            assert_eq!(options.common_annotations["a"], annotation);
            assert_eq!(options.common_labels["a"], "web");
            assert_eq!(options.images, ["a:web"]);
            assert_eq!(options.name_prefix.as_deref(), Some("$"));
        }
    }

    #[test]
    fn what_is_not_a_parameter_is_refused_by_name() {
        let check = |json: &str, part: &str| {
            let text = Options::parse(json).unwrap_err().to_string();
            assert!(text.contains(part), "{json}: {text}");
        };
        check(
            r#"[{"name":"valuesFiles","array":[]}]"#,
            r#"no parameter "valuesFiles"; it has releaseName, valueFiles"#,
        );
        check(r#"[{"name":"valueFiles","string":"a.yaml"}]"#, r#""valueFiles" must be an array"#);
        check(
            r#"[{"name":"version","string":"v4.5.7"}]"#,
            "one version of Helm and one of Kustomize",
        );
        check(r#"[{"name":"jsonnet","string":"{}"}]"#, "keep its output in the repository");
        check(
            r#"[{"name":"patches","array":["patch: x", "- op: add"]}]"#,
            r#""patches", entry 2: "#,
        );
        check(r#"[{"name":"patches","array":["pach: x"]}]"#, "unknown field `pach`");
        check(
            r#"[{"name":"recurse","string":"yes"}]"#,
            r#""recurse" must be the string true or false"#,
        );
        check(
            r#"[{"name":"recurse","string":"true"},{"name":"recurse","string":"false"}]"#,
            "more than once",
        );
        check("{", "can't be read");
        check(
            r#"[{"name":"imageForm","string":"Tag"}]"#,
            r#""imageForm" must be tag, digest or both"#,
        );
        check(
            r#"[{"name":"imageForm","array":["tag"]}]"#,
            r#""imageForm" must be tag, digest or both"#,
        );
        check(
            r#"[{"name":"imagePaths","array":["ConfigMap:.data.a","ConfigMap:data"]}]"#,
            r#""imagePaths", entry 1: "ConfigMap:data" names no place of images: before each field"#,
        );
        let many = vec!["ConfigMap:.data.a"; MOST_IMAGE_PATHS + 1];
        let many = serde_json::json!([{ "name": "imagePaths", "array": many }]);
        check(&many.to_string(), "65 entries");
    }
}
