//! The OpenAPI part of a schema: types, formats, limits, choices, and schemas put together.

use serde_json::{Map, Value};

use super::{
    before::Before,
    node::{Additional, Node, Type},
    problem::{Problem, ProblemKind, WHOLE},
    show,
};

/// Checks `value` and all below it. What has not changed since `before` may stay wrong.
pub(super) fn validate(
    node: &Node,
    path: &str,
    value: &Value,
    before: Option<Before<'_>>,
) -> Outcome {
    let mut outcome = check(node, path, value, before);
    if !outcome.holds() && before.is_some_and(|before| before.is(value)) {
        outcome.found.clear();
    }
    outcome
}

/// What was found, and how much of the schema met: of several schemas that fail, the closest one is reported.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    found: Vec<Problem>,
    matches: usize,
}

impl Outcome {
    pub(super) fn holds(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems, their paths put below `place`.
    pub(super) fn placed(self, place: &str) -> Vec<Problem> {
        let whole = if place.is_empty() { WHOLE } else { place };
        let below = |path: &str| match (place, path.trim_start_matches('.')) {
            (_, "" | WHOLE) => whole.to_owned(),
            ("", path) => path.to_owned(),
            (place, path) => format!("{place}.{path}"),
        };
        let found = self.found.into_iter();
        found.map(|problem| Problem { path: below(&problem.path), ..problem }).collect()
    }

    fn add(&mut self, problem: Problem) {
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// A finding that kube-apiserver reports without a path.
    fn add_whole(&mut self, detail: &str) {
        self.add(Problem::invalid(WHOLE, &Value::from(""), detail));
    }

    fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        for problem in other.found {
            self.add(problem);
        }
    }
}

fn check(node: &Node, path: &str, value: &Value, before: Option<Before<'_>>) -> Outcome {
    let mut outcome = Outcome::default();
    if value.is_null() {
        null(node, path, &mut outcome);
        choices(node, path, value, &mut outcome);
        return outcome;
    }
    of_type(node, path, value, &mut outcome);
    together(node, path, value, before, &mut outcome);
    match value {
        Value::String(text) => string(node, path, text, &mut outcome),
        Value::Number(_) => number(node, path, value, &mut outcome),
        Value::Array(items) => array(node, path, items, before, &mut outcome),
        Value::Object(fields) => object(node, path, fields, before, &mut outcome),
        Value::Null | Value::Bool(_) => {}
    }
    choices(node, path, value, &mut outcome);
    // Each kind of check that applied counts once, and the value as a whole.
    outcome.matches += 3 + usize::from(!value.is_boolean());
    outcome
}

fn null(node: &Node, path: &str, outcome: &mut Outcome) {
    if node.types.is_empty() || node.nullable {
        outcome.matches += 1;
    } else {
        outcome.add(not_of_type(path, &words(&node.types), "null"));
    }
}

fn of_type(node: &Node, path: &str, value: &Value, outcome: &mut Outcome) {
    let format = node.limits.format.as_ref().map_or("", |format| format.name.as_str());
    if node.types.is_empty() && format.is_empty() {
        return;
    }
    outcome.matches += 1;
    let (word, own_format) = shape(value);
    let has = |t: Type| node.types.contains(&t);
    let meets = Type::parse(word).is_some_and(has)
        || (is_whole_float(value) && has(Type::Integer))
        || (word == "integer" && has(Type::Number));
    let is_text = value.is_string() || value.is_array();
    if !is_text && !format.is_empty() && !meets && own_format != format {
        outcome.add(not_of_type(path, format, own_format));
    } else if is_text && !format.is_empty() && !has(Type::Number) && !has(Type::Integer) {
        // A format speaks for the type; kube-apiserver lets lists pass here, too.
        outcome.matches += 1;
    } else if !meets {
        outcome.add(not_of_type(path, &words(&node.types), word));
    } else {
        outcome.matches += 1;
    }
}

fn not_of_type(path: &str, wanted: &str, found: &str) -> Problem {
    let detail = format!("{path} in body must be of type {wanted}: {}", show::quoted(found));
    Problem::type_invalid(path, found, &detail)
}

fn words(types: &[Type]) -> String {
    types.iter().map(|t| t.word()).collect::<Vec<_>>().join(",")
}

/// The JSON type of a value, and the format that comes with it.
fn shape(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::String(_) => ("string", ""),
        Value::Number(n) if n.is_i64() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

fn is_whole_float(value: &Value) -> bool {
    const LARGEST_SAFE: f64 = 9_007_199_254_740_991.0;
    !value.is_i64() && value.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() <= LARGEST_SAFE)
}

/// anyOf, oneOf, allOf, not. In them nothing is forgiven for being old: only below, and in the whole.
fn together(
    node: &Node,
    path: &str,
    value: &Value,
    before: Option<Before<'_>>,
    outcome: &mut Outcome,
) {
    let each = |nodes: &[Node]| -> Vec<Outcome> {
        nodes.iter().map(|node| check(node, path, value, before)).collect()
    };
    let quoted = show::quoted(path);
    if !node.any_of.is_empty() {
        let mut all = each(&node.any_of);
        match all.iter().position(Outcome::holds) {
            Some(first) => outcome.merge(all.swap_remove(first)),
            None => {
                outcome.add_whole(&format!("{quoted} must validate at least one schema (anyOf)"));
                outcome.merge(closest(all));
            }
        }
    }
    if !node.one_of.is_empty() {
        let mut all = each(&node.one_of);
        let holding = all.iter().filter(|o| o.holds()).count();
        let only = format!("{quoted} must validate one and only one schema (oneOf). Found");
        match (holding, all.iter().position(Outcome::holds)) {
            (1, Some(one)) => outcome.merge(all.swap_remove(one)),
            (0, _) => {
                outcome.add_whole(&format!("{only} none valid"));
                outcome.merge(closest(all));
            }
            (n, _) => outcome.add_whole(&format!("{only} {n} valid alternatives")),
        }
    }
    if !node.all_of.is_empty() {
        let all = each(&node.all_of);
        let holding = all.iter().filter(|o| o.holds()).count();
        let total = all.len();
        all.into_iter().for_each(|o| outcome.merge(o));
        if holding != total {
            let none = if holding == 0 { ". None validated" } else { "" };
            outcome.add_whole(&format!("{quoted} must validate all the schemas (allOf){none}"));
        }
    }
    if let Some(not) = &node.not
        && check(not, path, value, before).holds()
    {
        outcome.add_whole(&format!("{quoted} must not validate the schema (not)"));
    }
    outcome.matches += 1;
}

/// The first of those that met most of their schema.
fn closest(outcomes: Vec<Outcome>) -> Outcome {
    let mut outcomes = outcomes.into_iter();
    let first = outcomes.next().unwrap_or_default();
    outcomes.fold(first, |best, next| if next.matches > best.matches { next } else { best })
}

fn string(node: &Node, path: &str, text: &str, outcome: &mut Outcome) {
    let limits = &node.limits;
    let length = text.chars().count() as u64;
    let value = Value::from(text);
    let invalid = |detail: String| Problem::invalid(path, &value, &detail);
    if let Some(max) = limits.max_length.filter(|max| length > *max) {
        outcome.add(Problem::too_long(path, max));
    } else if let Some(min) = limits.min_length.filter(|min| length < *min) {
        outcome.add(invalid(format!("{path} in body should be at least {min} chars long")));
    } else if let Some((pattern, regex)) = &limits.pattern
        && !regex.is_match(text)
    {
        outcome.add(invalid(format!("{path} in body should match '{pattern}'")));
    }
    if let Some(format) = &limits.format
        && format.is_of_text()
    {
        outcome.matches += 1;
        if !format.admits(text) {
            let name = &format.name;
            let detail = format!("{path} in body must be of type {name}: {}", show::quoted(text));
            outcome.add(Problem::type_invalid(path, text, &detail));
        }
    }
}

fn number(node: &Node, path: &str, value: &Value, outcome: &mut Outcome) {
    outcome.matches += 1;
    let limits = &node.limits;
    let Some(number) = value.as_f64() else {
        return;
    };
    if let Some(range) = out_of_range(node, value, number) {
        outcome.add_whole(&format!("Checked value must be of type {range} in {path}"));
    }
    // A whole number is compared with the whole part of a limit.
    let limit = |limit: f64| if value.is_i64() { limit.trunc() } else { limit };
    let mut fails = |detail: String| {
        outcome.add(Problem::invalid(path, value, &format!("{path} in body should be {detail}")));
    };
    if let Some(factor) = limits.multiple_of
        && (number / factor).fract() != 0.0
    {
        fails(format!("a multiple of {}", show::float(factor)));
    }
    if let Some(min) = limits.minimum.map(limit) {
        let shown = show::float(min);
        match limits.exclusive_minimum {
            true if number <= min => fails(format!("greater than {shown}")),
            false if number < min => fails(format!("greater than or equal to {shown}")),
            _ => {}
        }
    }
    if let Some(max) = limits.maximum.map(limit) {
        let shown = show::float(max);
        match limits.exclusive_maximum {
            true if number >= max => fails(format!("less than {shown}")),
            false if number > max => fails(format!("less than or equal to {shown}")),
            _ => {}
        }
    }
}

/// The type and format that a number does not fit into.
fn out_of_range(node: &Node, value: &Value, number: f64) -> Option<String> {
    let format = node.limits.format.as_ref().map(|format| format.name.as_str());
    let whole = value.is_i64() || is_whole_float(value);
    match (node.types.as_slice(), format) {
        ([Type::Integer], Some("int32")) => {
            let fits = whole && number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX);
            (!fits).then(|| "integer with format int32".to_owned())
        }
        ([Type::Integer], Some("int64")) => {
            (!whole).then(|| "integer with format int64".to_owned())
        }
        ([Type::Integer], _) => (!whole).then(|| "integer (default format)".to_owned()),
        ([Type::Number], Some("float")) => {
            (number.abs() > f64::from(f32::MAX)).then(|| "number with format float".to_owned())
        }
        _ => None,
    }
}

