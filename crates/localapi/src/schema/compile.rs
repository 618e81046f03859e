//! From `openAPIV3Schema` to [`Node`]s. Whatever is not understood is refused by its path.

use serde_json::{Map, Value, json};

use super::{
    checks,
    format::{Format, Found},
    node::{Additional, List, Node, Type},
    pattern,
    problem::Problem,
    rules::Rule,
    shape,
};

pub(super) fn root(source: &Value) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    let node = node(source, "", Level::Root, &mut problems);
    if node.types != [Type::Object] && problems.is_empty() {
        problems.push(Problem::required("type", "must be object at the root"));
    }
    if let Some(metadata) = node.properties.get("metadata") {
        let only_names = |name: &String| ["name", "generateName"].contains(&name.as_str());
        if !metadata.properties.keys().all(only_names) {
            problems.push(Problem::forbidden(
                "properties[metadata]",
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            ));
        }
    }
    if node.additional.is_some() {
        problems.push(Problem::forbidden("additionalProperties", "must not be used at the root"));
    }
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

/// Where in a schema a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
    /// Inside allOf, anyOf, oneOf or not: it says something of values, nothing of their shape.
    Nested,
}

/// The keywords that give a value its shape: they have no place in a nested schema.
const SHAPE: [&str; 14] = [
    "type",
    "title",
    "description",
    "default",
    "nullable",
    "additionalProperties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "externalDocs",
];

fn node(source: &Value, path: &str, level: Level, problems: &mut Vec<Problem>) -> Node {
    let Some(fields) = source.as_object() else {
        problems.push(Problem::invalid(path, source, "must be a schema"));
        return Node::default();
    };
    let mut node = Node::default();
    let int_or_string = fields.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    for (keyword, value) in fields {
        if int_or_string && repeats_int_or_string(keyword, value) {
            continue;
        }
        if level == Level::Nested && SHAPE.contains(&keyword.as_str()) {
            let detail = "must be undefined to be structural";
            problems.push(Problem::forbidden(at(path, keyword), detail));
            continue;
        }
        let taken = take(&mut node, keyword, value, path, level, problems);
        if let Err(problem) = taken {
            problems.push(problem);
        }
    }
    lists(&mut node, fields, path, problems);
    format(&mut node, fields, path, problems);
    if int_or_string {
        node.types = vec![Type::Integer, Type::String];
    }
    if level != Level::Nested {
        structural(&node, path, level, problems);
    }
    node
}

/// Understands one keyword.
fn take(
    node: &mut Node,
    keyword: &str,
    value: &Value,
    path: &str,
    level: Level,
    problems: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let here = at(path, keyword);
    let limits = &mut node.limits;
    match keyword {
        "description" | "title" | "example" | "externalDocs" => {}
        // Read together with others, once all keywords are known.
        "format" | "x-kubernetes-list-type" | "x-kubernetes-list-map-keys" => {}
        // It matters to server-side apply only.
        "x-kubernetes-map-type" => {}
        "type" => {
            let word = value.as_str().and_then(Type::parse);
            let word = word.ok_or_else(|| Problem::invalid(here, value, "must be a type"))?;
            node.types = vec![word];
        }
        "nullable" => node.nullable = flag(value, here)?,
        "default" => node.default = Some(value.clone()),
        "properties" => {
            for (name, property) in map(value, &here)? {
                let below = format!("{here}[{name}]");
                let property = self::node(property, &below, below_of(level), problems);
                node.properties.insert(name.clone(), property);
            }
        }
        "additionalProperties" => match value {
            Value::Bool(true) => node.additional = Some(Additional::Anything),
            Value::Bool(false) => {
                let detail = "additionalProperties cannot be set to false";
                return Err(Problem::forbidden(here, detail));
            }
            schema => {
                let each = self::node(schema, &here, Level::Field, problems);
                node.additional = Some(Additional::Each(Box::new(each)));
            }
        },
        "items" => {
            let level = if level == Level::Nested { level } else { Level::Item };
            node.items = Some(Box::new(self::node(value, &here, level, problems)));
        }
        "required" => {
            for name in list(value, &here)? {
                let name = name.as_str().ok_or_else(|| {
                    Problem::invalid(here.clone(), name, "must be the name of a field")
                })?;
                limits.required.push(name.to_owned());
            }
        }
        "enum" => limits.choices.clone_from(list(value, &here)?),
        "pattern" => {
            let text = value
                .as_str()
                .ok_or_else(|| Problem::invalid(here.clone(), value, "must be a string"))?;
            let regex = pattern::compile(text).map_err(|error| {
                let detail = format!("must be a valid regular expression, but isn't: {error}");
                Problem::invalid(here, value, &detail)
            })?;
            limits.pattern = Some((text.to_owned(), regex));
        }
        "minLength" => limits.min_length = Some(count(value, here)?),
        "maxLength" => limits.max_length = Some(count(value, here)?),
        "minItems" => limits.min_items = Some(count(value, here)?),
        "maxItems" => limits.max_items = Some(count(value, here)?),
        "minProperties" => limits.min_properties = Some(count(value, here)?),
        "maxProperties" => limits.max_properties = Some(count(value, here)?),
        "minimum" => limits.minimum = Some(number(value, here)?),
        "maximum" => limits.maximum = Some(number(value, here)?),
        "exclusiveMinimum" => limits.exclusive_minimum = flag(value, here)?,
        "exclusiveMaximum" => limits.exclusive_maximum = flag(value, here)?,
        "multipleOf" => {
            let factor = number(value, here.clone())?;
            if factor <= 0.0 {
                return Err(Problem::invalid(here, value, "must be greater than 0"));
            }
            limits.multiple_of = Some(factor);
        }
        "uniqueItems" => {
            if flag(value, here.clone())? {
                let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
                return Err(Problem::forbidden(here, detail));
            }
        }
        "allOf" => node.all_of = nested(value, &here, problems)?,
        "anyOf" => node.any_of = nested(value, &here, problems)?,
        "oneOf" => node.one_of = nested(value, &here, problems)?,
        "not" => node.not = Some(Box::new(self::node(value, &here, Level::Nested, problems))),
        "x-kubernetes-preserve-unknown-fields" => {
            if !flag(value, here.clone())? {
                return Err(Problem::invalid(here, value, "must be true or undefined"));
            }
            node.preserve = true;
        }
        "x-kubernetes-embedded-resource" => node.embedded = flag(value, here)?,
        "x-kubernetes-int-or-string" => _ = flag(value, here)?,
        "x-kubernetes-validations" => node.rules = rules(value, &here, problems)?,
        _ => return Err(Problem::forbidden(here, "this keyword is not understood here")),
    }
    Ok(())
}

