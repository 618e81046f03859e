//! `${{ }}` in options: what the Freight says, put in before Helm or Kustomize run.

use serde_json::Value;
use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::expression::{Environment, Evaluation, Functions, has_expression};

use super::table::*;
use super::{Options, Patch, at};
use crate::{RenderError, documents};

impl Options {
    pub(crate) fn has_expressions(&self) -> bool {
        serde_json::to_string(self).is_ok_and(|text| has_expression(&text))
    }

    /// With the values of its expressions over this Freight. They know nothing else, not even the time: what is rendered
    /// depends on the Freight alone.
    pub(crate) fn evaluated(mut self, freight: &FreightCollection) -> Result<Self, RenderError> {
        let functions = Functions::default().with_utilities().with_freight(freight);
        let environment = Environment::timeless(functions);
        let mut filling = Filling(Evaluation::new(&environment));
        // All of them by name: whoever adds an option decides here what it may hold.
        let Self {
            release_name,
            value_files,
            ignore_missing_value_files: _,
            values,
            values_object,
            parameters,
            force_string,
            file_parameters,
            skip_crds: _,
            skip_tests: _,
            skip_schema_validation: _,
            kube_version,
            api_versions,
            namespace,
            name_prefix,
            name_suffix,
            images,
            replicas,
            common_labels,
            force_common_labels: _,
            label_without_selector: _,
            label_include_templates: _,
            common_annotations,
            force_common_annotations: _,
            common_annotations_envsubst: _,
            patches,
            components,
            ignore_missing_components: _,
            build_options: _,
            recurse: _,
            include,
            exclude,
            image_form: _,
            image_paths: _,
            provenance: _,
        } = &mut self;
        let texts = [
            (RELEASE_NAME, release_name),
            (KUBE_VERSION, kube_version),
            (NAMESPACE, namespace),
            (NAME_PREFIX, name_prefix),
            (NAME_SUFFIX, name_suffix),
            (INCLUDE, include),
            (EXCLUDE, exclude),
        ];
        for (name, text) in texts {
            text.iter_mut().try_for_each(|text| filling.text(&at(name), text))?;
            // As one that is written empty.
            *text = text.take().filter(|text| !text.is_empty());
        }
        let lists = [
            (VALUE_FILES, value_files),
            (API_VERSIONS, api_versions),
            (IMAGES, images),
            (REPLICAS, replicas),
            (COMPONENTS, components),
        ];
        for (name, list) in lists {
            for (text, number) in list.iter_mut().zip(1..) {
                filling.text(&entry(name, number), text)?;
            }
        }
        for (name, map) in [(PARAMETERS, parameters), (FORCE_STRING, force_string)] {
            for (key, text) in map {
                filling.set(&format!("{}, {key:?}", at(name)), text)?;
            }
        }
        let maps = [
            (FILE_PARAMETERS, file_parameters),
            (COMMON_LABELS, common_labels),
            (COMMON_ANNOTATIONS, common_annotations),
        ];
        for (name, map) in maps {
            for (key, text) in map {
                filling.text(&format!("{}, {key:?}", at(name)), text)?;
            }
        }
        values.iter_mut().try_for_each(|text| filling.yaml(&at(VALUES), text))?;
        values_object.iter_mut().try_for_each(|text| filling.yaml(&at(VALUES_OBJECT), text))?;
        for (Patch { path, patch, target, options: _ }, number) in patches.iter_mut().zip(1..) {
            let place = entry(PATCHES, number);
            filling.yaml(&place, patch)?;
            // Which objects there are is for the manifests to say.
            let chosen = serde_json::to_string(&(&path, &target)).unwrap_or_default();
            if has_expression(&chosen) {
                let text = format!("{place}: only the field patch may hold expressions");
                return Err(RenderError::Input(text));
            }
        }
        Ok(self)
    }
}

struct Filling<'e>(Evaluation<'e>);

