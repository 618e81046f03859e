//! What a source may say about how it is rendered: the parameters of the plugin, named as Argo CD names the fields of its
//! native sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharfinger_core::substitute::{ImageForm, ImagePath};

use crate::{Kind, RenderError};

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
    pub recurse: bool,
    pub include: Option<String>,
    pub exclude: Option<String>,
    pub image_form: Option<ImageForm>,
    pub image_paths: Vec<ImagePath>,
    pub provenance: bool,
}

/// A parameter, as it is announced to Argo CD's user interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub form: Form,
    /// The kinds of source that it says something about.
    pub kinds: &'static [Kind],
    pub title: &'static str,
    pub tooltip: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Flag,
    List,
    Map,
}

const RELEASE_NAME: &str = "releaseName";
const VALUE_FILES: &str = "valueFiles";
const IGNORE_MISSING: &str = "ignoreMissingValueFiles";
const VALUES: &str = "values";
pub(crate) const VALUES_OBJECT: &str = "valuesObject";
pub(crate) const PARAMETERS: &str = "parameters";
pub(crate) const FORCE_STRING: &str = "forceString";
const SKIP_CRDS: &str = "skipCrds";
const SKIP_TESTS: &str = "skipTests";
const SKIP_SCHEMA: &str = "skipSchemaValidation";
const KUBE_VERSION: &str = "kubeVersion";
const API_VERSIONS: &str = "apiVersions";
const NAMESPACE: &str = "namespace";
const NAME_PREFIX: &str = "namePrefix";
const NAME_SUFFIX: &str = "nameSuffix";
const IMAGES: &str = "images";
pub(crate) const REPLICAS: &str = "replicas";
const COMMON_LABELS: &str = "commonLabels";
const FORCE_LABELS: &str = "forceCommonLabels";
const LABELS_WITHOUT_SELECTOR: &str = "labelWithoutSelector";
const LABELS_IN_TEMPLATES: &str = "labelIncludeTemplates";
const COMMON_ANNOTATIONS: &str = "commonAnnotations";
const FORCE_ANNOTATIONS: &str = "forceCommonAnnotations";
const RECURSE: &str = "recurse";
const INCLUDE: &str = "include";
const EXCLUDE: &str = "exclude";
const IMAGE_FORM: &str = "imageForm";
const IMAGE_PATHS: &str = "imagePaths";
const PROVENANCE: &str = "provenance";

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

    /// Every parameter there is.
    pub const PARAMETERS: [Parameter; 29] = [
        Parameter {
            name: RELEASE_NAME,
            form: Form::Text,
            kinds: &[Kind::Helm],
            title: "Helm: release name",
            tooltip: "Name of the Helm release. Default: the name of the Application",
        },
        Parameter {
            name: VALUE_FILES,
            form: Form::List,
            kinds: &[Kind::Helm],
            title: "Helm: values files",
            tooltip: "Values files, from the chart's folder or, with a leading slash, from the repository's root. Later ones win",
        },
        Parameter {
            name: IGNORE_MISSING,
            form: Form::Flag,
            kinds: &[Kind::Helm],
            title: "Helm: ignore missing values files",
            tooltip: "Whether values files that are not there are left out (true or false)",
        },
        Parameter {
            name: VALUES,
            form: Form::Text,
            kinds: &[Kind::Helm],
            title: "Helm: values",
            tooltip: "Values as YAML. They win over values files",
        },
        Parameter {
            name: VALUES_OBJECT,
            form: Form::Text,
            kinds: &[Kind::Helm],
            title: "Helm: values as an object",
            tooltip: "Values as JSON. They take the place of values",
        },
        Parameter {
            name: PARAMETERS,
            form: Form::Map,
            kinds: &[Kind::Helm],
            title: "Helm: parameters",
            tooltip: "Single values, as by helm --set. They win over everything else",
        },
        Parameter {
            name: FORCE_STRING,
            form: Form::Map,
            kinds: &[Kind::Helm],
            title: "Helm: parameters that are strings",
            tooltip: "Single values, as by helm --set-string",
        },
        Parameter {
            name: SKIP_CRDS,
            form: Form::Flag,
            kinds: &[Kind::Helm],
            title: "Helm: skip CRDs",
            tooltip: "Whether the chart's folder crds is left out (true or false)",
        },
        Parameter {
            name: SKIP_TESTS,
            form: Form::Flag,
            kinds: &[Kind::Helm],
            title: "Helm: skip tests",
            tooltip: "Whether the chart's tests are left out (true or false)",
        },
        Parameter {
            name: SKIP_SCHEMA,
            form: Form::Flag,
            kinds: &[Kind::Helm],
            title: "Helm: skip the schema",
            tooltip: "Whether values are taken unchecked by the chart's schema (true or false)",
        },
        Parameter {
            name: KUBE_VERSION,
            form: Form::Text,
            kinds: &[Kind::Helm],
            title: "Helm: Kubernetes version",
            tooltip: "The version of Kubernetes that the chart sees. Default: the destination's",
        },
        Parameter {
            name: API_VERSIONS,
            form: Form::List,
            kinds: &[Kind::Helm],
            title: "Helm: API versions",
            tooltip: "The API versions that the chart sees. Default: the destination's",
        },
        Parameter {
            name: NAMESPACE,
            form: Form::Text,
            kinds: &[Kind::Helm, Kind::Kustomize],
            title: "Helm and Kustomize: namespace",
            tooltip: "The namespace of the release, or the one that Kustomize sets",
        },
        Parameter {
            name: NAME_PREFIX,
            form: Form::Text,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: name prefix",
            tooltip: "What is put before the names of objects",
        },
        Parameter {
            name: NAME_SUFFIX,
            form: Form::Text,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: name suffix",
            tooltip: "What is put after the names of objects",
        },
        Parameter {
            name: IMAGES,
            form: Form::List,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: images",
            tooltip: "Images as kustomize edit set image takes them. Freight wins over them",
        },
        Parameter {
            name: REPLICAS,
            form: Form::List,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: replicas",
            tooltip: "Numbers of replicas, each as name=number",
        },
        Parameter {
            name: COMMON_LABELS,
            form: Form::Map,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: labels",
            tooltip: "Labels for all objects",
        },
        Parameter {
            name: FORCE_LABELS,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: force labels",
            tooltip: "Whether labels win over those of the kustomization (true or false)",
        },
        Parameter {
            name: LABELS_WITHOUT_SELECTOR,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: labels without selectors",
            tooltip: "Whether selectors stay without the labels (true or false)",
        },
        Parameter {
            name: LABELS_IN_TEMPLATES,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: labels in templates",
            tooltip: "Whether templates get the labels where selectors do not (true or false)",
        },
        Parameter {
            name: COMMON_ANNOTATIONS,
            form: Form::Map,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: annotations",
            tooltip: "Annotations for all objects",
        },
        Parameter {
            name: FORCE_ANNOTATIONS,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: force annotations",
            tooltip: "Whether annotations win over those of the kustomization (true or false)",
        },
        Parameter {
            name: RECURSE,
            form: Form::Flag,
            kinds: &[Kind::Plain],
            title: "Directory: recurse",
            tooltip: "Whether plain files are read from folders below as well (true or false)",
        },
        Parameter {
            name: INCLUDE,
            form: Form::Text,
            kinds: &[Kind::Plain],
            title: "Directory: include",
            tooltip: "Pattern of the plain files that are read",
        },
        Parameter {
            name: EXCLUDE,
            form: Form::Text,
            kinds: &[Kind::Plain],
            title: "Directory: exclude",
            tooltip: "Pattern of the plain files that are left out",
        },
        Parameter {
            name: IMAGE_FORM,
            form: Form::Text,
            kinds: &[Kind::Helm, Kind::Kustomize, Kind::Plain],
            title: "Freight: form of images",
            tooltip: "What of the Freight is written behind an image's repository: tag, digest or both. Default: both, as far as the Freight has them",
        },
        Parameter {
            name: IMAGE_PATHS,
            form: Form::List,
            kinds: &[Kind::Helm, Kind::Kustomize, Kind::Plain],
            title: "Freight: more places of images",
            tooltip: "Where images stand besides pods, each as KIND[.GROUP][/NAME]:PATH. Examples: Widget.example.com:.spec.parts[*].image or ConfigMap/settings:.data['web.image']. NAME may end in *. What stands there is replaced if it is one image whose repository is in the Freight",
        },
        Parameter {
            name: PROVENANCE,
            form: Form::Flag,
            kinds: &[Kind::Helm, Kind::Kustomize, Kind::Plain],
            title: "Freight: provenance",
            tooltip: "Whether each object gets annotations that name its Freight, collection, Stage and generation; pod templates never do (true or false). Default: false, for with it every object changes at every promotion, and Argo CD applies all of them again",
        },
    ];

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
            RELEASE_NAME => self.release_name = Some(entry.text()?),
            VALUE_FILES => self.value_files = entry.list()?,
            IGNORE_MISSING => self.ignore_missing_value_files = entry.flag()?,
            VALUES => self.values = Some(entry.text()?),
            VALUES_OBJECT => self.values_object = Some(entry.text()?),
            PARAMETERS => self.parameters = entry.map()?,
            FORCE_STRING => self.force_string = entry.map()?,
            SKIP_CRDS => self.skip_crds = entry.flag()?,
            SKIP_TESTS => self.skip_tests = entry.flag()?,
            SKIP_SCHEMA => self.skip_schema_validation = entry.flag()?,
            KUBE_VERSION => self.kube_version = Some(entry.text()?),
            API_VERSIONS => self.api_versions = entry.list()?,
            NAMESPACE => self.namespace = Some(entry.text()?),
            NAME_PREFIX => self.name_prefix = Some(entry.text()?),
            NAME_SUFFIX => self.name_suffix = Some(entry.text()?),
            IMAGES => self.images = entry.list()?,
            REPLICAS => self.replicas = entry.list()?,
            COMMON_LABELS => self.common_labels = entry.map()?,
            FORCE_LABELS => self.force_common_labels = entry.flag()?,
            LABELS_WITHOUT_SELECTOR => self.label_without_selector = entry.flag()?,
            LABELS_IN_TEMPLATES => self.label_include_templates = entry.flag()?,
            COMMON_ANNOTATIONS => self.common_annotations = entry.map()?,
            FORCE_ANNOTATIONS => self.force_common_annotations = entry.flag()?,
            RECURSE => self.recurse = entry.flag()?,
            INCLUDE => self.include = Some(entry.text()?),
            EXCLUDE => self.exclude = Some(entry.text()?),
            IMAGE_FORM => self.image_form = Some(entry.image_form()?),
            IMAGE_PATHS => self.image_paths = entry.image_paths()?,
            PROVENANCE => self.provenance = entry.flag()?,
            name => {
                let known = Self::PARAMETERS.map(|p| p.name).join(", ");
                let text = format!("the plugin has no parameter {name:?}; it has {known}");
                return Err(RenderError::input(text));
            }
        }
        Ok(())
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