fn array(
    node: &Node,
    path: &str,
    items: &[Value],
    before: Option<Before<'_>>,
    outcome: &mut Outcome,
) {
    outcome.matches += 1;
    if let Some(each) = node.items.as_deref() {
        for (i, item) in items.iter().enumerate() {
            let before = before.and_then(|before| before.item(item));
            outcome.merge(validate(each, &format!("{path}[{i}]"), item, before));
        }
    }
    let count = items.len() as u64;
    if let Some(min) = node.limits.min_items.filter(|min| count < *min) {
        let detail = format!("{path} in body should have at least {min} items");
        outcome.add(Problem::invalid(path, &Value::from(count), &detail));
    }
    if let Some(max) = node.limits.max_items.filter(|max| count > *max) {
        outcome.add(Problem::too_many(path, count, max));
    }
}

fn object(
    node: &Node,
    path: &str,
    fields: &Map<String, Value>,
    before: Option<Before<'_>>,
    outcome: &mut Outcome,
) {
    let count = fields.len() as u64;
    if let Some(min) = node.limits.min_properties.filter(|min| count < *min) {
        let detail = format!("{path} in body should have at least {min} properties");
        outcome.add(Problem::invalid(path, &Value::from(count), &detail));
    }
    if let Some(max) = node.limits.max_properties.filter(|max| count > *max) {
        outcome.add(Problem::too_many(path, count, max));
    }
    for (name, value) in fields {
        let (below, each) = match (node.properties.get(name), &node.additional) {
            (Some(property), _) if path.is_empty() => (name.clone(), property),
            (Some(property), _) => (format!("{path}.{name}"), property),
            (None, Some(Additional::Each(each))) => (format!("{path}.{name}"), each.as_ref()),
            (None, Some(Additional::Anything) | None) => continue,
        };
        let before = before.and_then(|before| before.field(name));
        outcome.merge(validate(each, &below, value, before));
    }
    for name in &node.limits.required {
        if !fields.contains_key(name) {
            outcome.add(Problem::required(format!("{path}.{name}"), ""));
        }
    }
}

fn choices(node: &Node, path: &str, value: &Value, outcome: &mut Outcome) {
    let choices = &node.limits.choices;
    let is_one = || !value.is_null() && choices.iter().any(|choice| same(choice, value));
    if !choices.is_empty() && !is_one() {
        outcome.add(Problem::not_supported(path, value, choices));
    }
}

/// 1 and 1.0 are the same choice.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

impl Problem {
    /// Rules run only on objects whose fields are of the right type, complete and not oversized.
    pub(super) fn keeps_rules_from_running(&self) -> bool {
        matches!(
            self.kind,
            ProblemKind::NotSupported
                | ProblemKind::Required
                | ProblemKind::TooLong
                | ProblemKind::TooMany
                | ProblemKind::TypeInvalid
        )
    }
}
