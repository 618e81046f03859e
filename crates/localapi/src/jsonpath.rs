//! The part of Kubernetes' JSONPath that printer columns use: fields, items, `[*]`, and one equality as a filter.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// From the end when negative.
    Item(i64),
    Each,
    /// `[?(@.field=="value")]`
    Where(Vec<String>, String),
}

impl JsonPath {
    /// Nothing for what is not understood.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = if let Some(after) = rest.strip_prefix('.') {
                let (name, after) = name(after)?;
                (Step::Field(name), after)
            } else {
                let (inside, after) = bracket(rest.strip_prefix('[')?)?;
                (subscript(inside)?, after)
            };
            steps.push(step);
            rest = after;
        }
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// The first value that is found.
    pub(crate) fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        first(&self.0, value)
    }
}

fn first<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value);
    };
    match step {
        Step::Field(name) => first(rest, value.get(name)?),
        Step::Item(index) => {
            let items = value.as_array()?;
            let index = if *index < 0 { *index + items.len() as i64 } else { *index };
            first(rest, items.get(usize::try_from(index).ok()?)?)
        }
        Step::Each => match value {
            Value::Array(items) => items.iter().find_map(|item| first(rest, item)),
            Value::Object(fields) => fields.values().find_map(|field| first(rest, field)),
            _ => None,
        },
        Step::Where(path, wanted) => value.as_array()?.iter().find_map(|item| {
            let found = path.iter().try_fold(item, |v, name| v.get(name));
            found.and_then(Value::as_str).filter(|found| found == wanted)?;
            first(rest, item)
        }),
    }
}

/// A field's name up to the next step; a backslash keeps a dot in it.
fn name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let end = loop {
        match chars.next() {
            None => break text.len(),
            Some((at, '.' | '[')) => break at,
            Some((_, '\\')) => name.push(chars.next()?.1),
            Some((_, c)) if c.is_alphanumeric() || "-_/@".contains(c) => name.push(c),
            Some(_) => return None,
        }
    };
    (!name.is_empty()).then(|| (name, &text[end..]))
}

/// What stands before the closing bracket. Brackets inside quotes do not count.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some((&text[..at], &text[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn subscript(inside: &str) -> Option<Step> {
    if inside == "*" {
        return Some(Step::Each);
    }
    if let Some(name) = unquoted(inside) {
        return Some(Step::Field(name));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (path, wanted) = filter.split_once("==")?;
        let fields = path.trim().strip_prefix("@.")?.split('.').map(str::to_owned).collect();
        return Some(Step::Where(fields, unquoted(wanted.trim())?));
    }
    inside.parse().ok().map(Step::Item)
}

fn unquoted(text: &str) -> Option<String> {
    let inside =
        ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))?;
    Some(inside.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_paths_of_printer_columns_find_their_values() {
        let object = json!({
            "metadata": { "labels": { "kargo.akuity.io/shard": "a" } },
            "list": [{ "type": "Ready", "status": "True" }, { "type": "Healthy", "status": "No]" }],
        });
        for (path, found) in [
            (r".metadata.labels.kargo\.akuity\.io/shard", Some(json!("a"))),
            (".metadata.labels['kargo.akuity.io/shard']", Some(json!("a"))),
            (r#".list[?(@.type=="Healthy")].status"#, Some(json!("No]"))),
            (".list[?(@.status=='No]')].type", Some(json!("Healthy"))),
            (r#".list[?(@.type=="Absent")].status"#, None),
            (".list[0].type", Some(json!("Ready"))),
            (".list[-1].type", Some(json!("Healthy"))),
            (".list[7].type", None),
            (".list[*].type", Some(json!("Ready"))),
            (".metadata.absent.deep", None),
        ] {
            let parsed = JsonPath::parse(path).unwrap();
            assert_eq!(parsed.first(&object), found.as_ref(), "{path}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for path in ["", "metadata", ".", "..name", ".a[", ".a[?(@.b>1)]", ".a[1:2]", ".a{", ".a\\"]
        {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
