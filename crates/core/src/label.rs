//! Labels, as Kubernetes has them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::claim::{is_name, shown};

/// What is wrong with a selector: each fault with its field, which begins with a dot.
pub(crate) fn faults(selector: &LabelSelector) -> Vec<(String, String)> {
    let mut faults = vec![];
    for (key, value) in selector.match_labels.iter().flatten() {
        if !is_key(key) || !is_value(value) {
            let fault = format!("\"{}={}\" can't be a label", shown(key), shown(value));
            faults.push((".matchLabels".into(), fault));
        }
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let mut at = |field: &str, fault: String| {
            faults.push((format!(".matchExpressions[{index}].{field}"), fault));
        };
        let values = requirement.values.as_deref().unwrap_or_default();
        if !is_key(&requirement.key) {
            at("key", format!("{:?} can't be the key of a label", shown(&requirement.key)));
        }
        match requirement.operator.as_str() {
            operator @ ("In" | "NotIn") if values.is_empty() => {
                at("values", format!("{operator} takes at least one value"));
            }
            operator @ ("Exists" | "DoesNotExist") if !values.is_empty() => {
                at("values", format!("{operator} takes no values"));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => at("operator", "must be In, NotIn, Exists or DoesNotExist".into()),
        }
        if let Some(value) = values.iter().find(|value| !is_value(value)) {
            at("values", format!("{:?} can't be the value of a label", shown(value)));
        }
    }
    faults
}

/// Whether a text may be the value of a label.
pub(crate) fn is_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

/// Whether a text may be the key of a label: a name, perhaps with a domain and a slash in front.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_name(domain) && is_word(name),
        None => is_word(text),
    }
}

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.len() <= 63
        && bytes.iter().all(inner)
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_words() {
        let long = "a".repeat(64);
        for (text, value, key) in [
            ("prod", true, true),
            ("Wise-Otter_1.2", true, true),
            ("", true, false),
            ("-a", false, false),
            ("a-", false, false),
            ("a b", false, false),
            ("é", false, false),
            (&*long, false, false),
            (&long[1..], true, true),
            ("kargo.akuity.io/alias", false, true),
            ("Kargo/alias", false, false),
            ("kargo.akuity.io/", false, false),
            ("a/b/c", false, false),
        ] {
            assert_eq!((is_value(text), is_key(text)), (value, key), "{text}");
        }
    }
}