impl Filling<'_> {
    /// Text that stays text.
    fn text(&mut self, place: &str, text: &mut String) -> Result<(), RenderError> {
        if has_expression(text) {
            *text = match self.value(place, text)? {
                Value::String(text) => text,
                Value::Null => return Err(failed(place, "the expression gives nothing")),
                other => other.to_string(),
            };
        }
        Ok(())
    }

    /// Text that Helm takes apart: `a,b=c` would set two values.
    fn set(&mut self, place: &str, text: &mut String) -> Result<(), RenderError> {
        if !has_expression(text) {
            return Ok(());
        }
        self.text(place, text)?;
        if text.contains([',', '{', '}', '\\']) {
            let what = "the value has one of , { } \\, which are more than text to helm --set; put it into the parameter \"values\"";
            return Err(failed(place, what));
        }
        Ok(())
    }

    /// Text that is YAML: read first, so that no value can be more than the value of its field.
    fn yaml(&mut self, place: &str, text: &mut String) -> Result<(), RenderError> {
        if has_expression(text) {
            let read = documents::parse(text).map_err(|e| {
                failed(
                    place,
                    &format!("not YAML: {e}. Put what holds an expression between quotation marks"),
                )
            })?;
            let mut value = read.unwrap_or_default();
            self.leaves(place, &mut value)?;
            *text = value.to_string();
        }
        Ok(())
    }

    fn leaves(&mut self, place: &str, value: &mut Value) -> Result<(), RenderError> {
        match value {
            Value::String(text) if has_expression(text) => {
                *value = self.value(place, text)?;
                Ok(())
            }
            Value::Array(items) => items
                .iter_mut()
                .enumerate()
                .try_for_each(|(at, item)| self.leaves(&format!("{place}[{at}]"), item)),
            Value::Object(fields) => fields
                .iter_mut()
                .try_for_each(|(name, field)| self.leaves(&format!("{place}.{name}"), field)),
            _ => Ok(()),
        }
    }

    fn value(&mut self, place: &str, text: &str) -> Result<Value, RenderError> {
        self.0.fill(text).map_err(|e| failed(place, &e.to_string()))
    }
}

fn entry(name: &str, number: usize) -> String {
    format!("{}, entry {number}", at(name))
}

