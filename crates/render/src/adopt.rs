//! Argo CD's native sources and ours: the same options, written in another place.
//!
//! [`adopt`] and [`release`] are each other's opposite: a source that went through both is the same to Argo CD. What one
//! of them can't say is refused by its field, never dropped.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wharfinger_api::additions::{ENV_FREIGHT, ENV_STAGE, PLUGIN};
use wharfinger_api::argocd::Source;
use wharfinger_core::expression::has_expression;
use wharfinger_core::substitute::repository_of;

use crate::options::{
    BUILD_OPTIONS, FILE_PARAMETERS, FORCE_STRING, PARAMETERS, PATCHES, REPLICAS, VALUE_FILES,
    VALUES_OBJECT, patches,
};
use crate::{Form, Kind, Options, Parameter, Variables};

/// Why a source can't be written the other way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {text}")]
pub struct Unconvertible {
    /// From the source: `helm.passCredentials`.
    pub field: String,
    pub text: String,
}

const AN_EXPRESSION: &str = "it holds ${{ or ${%, which begins an expression for the plugin; write ${{ \"${{\" }} for it, or ${{ \"${%\" }}, and adopt the source by hand";
const FOR_US_ALONE: &str =
    "it holds an expression, which is mere text in a native source; write its value in its place";

/// A native source as one that is rendered with Freight.
pub fn adopt(source: &Source) -> Result<Source, Unconvertible> {
    if let Some(name) = source.plugin() {
        let text = if name == PLUGIN {
            "the source is rendered with Freight already".to_owned()
        } else {
            format!("the source is rendered by the plugin {name}, and only one can render it")
        };
        return Err(refused("plugin.name", text));
    }
    if source.0.get("plugin").is_some_and(|plugin| !are_unset(plugin)) {
        return Err(refused("plugin", "a plugin without a name; name it, or remove it"));
    }
    if !source.text("ref").is_empty() {
        return Err(refused(
            "ref",
            format!("Argo CD lets only native Helm sources read files of another source. {KEEP}"),
        ));
    }
    let mut set = BTreeMap::new();
    let mut adopted = source.clone();
    let types = [("helm", Kind::Helm), ("kustomize", Kind::Kustomize), ("directory", Kind::Plain)];
    for (name, kind) in types {
        let Some(options) = adopted.0.shift_remove(name).filter(|options| !are_unset(options))
        else {
            continue;
        };
        let Value::Object(options) = options else {
            return Err(refused(name, "it is not an object"));
        };
        if !set.is_empty() {
            return Err(refused(name, "a source has options of one type only"));
        }
        for (field, value) in options.iter().filter(|(field, value)| !is_unset(field, value)) {
            let (path, known) = (format!("{name}.{field}"), parameter(field, kind));
            let Some(known) = known.filter(|p| p.name != FORCE_STRING) else {
                return Err(refused(path, missing(kind, field)));
            };
            if has_expression(&value.to_string()) {
                return Err(refused(path, AN_EXPRESSION));
            }
            set.extend(to_plugin(known, value).map_err(|text| refused(path, text))?);
        }
    }
    let mut plugin = Map::from_iter([("name".to_owned(), PLUGIN.into())]);
    let ordered = Options::PARAMETERS.iter().filter_map(|p| set.remove(p.name));
    let parameters: Vec<Value> = ordered.collect();
    if !parameters.is_empty() {
        plugin.insert("parameters".into(), parameters.into());
    }
    adopted.0.insert("plugin".into(), plugin.into());
    Ok(adopted)
}

/// A source of ours as a native one. `kind` is what its folder is: a parameter may belong to several.
pub fn release(source: &Source, kind: Kind) -> Result<Source, Unconvertible> {
    let mut released = source.clone();
    let Some(Value::Object(plugin)) = released.0.shift_remove("plugin") else {
        return Err(refused(
            "plugin",
            format!("the source is not rendered by the plugin {PLUGIN}"),
        ));
    };
    let foreign = source.env().find(|(name, _)| ![ENV_STAGE, ENV_FREIGHT].contains(name));
    if let Some((name, _)) = foreign {
        let text = format!(
            "{name} means nothing to the plugin and has no place in a native source; remove it"
        );
        return Err(refused("plugin.env", text));
    }
    let parameters = plugin.get("parameters").cloned().unwrap_or_default();
    // The renderer's own reading: what it refuses is refused here.
    Options::parse(&parameters.to_string())
        .and_then(|options| options.check(kind))
        .map_err(|e| refused("plugin.parameters", e.to_string()))?;
    let mut options = Map::new();
    for entry in parameters.as_array().into_iter().flatten() {
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(known) = parameter(name, kind) else { continue };
        if has_expression(&entry.to_string()) {
            return Err(refused(name, FOR_US_ALONE));
        }
        let value = to_native(known, entry).map_err(|text| refused(name, text))?;
        match (options.get_mut(PARAMETERS).and_then(Value::as_array_mut), value) {
            // Both kinds of Helm's parameters are one list.
            (Some(there), Value::Array(more)) if [PARAMETERS, FORCE_STRING].contains(&name) => {
                there.extend(more);
            }
            (_, value) if name == FORCE_STRING => drop(options.insert(PARAMETERS.into(), value)),
            (_, value) => drop(options.insert(name.into(), value)),
        }
    }
    if !options.is_empty() {
        let name = match kind {
            Kind::Helm => "helm",
            Kind::Kustomize => "kustomize",
            Kind::Plain => "directory",
        };
        released.0.insert(name.into(), options.into());
    }
    Ok(released)
}