/// Generators say it twice, and only then may a nested schema have types.
fn repeats_int_or_string(keyword: &str, value: &Value) -> bool {
    let any_of = json!([{ "type": "integer" }, { "type": "string" }]);
    match keyword {
        "anyOf" => *value == any_of,
        "allOf" => *value == json!([{ "anyOf": any_of }]),
        _ => false,
    }
}

fn nested(value: &Value, path: &str, problems: &mut Vec<Problem>) -> Result<Vec<Node>, Problem> {
    let nodes = list(value, path)?.iter().enumerate();
    Ok(nodes.map(|(i, one)| node(one, &format!("{path}[{i}]"), Level::Nested, problems)).collect())
}

fn rules(value: &Value, path: &str, problems: &mut Vec<Problem>) -> Result<Vec<Rule>, Problem> {
    let mut rules = Vec::new();
    for (i, rule) in list(value, path)?.iter().enumerate() {
        let path = format!("{path}[{i}]");
        for keyword in map(rule, &path)?.keys() {
            if !["rule", "message"].contains(&keyword.as_str()) {
                let detail = "the local API server does not understand this part of a rule";
                problems.push(Problem::forbidden(at(&path, keyword), detail));
            }
        }
        let text = rule["rule"].as_str().unwrap_or_default();
        match Rule::find(text, rule["message"].as_str()) {
            Some(rule) => rules.push(rule),
            None => {
                let detail =
                    "the local API server does not evaluate CEL, and does not know this rule";
                problems.push(Problem::invalid(at(&path, "rule"), &rule["rule"], detail));
            }
        }
    }
    Ok(rules)
}