fn failed(place: &str, what: &str) -> RenderError {
    RenderError::Input(format!("{place}: {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn freight() -> FreightCollection {
        let collection = json!({ "id": "c", "items": { "Warehouse/w": {
            "name": "f", "origin": { "kind": "Warehouse", "name": "w" },
            "images": [{ "repoURL": "ghcr.io/acme/web", "tag": "1.10" }],
            "commits": [{ "repoURL": "https://git.example/acme", "id": "abc", "message": "fix\nadmin: true" }],
        } } });
        serde_json::from_value(collection).unwrap()
    }

    fn evaluated(parameters: &Value) -> Result<Options, String> {
        let options = Options::parse(&parameters.to_string()).map_err(|e| e.to_string())?;
        options.evaluated(&freight()).map_err(|e| e.to_string())
    }

    const TAG: &str = "${{ imageFrom('ghcr.io/acme/web').Tag }}";

    #[test]
    fn what_the_freight_says_is_put_in() {
        let values = format!(
            "# The chart's\nimage:\n  tag: {TAG}\n  other: \"v${{{{ 1 + 1 }}}}\"\nreplicas: ${{{{ 1 + 1 }}}}\nlist:\n- {TAG}\n${{{{ 1 }}}}: stays\n"
        );
        let options = evaluated(&json!([
            { "name": "values", "string": values },
            { "name": "valuesObject", "string": json!({ "a": [TAG], "n": 1.5 }).to_string() },
            { "name": "parameters", "map": { "tag": TAG, "both": format!("web:{TAG}"), "plain": "x" } },
            { "name": "replicas", "array": ["web=${{ 2 * 2 }}"] },
            { "name": "namePrefix", "string": "${% 'a' + '-' %}" },
            { "name": "patches", "array": [json!({ "patch": format!("spec: {{ tag: \"{TAG}\" }}") }).to_string()] },
        ]))
        .unwrap();
        let values: Value = serde_json::from_str(options.values.as_deref().unwrap()).unwrap();
        let expected = json!({
            "image": { "tag": "1.10", "other": "v2" }, "replicas": 2, "list": ["1.10"], "${{ 1 }}": "stays",
        });
        assert_eq!(values, expected);
        assert_eq!(options.values_object.as_deref(), Some(r#"{"a":["1.10"],"n":1.5}"#));
        assert_eq!(options.parameters["tag"], "1.10");
        assert_eq!(options.parameters["both"], "web:1.10");
        assert_eq!(options.replicas, ["web=4"]);
        assert_eq!(options.name_prefix.as_deref(), Some("a-"));
        assert_eq!(options.patches[0].patch, r#"{"spec":{"tag":"1.10"}}"#);

        // Nothing to put in, nothing written anew.
        let plain = json!([{ "name": "values", "string": "a:   1 # one\n" }]);
        assert_eq!(evaluated(&plain).unwrap().values.as_deref(), Some("a:   1 # one\n"));
    }

    #[test]
    fn what_somebody_committed_is_a_value_and_nothing_more() {
        let message = "${{ commitFrom('https://git.example/acme').Message }}";
        let options = evaluated(&json!([
            { "name": "values", "string": format!("note: {message}\n") },
        ]));
        assert_eq!(options.unwrap().values.as_deref(), Some(r#"{"note":"fix\nadmin: true"}"#));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let check = |parameter: Value, expected: &str| {
            assert_eq!(evaluated(&json!([parameter])).unwrap_err(), expected);
        };
        check(
            json!({ "name": "values", "string": "a:\n- b: ${{ imageFrom('nope').Tag }}\n" }),
            "the plugin's parameter \"values\".a[0].b: nil has no such member, at column 20",
        );
        check(
            json!({ "name": "parameters", "map": { "x": "${{ imageFrom('nope') }}" } }),
            "the plugin's parameter \"parameters\", \"x\": the expression gives nothing",
        );
        check(
            json!({ "name": "images", "array": ["a", "${{ now().Year() }}"] }),
            "the plugin's parameter \"images\", entry 2: now is not to be had here: the result would depend on the time, at column 2",
        );
        check(
            json!({ "name": "values", "string": "a: {b: ${{ 1 }}\n" }),
            "the plugin's parameter \"values\": not YAML: while parsing a flow mapping, did not find expected ',' or '}' at line 1, column 9. Put what holds an expression between quotation marks",
        );
        check(
            json!({ "name": "parameters", "map": { "x": "${{ 'a,admin=true' }}" } }),
            "the plugin's parameter \"parameters\", \"x\": the value has one of , { } \\, which are more than text to helm --set; put it into the parameter \"values\"",
        );
        check(
            json!({ "name": "patches", "array": ["{path: '${{ 1 }}', patch: ''}"] }),
            "the plugin's parameter \"patches\", entry 1: only the field patch may hold expressions",
        );
    }

    #[test]
    fn what_changes_without_a_promotion_is_not_there() {
        let page = include_str!("../../../../docs/rendering.md");
        let check = |name: &str, expression: &str, expected: &str| {
            assert!(page.contains(&format!("`{name}`")), "{name} is missing in docs/rendering.md");
            let values = format!("a: ${{{{ {expression} }}}}");
            let error = evaluated(&json!([{ "name": "values", "string": values }])).unwrap_err();
            assert_eq!(error, format!("the plugin's parameter \"values\".a: {expected}"));
        };
        for name in [
            "secret",
            "sharedSecret",
            "configMap",
            "sharedConfigMap",
            "freightMetadata",
            "freightStatus",
            "stageMetadata",
        ] {
            let expected = format!("there is no function {name} here, at column 2");
            check(name, &format!("{name}('x').a"), &expected);
        }
        let name = "ctx.targetFreight";
        check(name, "ctx.targetFreight.name", "nil has no such member, at column 6");
    }

    #[test]
    fn an_expression_that_gives_an_empty_text_sets_nothing() {
        let empty = json!([{ "name": "namePrefix", "string": "${{ '' }}" }]);
        assert_eq!(evaluated(&empty), Ok(Options::default()));
    }

    #[test]
    fn no_parameter_takes_an_expression_for_text() {
        for parameter in Options::PARAMETERS {
            let value = match parameter.form {
                Form::Text | Form::Flag => json!({ "string": "${{ 'x' }}" }),
                Form::List if parameter.name == PATCHES => {
                    json!({ "array": ["{patch: \"a: ${{ 'x' }}\"}"] })
                }
                Form::List => json!({ "array": ["${{ 'x' }}"] }),
                Form::Map => json!({ "map": { "x": "${{ 'x' }}" } }),
            };
            let mut entry = json!({ "name": parameter.name });
            entry.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            // Either there is a value in its place, or it is refused.
            if let Ok(options) = evaluated(&json!([entry])) {
                let left = serde_json::to_string(&options).unwrap();
                assert!(!has_expression(&left), "{}: {left}", parameter.name);
            }
        }
    }
}
