//! The table of the plugin's parameters, named as Argo CD names the fields of its native sources, and of those fields that
//! are none.

use super::Options;
use crate::Kind;

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

pub(super) const RELEASE_NAME: &str = "releaseName";
pub(crate) const VALUE_FILES: &str = "valueFiles";
pub(super) const IGNORE_MISSING: &str = "ignoreMissingValueFiles";
pub(super) const VALUES: &str = "values";
pub(crate) const VALUES_OBJECT: &str = "valuesObject";
pub(crate) const PARAMETERS: &str = "parameters";
pub(crate) const FORCE_STRING: &str = "forceString";
pub(crate) const FILE_PARAMETERS: &str = "fileParameters";
pub(super) const SKIP_CRDS: &str = "skipCrds";
pub(super) const SKIP_TESTS: &str = "skipTests";
pub(super) const SKIP_SCHEMA: &str = "skipSchemaValidation";
pub(super) const KUBE_VERSION: &str = "kubeVersion";
pub(super) const API_VERSIONS: &str = "apiVersions";
pub(super) const NAMESPACE: &str = "namespace";
pub(super) const NAME_PREFIX: &str = "namePrefix";
pub(super) const NAME_SUFFIX: &str = "nameSuffix";
pub(super) const IMAGES: &str = "images";
pub(crate) const REPLICAS: &str = "replicas";
pub(super) const COMMON_LABELS: &str = "commonLabels";
pub(super) const FORCE_LABELS: &str = "forceCommonLabels";
pub(super) const LABELS_WITHOUT_SELECTOR: &str = "labelWithoutSelector";
pub(super) const LABELS_IN_TEMPLATES: &str = "labelIncludeTemplates";
pub(super) const COMMON_ANNOTATIONS: &str = "commonAnnotations";
pub(super) const FORCE_ANNOTATIONS: &str = "forceCommonAnnotations";
pub(super) const ENVSUBST: &str = "commonAnnotationsEnvsubst";
pub(crate) const PATCHES: &str = "patches";
pub(super) const COMPONENTS: &str = "components";
pub(super) const IGNORE_MISSING_COMPONENTS: &str = "ignoreMissingComponents";
pub(crate) const BUILD_OPTIONS: &str = "buildOptions";
pub(super) const RECURSE: &str = "recurse";
pub(super) const INCLUDE: &str = "include";
pub(super) const EXCLUDE: &str = "exclude";
pub(super) const IMAGE_FORM: &str = "imageForm";
pub(super) const IMAGE_PATHS: &str = "imagePaths";
pub(super) const PROVENANCE: &str = "provenance";

/// A field of Argo CD's native sources that the plugin does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    pub name: &'static str,
    pub kind: Kind,
    /// What to do instead.
    pub instead: &'static str,
}

/// For both, since a parameter says nothing of the kind of source that it is meant for.
const ONE_VERSION: &str = "the plugin has one version of Helm and one of Kustomize, those of the sidecar's image, which its log tells; remove it if they will do";

impl Options {
    /// Every parameter there is.
    pub const PARAMETERS: [Parameter; 35] = [
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
            tooltip: "Values files or patterns of them, from the chart's folder or, with a leading slash, from the repository's root. Later ones win",
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
            name: FILE_PARAMETERS,
            form: Form::Map,
            kinds: &[Kind::Helm],
            title: "Helm: file parameters",
            tooltip: "Single values from files, as by helm --set-file",
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
            name: ENVSUBST,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: variables in annotations",
            tooltip: "Whether $ARGOCD_APP_… in annotations is replaced by its value (true or false)",
        },
        Parameter {
            name: PATCHES,
            form: Form::List,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: patches",
            tooltip: "Patches, each as YAML or JSON with the fields target, patch, path and options",
        },
        Parameter {
            name: COMPONENTS,
            form: Form::List,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: components",
            tooltip: "Folders of components, from the kustomization's folder",
        },
        Parameter {
            name: IGNORE_MISSING_COMPONENTS,
            form: Form::Flag,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: ignore missing components",
            tooltip: "Whether components that are not there are left out (true or false)",
        },
        Parameter {
            name: BUILD_OPTIONS,
            form: Form::Text,
            kinds: &[Kind::Kustomize],
            title: "Kustomize: build options",
            tooltip: "Flags of kustomize build, as in argocd-cm. Only --reorder is taken",
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

    /// The fields of native sources that are no parameters.
    pub const ABSENT: [Absent; 6] = [
        Absent { name: "version", kind: Kind::Kustomize, instead: ONE_VERSION },
        Absent { name: "version", kind: Kind::Helm, instead: ONE_VERSION },
        Absent {
            name: "passCredentials",
            kind: Kind::Helm,
            instead: "the plugin has no credentials; put dependencies that take some into the chart's folder charts",
        },
        Absent {
            name: "jsonnet",
            kind: Kind::Plain,
            instead: "the plugin does not render Jsonnet; keep its output in the repository",
        },
        Absent {
            name: "kubeVersion",
            kind: Kind::Kustomize,
            instead: "it is for charts in a kustomization, which the plugin does not fetch; remove it",
        },
        Absent {
            name: "apiVersions",
            kind: Kind::Kustomize,
            instead: "it is for charts in a kustomization, which the plugin does not fetch; remove it",
        },
    ];
}