/// The keywords of a list that are understood together.
fn lists(node: &mut Node, fields: &Map<String, Value>, path: &str, problems: &mut Vec<Problem>) {
    let here = at(path, "x-kubernetes-list-type");
    let keys: Vec<String> = fields
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(|k| k.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let Some(kind) = fields.get("x-kubernetes-list-type") else {
        if !keys.is_empty() {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
            problems.push(Problem::required(here, detail));
        }
        return;
    };
    match kind.as_str() {
        Some("atomic") => {}
        Some("set") => node.list = List::Set,
        Some("map") => {
            let item = node.items.as_deref();
            if keys.is_empty() {
                let detail = "must not be empty if x-kubernetes-list-type is map";
                problems.push(Problem::required(at(path, "x-kubernetes-list-map-keys"), detail));
            } else if !keys.iter().all(|k| item.is_some_and(|i| i.properties.contains_key(k))) {
                let detail = "entries must all be names of item properties";
                let given = &fields["x-kubernetes-list-map-keys"];
                problems.push(Problem::invalid(
                    at(path, "x-kubernetes-list-map-keys"),
                    given,
                    detail,
                ));
            }
            node.list = List::Map(keys);
        }
        _ => {
            let supported = [json!("atomic"), json!("set"), json!("map")];
            problems.push(Problem::not_supported(here, kind, &supported));
        }
    }
}

fn format(node: &mut Node, fields: &Map<String, Value>, path: &str, problems: &mut Vec<Problem>) {
    let Some(value) = fields.get("format") else {
        return;
    };
    let Some(name) = value.as_str() else {
        problems.push(Problem::invalid(at(path, "format"), value, "must be a string"));
        return;
    };
    match Format::find(name, &node.types) {
        Found::Enforced(format) => node.limits.format = Some(format),
        Found::PassedOver => {}
        Found::Missing => {
            let detail = "the local API server does not know this format";
            problems.push(Problem::invalid(at(path, "format"), value, detail));
        }
    }
}

/// What every node needs that gives a value its shape.
fn structural(node: &Node, path: &str, level: Level, problems: &mut Vec<Problem>) {
    if node.types.is_empty() && !node.preserve {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field | Level::Nested => "must not be empty for specified object fields",
        };
        problems.push(Problem::required(at(path, "type"), detail));
    }
    if node.types == [Type::Array] && node.items.is_none() {
        problems.push(Problem::required(at(path, "items"), "must be specified"));
    }
    if node.additional.is_some() && !node.properties.is_empty() {
        let detail = "additionalProperties and properties are mutual exclusive";
        problems.push(Problem::forbidden(at(path, "additionalProperties"), detail));
    }
    if node.embedded && node.types != [Type::Object] {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        problems.push(Problem::required(at(path, "type"), detail));
    }
    if node.embedded && !node.preserve && node.properties.is_empty() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        problems.push(Problem::required(at(path, "properties"), detail));
    }
    if let Some(default) = &node.default {
        let place = at(path, "default");
        let mut pruned = default.clone();
        if !shape::prune_part(node, &mut pruned).is_empty() {
            problems.push(Problem::invalid(&place, default, "must not have unknown fields"));
        }
        problems.extend(checks::validate(node, "", default, None).placed(&place));
    }
    for nested in
        node.all_of.iter().chain(&node.any_of).chain(&node.one_of).chain(node.not.as_deref())
    {
        complete(nested, node, path, problems);
    }
}

/// What a nested schema speaks of has to be in the shape, too.
fn complete(nested: &Node, shape: &Node, path: &str, problems: &mut Vec<Problem>) {
    for (name, property) in &nested.properties {
        match shape.properties.get(name) {
            Some(below) => {
                complete(property, below, &format!("{}[{name}]", at(path, "properties")), problems);
            }
            None => {
                let place = format!("{}[{name}]", at(path, "properties"));
                let detail = "because it is defined in a nested schema";
                problems.push(Problem::required(place, detail));
            }
        }
    }
    match (nested.items.as_deref(), shape.items.as_deref()) {
        (Some(nested), Some(shape)) => complete(nested, shape, &at(path, "items"), problems),
        (Some(_), None) => {
            let detail = "because it is defined in a nested schema";
            problems.push(Problem::required(at(path, "items"), detail));
        }
        (None, _) => {}
    }
    for deeper in nested
        .all_of
        .iter()
        .chain(&nested.any_of)
        .chain(&nested.one_of)
        .chain(nested.not.as_deref())
    {
        complete(deeper, shape, path, problems);
    }
}

fn below_of(level: Level) -> Level {
    if level == Level::Nested { Level::Nested } else { Level::Field }
}

fn at(path: &str, keyword: &str) -> String {
    if path.is_empty() { keyword.to_owned() } else { format!("{path}.{keyword}") }
}

fn flag(value: &Value, path: String) -> Result<bool, Problem> {
    value.as_bool().ok_or_else(|| Problem::invalid(path, value, "must be true or false"))
}

fn count(value: &Value, path: String) -> Result<u64, Problem> {
    value.as_u64().ok_or_else(|| Problem::invalid(path, value, "must be a whole number"))
}

fn number(value: &Value, path: String) -> Result<f64, Problem> {
    value.as_f64().ok_or_else(|| Problem::invalid(path, value, "must be a number"))
}

fn list<'v>(value: &'v Value, path: &str) -> Result<&'v Vec<Value>, Problem> {
    value.as_array().ok_or_else(|| Problem::invalid(path, value, "must be a list"))
}

fn map<'v>(value: &'v Value, path: &str) -> Result<&'v Map<String, Value>, Problem> {
    value.as_object().ok_or_else(|| Problem::invalid(path, value, "must be an object"))
}
