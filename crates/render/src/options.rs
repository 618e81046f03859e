//! What a source may say about how it is rendered: the parameters of the plugin, named as Argo CD names the fields of its
//! native sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Kind, RenderError};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Options {
    pub release_name: Option<String>,
    pub value_files: Vec<String>,
    /// Values as YAML text.
    pub values: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub recurse: Option<bool>,
}

/// A parameter, as it is announced to Argo CD's user interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub form: Form,
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
const VALUES: &str = "values";
const PARAMETERS: &str = "parameters";
const RECURSE: &str = "recurse";

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
    /// Every parameter there is.
    pub const PARAMETERS: [Parameter; 5] = [
        Parameter {
            name: RELEASE_NAME,
            form: Form::Text,
            title: "Helm: release name",
            tooltip: "Name of the Helm release. Default: the name of the Application",
        },
        Parameter {
            name: VALUE_FILES,
            form: Form::List,
            title: "Helm: values files",
            tooltip: "Values files, from the chart's folder or, with a leading slash, from the repository's root. Later ones win",
        },
        Parameter {
            name: VALUES,
            form: Form::Text,
            title: "Helm: values",
            tooltip: "Values as YAML. They win over values files",
        },
        Parameter {
            name: PARAMETERS,
            form: Form::Map,
            title: "Helm: parameters",
            tooltip: "Single values, as by helm --set. They win over everything else",
        },
        Parameter {
            name: RECURSE,
            form: Form::Flag,
            title: "Directory: recurse",
            tooltip: "Whether plain files are read from folders below as well (true or false)",
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
            match entry.name.as_str() {
                RELEASE_NAME => options.release_name = Some(entry.text()?),
                VALUE_FILES => options.value_files = entry.list()?,
                VALUES => options.values = Some(entry.text()?),
                PARAMETERS => options.parameters = entry.map()?,
                RECURSE => options.recurse = Some(entry.flag()?),
                name => {
                    let known = Self::PARAMETERS.map(|p| p.name).join(", ");
                    let text = format!("the plugin has no parameter {name:?}; it has {known}");
                    return Err(RenderError::input(text));
                }
            }
        }
        Ok(options)
    }

    /// Refuses what says nothing about a folder of this kind: it is a mistake, and would be ignored.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), RenderError> {
        let Self { release_name, value_files, values, parameters, recurse } = self;
        let set = [
            (RELEASE_NAME, release_name.is_some(), Kind::Helm),
            (VALUE_FILES, !value_files.is_empty(), Kind::Helm),
            (VALUES, values.is_some(), Kind::Helm),
            (PARAMETERS, !parameters.is_empty(), Kind::Helm),
            (RECURSE, recurse.is_some(), Kind::Plain),
        ];
        match set.into_iter().find(|(_, set, meant)| *set && *meant != kind) {
            None => Ok(()),
            Some((name, _, meant)) => Err(RenderError::input(format!(
                "the plugin's parameter {name:?} is for {}, but the source is {}",
                meant.name(),
                kind.name()
            ))),
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
        assert_eq!(recurse.recurse, Some(true));
        assert!(recurse.check(Kind::Kustomize).is_err());
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
    }
}