/// A native Kustomize source with these images, each whole, in place of other versions of the same repositories.
pub fn pin(source: &Source, images: &[String]) -> Source {
    let mut pinned = source.clone();
    let kustomize = pinned.0.entry("kustomize").or_insert_with(|| json!({}));
    let mut all: Vec<String> = kustomize
        .get("images")
        .and_then(Value::as_array)
        .map(|there| there.iter().filter_map(text_of).cloned().collect())
        .unwrap_or_default();
    for image in images {
        let same = |entry: &String| {
            let (_, target) = renamed(entry);
            repository_of(target) == repository_of(image)
        };
        match all.iter_mut().find(|entry| same(entry)) {
            Some(entry) => *entry = format!("{}{image}", renamed(entry).0),
            None => all.push(image.clone()),
        }
    }
    kustomize["images"] = all.into();
    pinned
}

/// An entry of Kustomize's images: `name=`, if it is renamed, and what it becomes.
fn renamed(entry: &str) -> (&str, &str) {
    entry.split_at(entry.find('=').map_or(0, |at| at + 1))
}

/// One option as entries of the plugin's parameters, by their names.
fn to_plugin(known: &Parameter, value: &Value) -> Result<Vec<(&'static str, Value)>, String> {
    let name = known.name;
    let one = |field: &str, value: Value| Ok(vec![(name, json!({ "name": name, field: value }))]);
    match name {
        PARAMETERS => return helm_parameters(value),
        VALUES_OBJECT => return one("string", value.to_string().into()),
        REPLICAS => return one("array", replicas(value)?.into()),
        FILE_PARAMETERS => return one("map", file_parameters(value)?.into()),
        PATCHES => {
            let all = value.as_array().into_iter().flatten().map(Value::to_string);
            return one("array", all.collect::<Vec<_>>().into());
        }
        _ => {}
    }
    let strings = match (known.form, value) {
        (Form::Flag, Value::Bool(flag)) => return one("string", flag.to_string().into()),
        (Form::Text, Value::String(text)) => vec![text],
        (Form::List, Value::Array(items)) => items.iter().filter_map(text_of).collect(),
        (Form::Map, Value::Object(fields)) => fields.values().filter_map(text_of).collect(),
        _ => return Err("it has not the form that Argo CD gives it".into()),
    };
    if name == VALUE_FILES
        && let Some(text) = strings.into_iter().find(|text| elsewhere(text))
    {
        return Err(of_another_source(text));
    }
    match known.form {
        Form::Text | Form::Flag => one("string", value.clone()),
        Form::List => one("array", value.clone()),
        Form::Map => one("map", value.clone()),
    }
}

/// Whether a file begins with a variable that is none of Argo CD's: with the name of a source.
fn elsewhere(file: &str) -> bool {
    file.starts_with('$') && !Variables::default().begins(file)
}

fn of_another_source(file: &str) -> String {
    format!(
        "{file:?} is in another source, which Argo CD lets only native Helm sources read. {KEEP}"
    )
}

/// Helm's parameters, in two maps: Argo CD hands them to Helm without an order, too.
fn helm_parameters(value: &Value) -> Result<Vec<(&'static str, Value)>, String> {
    let (mut plain, mut strings) = (Map::new(), Map::new());
    for parameter in value.as_array().into_iter().flatten() {
        let text = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
        let forced = parameter.get("forceString").and_then(Value::as_bool).unwrap_or(false);
        let (name, value) = (text("name"), text("value"));
        let map = if forced { &mut strings } else { &mut plain };
        if map.insert(name.to_owned(), value.into()).is_some() {
            return Err(format!("{name:?} is set more than once; Argo CD takes the last one"));
        }
    }
    let maps = [(PARAMETERS, plain), (FORCE_STRING, strings)];
    let maps = maps.into_iter().filter(|(_, map)| !map.is_empty());
    Ok(maps.map(|(name, map)| (name, json!({ "name": name, "map": map }))).collect())
}

