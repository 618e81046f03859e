//! Which objects a list or a watch wants: by labels and by fields.

use serde_json::Value;

use crate::failure::{Failure, Outcome};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    /// An object without the label passes.
    NotIn,
    Exists,
    Absent,
}

/// `path=value` and `path!=value`, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, bool, String)>);

impl Labels {
    /// The text of a `labelSelector` parameter.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        terms(text)
            .into_iter()
            .map(|term| label_term(term.trim()))
            .collect::<Outcome<_>>()
            .map(Self)
    }

    /// A `LabelSelector` inside an object.
    pub(crate) fn of(selector: &Value) -> Outcome<Self> {
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let values = vec![value.as_str().unwrap_or_default().into()];
            requirements.push(Requirement { key: key.clone(), operator: Operator::In, values });
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match expression["operator"].as_str() {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("Exists") => Operator::Exists,
                Some("DoesNotExist") => Operator::Absent,
                other => {
                    return Err(Failure::bad_request(format!(
                        "{:?} is not a valid label selector operator",
                        other.unwrap_or_default()
                    )));
                }
            };
            let values = expression["values"].as_array().into_iter().flatten();
            requirements.push(Requirement {
                key: expression["key"].as_str().unwrap_or_default().into(),
                operator,
                values: values.filter_map(|v| v.as_str().map(Into::into)).collect(),
            });
        }
        Ok(Self(requirements))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            let listed = || value.is_some_and(|v| requirement.values.iter().any(|w| w == v));
            match requirement.operator {
                Operator::In => listed(),
                Operator::NotIn => !listed(),
                Operator::Exists => value.is_some(),
                Operator::Absent => value.is_none(),
            }
        })
    }
}

impl Fields {
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let mut terms = Vec::new();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = term.split_once('=') {
                (path, true, value.trim_start_matches('='))
            } else {
                return Err(Failure::bad_request(format!(
                    "invalid field selector {term:?}: can't understand {term:?}"
                )));
            };
            terms.push((path.trim().into(), equal, value.trim().into()));
        }
        Ok(Self(terms))
    }

    /// The only name that can match.
    pub(crate) fn name(&self) -> Option<&str> {
        let by_name =
            |(path, equal, _): &&(String, bool, String)| *equal && path == "metadata.name";
        self.0.iter().find(by_name).map(|(.., value)| value.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only a few fields can be selected by; Kubernetes refuses the others, and so do we.
    pub(crate) fn check(&self, group: &str, plural: &str) -> Outcome<()> {
        for (path, ..) in &self.0 {
            let known = matches!(path.as_str(), "metadata.name" | "metadata.namespace")
                || selectable(group, plural).contains(&path.as_str());
            if !known {
                return Err(Failure::bad_request(format!("field label not supported: {path}")));
            }
        }
        Ok(())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, equal, value)| {
            let mut at = object;
            for step in path.split('.') {
                at = &at[step];
            }
            (at.as_str().unwrap_or_default() == value) == *equal
        })
    }
}

/// What can be selected by besides name and namespace.
fn selectable(group: &str, plural: &str) -> &'static [&'static str] {
    match (group, plural) {
        ("", "secrets") => &["type"],
        ("", "namespaces") => &["status.phase"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    }
}

/// Splits at the commas that are not inside parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms.retain(|term| !term.trim().is_empty());
    terms
}

fn label_term(term: &str) -> Outcome<Requirement> {
    let requirement = |key: &str, operator, values| {
        let key = key.trim();
        let name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || !key.chars().all(name) {
            return Err(Failure::bad_request(format!(
                "unable to parse requirement: invalid label key {key:?}"
            )));
        }
        Ok(Requirement { key: key.into(), operator, values })
    };
    if let Some((head, list)) = term.strip_suffix(')').and_then(|term| term.split_once('(')) {
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        let words: Vec<&str> = head.split_whitespace().collect();
        return match words.as_slice() {
            [key, "in"] => requirement(key, Operator::In, values),
            [key, "notin"] => requirement(key, Operator::NotIn, values),
            _ => Err(Failure::bad_request(format!("unable to parse requirement: {term:?}"))),
        };
    }
    if let Some((key, value)) = term.split_once("!=") {
        return requirement(key, Operator::NotIn, vec![value.trim().into()]);
    }
    if let Some((key, value)) = term.split_once('=') {
        let value = value.trim_start_matches('=').trim();
        return requirement(key, Operator::In, vec![value.into()]);
    }
    match term.strip_prefix('!') {
        Some(key) => requirement(key, Operator::Absent, Vec::new()),
        None => requirement(term, Operator::Exists, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_select() {
        let object = json!({"metadata": {"labels": {"tier": "web", "a.io/b": "1"}}});
        let rows = [
            ("", true),
            ("tier=web", true),
            ("tier==web,a.io/b=1", true),
            ("tier!=web", false),
            ("absent!=x", true),
            ("tier in (web, db)", true),
            ("tier notin (web,db)", false),
            ("tier in (db),a.io/b", false),
            ("a.io/b", true),
            ("!a.io/b", false),
            ("!absent", true),
        ];
        for (text, expected) in rows {
            assert_eq!(Labels::parse(text).unwrap().matches(&object), expected, "{text}");
        }
        for text in ["a b", "tier of (web)", "=x", "a in (b"] {
            assert!(Labels::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn selectors_in_objects_select() {
        let object = json!({"metadata": {"labels": {"tier": "web"}}});
        let rows = [
            (json!({}), true),
            (json!(null), true),
            (json!({"matchLabels": {"tier": "db"}}), false),
            (json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}), true),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}),
                false,
            ),
        ];
        for (selector, expected) in rows {
            assert_eq!(Labels::of(&selector).unwrap().matches(&object), expected, "{selector}");
        }
        assert!(
            Labels::of(&json!({"matchExpressions": [{"key": "a", "operator": "Near"}]})).is_err()
        );
    }

    #[test]
    fn fields_select_where_kubernetes_lets_them() {
        let object = json!({"metadata": {"name": "a"}, "type": "Opaque"});
        let fields = |text: &str| Fields::parse(text).unwrap();
        assert!(fields("metadata.name=a,type!=other").matches(&object));
        assert!(!fields("metadata.name==b").matches(&object));
        assert!(fields("type=Opaque").check("", "secrets").is_ok());
        assert!(fields("type=Opaque").check("", "configmaps").is_err());
        assert!(Fields::parse("metadata.name").is_err());
    }
}
