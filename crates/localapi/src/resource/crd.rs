//! From a CustomResourceDefinition to what is served.

use serde_json::Value;

use super::Resource;
use crate::{
    jsonpath::JsonPath,
    schema::{Problem, Schema},
    table::{Cell, Column},
};

pub(super) fn resources(crd: &Value) -> Result<Vec<Resource>, Vec<Problem>> {
    let mut problems = Vec::new();
    let spec = &crd["spec"];
    let group = text(&spec["group"], "spec.group", &mut problems);
    let names = Names::read(&spec["names"], &mut problems);
    if crd["metadata"]["name"] != format!("{}.{group}", names.plural) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        problems.push(Problem::invalid("metadata.name", &crd["metadata"]["name"], detail));
    }
    let namespaced = match spec["scope"].as_str() {
        Some("Namespaced") => true,
        Some("Cluster") => false,
        None => {
            problems.push(Problem::required("spec.scope", ""));
            false
        }
        Some(_) => {
            let supported = ["Cluster".into(), "Namespaced".into()];
            problems.push(Problem::not_supported("spec.scope", &spec["scope"], &supported));
            false
        }
    };
    if spec["conversion"]["strategy"].as_str().is_some_and(|strategy| strategy != "None") {
        let detail = "the local API server does not convert between versions";
        problems.push(Problem::forbidden("spec.conversion.strategy", detail));
    }
    if spec["preserveUnknownFields"] == true {
        let detail = "must be false";
        problems.push(Problem::invalid(
            "spec.preserveUnknownFields",
            &spec["preserveUnknownFields"],
            detail,
        ));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        problems.push(Problem::invalid("spec.versions", &spec["versions"], detail));
    }
    let mut resources = Vec::new();
    for (i, version) in versions.iter().enumerate() {
        let served = of_version(version, &format!("spec.versions[{i}]"), &mut problems);
        if version["served"] == true {
            resources.push(Resource {
                group: group.clone(),
                version: served.name,
                kind: names.kind.clone(),
                list_kind: names.list_kind.clone(),
                plural: names.plural.clone(),
                singular: names.singular.clone(),
                short_names: names.short.clone(),
                categories: names.categories.clone(),
                namespaced,
                status: served.status,
                review: false,
                columns: served.columns,
                schema: served.schema,
            });
        }
    }
    if problems.is_empty() { Ok(resources) } else { Err(problems) }
}

struct Names {
    plural: String,
    singular: String,
    kind: String,
    list_kind: String,
    short: Vec<String>,
    categories: Vec<String>,
}

impl Names {
    fn read(names: &Value, problems: &mut Vec<Problem>) -> Self {
        let kind = text(&names["kind"], "spec.names.kind", problems);
        let plural = text(&names["plural"], "spec.names.plural", problems);
        let singular =
            names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned);
        let list_kind =
            names["listKind"].as_str().map_or_else(|| format!("{kind}List"), str::to_owned);
        let (short, categories) = (texts(&names["shortNames"]), texts(&names["categories"]));
        Self { plural, singular, kind, list_kind, short, categories }
    }
}

struct Version {
    name: String,
    status: bool,
    columns: Vec<Column>,
    schema: Option<Schema>,
}

fn of_version(version: &Value, path: &str, problems: &mut Vec<Problem>) -> Version {
    let name = text(&version["name"], &format!("{path}.name"), problems);
    let at_schema = format!("{path}.schema.openAPIV3Schema");
    let schema = match version["schema"].get("openAPIV3Schema") {
        None => {
            problems.push(Problem::required(at_schema, "schemas are required"));
            None
        }
        Some(source) => match Schema::compile(source) {
            Ok(schema) => Some(schema),
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| problem.below(&at_schema)));
                None
            }
        },
    };
    for (name, present, what) in [
        ("subresources.scale", &version["subresources"]["scale"], "the scale subresource"),
        ("selectableFields", &version["selectableFields"], "field selectors"),
    ] {
        if !present.is_null() {
            let detail = format!("the local API server does not have {what} of custom resources");
            problems.push(Problem::forbidden(format!("{path}.{name}"), &detail));
        }
    }
    let status = version["subresources"]["status"].is_object();
    let columns = columns(&version["additionalPrinterColumns"], path, problems);
    Version { name, status, columns, schema }
}

/// The name comes first, always; without other columns the age does.
fn columns(asked: &Value, path: &str, problems: &mut Vec<Problem>) -> Vec<Column> {
    let mut columns = vec![Column::name()];
    let Some(asked) = asked.as_array().filter(|asked| !asked.is_empty()) else {
        columns.push(Column { kind: "date".to_owned(), ..Column::age() });
        return columns;
    };
    for (i, column) in asked.iter().enumerate() {
        let path = format!("{path}.additionalPrinterColumns[{i}]");
        let at_path = format!("{path}.jsonPath");
        let json_path = text(&column["jsonPath"], &at_path, problems);
        let Some(parsed) = JsonPath::parse(&json_path) else {
            let detail = "the local API server does not understand this path";
            problems.push(Problem::invalid(at_path, &column["jsonPath"], detail));
            continue;
        };
        let described = column["description"].as_str().map(str::to_owned);
        columns.push(Column {
            name: text(&column["name"], &format!("{path}.name"), problems),
            kind: text(&column["type"], &format!("{path}.type"), problems),
            format: column["format"].as_str().unwrap_or_default().to_owned(),
            description: described.unwrap_or_else(|| {
                format!("Custom resource definition column (in JSONPath format): {json_path}")
            }),
            priority: column["priority"].as_i64().unwrap_or_default(),
            cell: Cell::At(parsed),
        });
    }
    columns
}

/// A text that has to be there.
fn text(value: &Value, path: &str, problems: &mut Vec<Problem>) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Null | Value::String(_) => {
            problems.push(Problem::required(path, ""));
            String::new()
        }
        other => {
            problems.push(Problem::invalid(path, other, "must be a string"));
            String::new()
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