impl Entry {
    fn text(self) -> Result<String, RenderError> {
        match self {
            Self { string: Some(text), array: None, map: None, .. } => Ok(text),
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

    fn image_form(self) -> Result<ImageForm, RenderError> {
        let form = self.string.as_deref().filter(|_| self.array.is_none() && self.map.is_none());
        form.and_then(|form| form.parse().ok()).ok_or_else(|| self.wrong("tag, digest or both"))
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
        RenderError::input(format!("the plugin's parameter {:?} must be {form}", self.name))
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
                _ if parameter.name == IMAGE_FORM => r#""string":"tag""#,
                _ if parameter.name == IMAGE_PATHS => r#""array":["ConfigMap:.data.image"]"#,
                Form::Text => r#""string":"x""#,
                Form::Flag => r#""string":"true""#,
                Form::List => r#""array":["x"]"#,
                Form::Map => r#""map":{"x":"y"}"#,
            };
            let name = parameter.name;
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
    fn the_example_of_the_documentation_is_sound() {
        let page = include_str!("../../../docs/adopt.md");
        let (_, example) = page.split_once("```yaml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let source = crate::documents::parse(example).unwrap().unwrap();
        let options = Options::parse(&source["plugin"]["parameters"].to_string()).unwrap();
        options.check(Kind::Helm).unwrap();
        assert!(options.skip_crds);

        let page = include_str!("../../../docs/freight.md");
        let (_, example) = page.split_once("```yaml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let app = crate::documents::parse(example).unwrap().unwrap();
        let parameters = &app["spec"]["source"]["plugin"]["parameters"];
        let options = Options::parse(&parameters.to_string()).unwrap();
        assert!(options.provenance && options.image_paths.len() == 3);
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