fn file_parameters(value: &Value) -> Result<Map<String, Value>, String> {
    let mut map = Map::new();
    for parameter in value.as_array().into_iter().flatten() {
        let text = |field: &str| parameter.get(field).and_then(Value::as_str).unwrap_or_default();
        let (name, path) = (text("name"), text("path"));
        if elsewhere(path) {
            return Err(of_another_source(path));
        }
        if map.insert(name.to_owned(), path.into()).is_some() {
            return Err(format!("{name:?} is set more than once; Argo CD takes the last one"));
        }
    }
    Ok(map)
}

fn replicas(value: &Value) -> Result<Vec<String>, String> {
    let replica = |of: &Value| {
        let (name, count) = (of.get("name")?.as_str()?, of.get("count")?);
        // Argo CD takes both.
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        Some(format!("{name}={count}"))
    };
    let all = value.as_array().map(|all| all.iter().map(replica).collect::<Option<_>>());
    all.flatten().ok_or_else(|| "each entry needs a name and a count, which is a number".into())
}

/// An entry of the plugin's parameters as Argo CD's option.
fn to_native(known: &Parameter, entry: &Value) -> Result<Value, String> {
    let value = |field: &str| entry.get(field).cloned().unwrap_or_default();
    let parameters = |forced: bool| {
        let map = value("map");
        let parameter = |(name, value): (&String, &Value)| {
            let mut parameter = json!({ "name": name, "value": value });
            if forced {
                parameter["forceString"] = true.into();
            }
            parameter
        };
        map.as_object().into_iter().flatten().map(parameter).collect()
    };
    let replica = |text: &Value| {
        let (name, count) = text.as_str()?.split_once('=')?;
        Some(json!({ "name": name, "count": count.parse::<u64>().ok()? }))
    };
    match known.name {
        BUILD_OPTIONS => Err(
            "a native source has no such field; write it into kustomize.buildOptions of argocd-cm and remove it here".into(),
        ),
        PARAMETERS => Ok(parameters(false)),
        FORCE_STRING => Ok(parameters(true)),
        FILE_PARAMETERS => {
            let map = value("map");
            let parameter = |(name, path): (&String, &Value)| json!({ "name": name, "path": path });
            Ok(map.as_object().into_iter().flatten().map(parameter).collect())
        }
        PATCHES => {
            let texts: Vec<String> = serde_json::from_value(value("array")).unwrap_or_default();
            let patches = patches(&texts).map_err(|e| e.to_string())?;
            serde_json::to_value(patches).map_err(|e| e.to_string())
        }
        VALUES_OBJECT => serde_json::from_str(value("string").as_str().unwrap_or_default())
            .map_err(|e| format!("it is not JSON: {e}")),
        REPLICAS => {
            let all = value("array");
            let all = all.as_array().into_iter().flatten().map(replica).collect::<Option<_>>();
            all.map(Value::Array).ok_or_else(|| "each entry must be name=number".into())
        }
        _ => Ok(match known.form {
            Form::Flag => (value("string") == "true").into(),
            Form::Text => value("string"),
            Form::List => value("array"),
            Form::Map => value("map"),
        }),
    }
}

/// The parameter that stands for a native option.
fn parameter(name: &str, kind: Kind) -> Option<&'static Parameter> {
    const ALL: &[Parameter] = &Options::PARAMETERS;
    let native = !Options::OF_FREIGHT.contains(&name);
    ALL.iter().find(|p| native && p.name == name && p.kinds.contains(&kind))
}

/// What to do without an option that the plugin does not have.
fn missing(kind: Kind, field: &str) -> String {
    let absent = Options::ABSENT.iter().find(|a| a.kind == kind && a.name == field);
    let instead = absent.map_or("write it into the files in Git", |absent| absent.instead);
    format!("the plugin does not have this option: {instead}. {KEEP}")
}

const KEEP: &str =
    "Or keep the source native, and let the promotion step argocd-update write the version";

fn text_of(value: &Value) -> Option<&String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Whether Argo CD takes the options of a type for none: all of them have their zero values.
pub(crate) fn are_unset(options: &Value) -> bool {
    match options {
        Value::Object(fields) => fields.iter().all(|(field, value)| is_unset(field, value)),
        other => other.is_null(),
    }
}

/// The same for one field. What users write into values and maps is not looked into: a value that is false counts.
fn is_unset(field: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) if field == VALUES_OBJECT => false,
        Value::Object(_) if field == "jsonnet" => are_unset(value),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn refused(field: impl Into<String>, text: impl Into<String>) -> Unconvertible {
    Unconvertible { field: field.into(), text: text.into() }
}

#[cfg(test)]
mod tests;
