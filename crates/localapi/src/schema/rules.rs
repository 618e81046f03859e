//! Validation rules (CEL), the few that are known here: each by its text, as Rust.

use serde_json::Value;

use super::{
    before::Before,
    node::Node,
    path::Path,
    problem::{Problem, ProblemKind, WHOLE},
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    text: &'static str,
    holds: Holds,
}

#[derive(Clone, Copy, Debug)]
enum Holds {
    /// Says something about a value.
    If(fn(&Value) -> bool),
    /// A value that is there stays as it is.
    Unchanged,
}

/// The rules of the CustomResourceDefinitions in `manifests/crds`.
const KNOWN: &[Known] = &[
    Known {
        text: "has(self.freight) != has(self.origin)",
        holds: Holds::If(|v| has(v, &["freight"]) != has(v, &["origin"])),
    },
    Known {
        text: "has(self.uses) != has(self.task)",
        holds: Holds::If(|v| has(v, &["uses"]) != has(v, &["task"])),
    },
    Known { text: "has(self.uses)", holds: Holds::If(|v| has(v, &["uses"])) },
    Known { text: "!has(self.task)", holds: Holds::If(|v| !has(v, &["task"])) },
    Known {
        text: "!has(self.task) || !has(self.continueOnError)",
        holds: Holds::If(|v| !has(v, &["task"]) || !has(v, &["continueOnError"])),
    },
    Known {
        text: "!has(self.task) || !has(self.retry)",
        holds: Holds::If(|v| !has(v, &["task"]) || !has(v, &["retry"])),
    },
    Known {
        text: "has(self.stage) != has(self.stageSelector)",
        holds: Holds::If(|v| has(v, &["stage"]) != has(v, &["stageSelector"])),
    },
    Known { text: "self == oldSelf", holds: Holds::Unchanged },
];

fn has(value: &Value, path: &[&str]) -> bool {
    path.iter().try_fold(value, |value, name| value.get(name)).is_some()
}

/// A rule at a place in a schema.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    known: Known,
    message: String,
}

impl Rule {
    /// Nothing for a rule that is not known.
    pub(super) fn find(text: &str, message: Option<&str>) -> Option<Self> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let known = *KNOWN.iter().find(|known| words(known.text) == words(text))?;
        let message = message.map_or_else(|| format!("failed rule: {text}"), str::to_owned);
        Some(Self { known, message })
    }
}

/// Runs every rule that has a value to run on. What has not changed since `before` may stay wrong.
pub(super) fn validate(root: &Node, object: &Value, before: Option<Before<'_>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    below(root, &Path::Whole, object, Old { here: before, above_is_same: false }, &mut problems);
    problems
}

/// Stands for the rules when the object is too wrong for them.
pub(super) fn not_checked() -> Problem {
    let detail = "some validation rules were not checked because the object was invalid; \
                  correct the existing errors to complete validation";
    Problem::invalid(WHOLE, &Value::Null, detail)
}

#[derive(Clone, Copy)]
struct Old<'a> {
    here: Option<Before<'a>>,
    /// Whether the nearest place above that could be found in the stored object is unchanged.
    above_is_same: bool,
}

impl<'a> Old<'a> {
    fn is(self, new: &Value) -> bool {
        self.here.map_or(self.above_is_same, |before| before.is(new))
    }

    fn at(self, part: impl FnOnce(Before<'a>) -> Option<Before<'a>>, new: &Value) -> Self {
        match self.here {
            Some(before) => Self { here: part(before), above_is_same: before.is(new) },
            None => self,
        }
    }
}

fn below(node: &Node, path: &Path<'_>, value: &Value, old: Old<'_>, problems: &mut Vec<Problem>) {
    if value.is_null() {
        return;
    }
    let fails = |rule: &&Rule| match rule.known.holds {
        Holds::If(holds) => !holds(value),
        Holds::Unchanged => old.here.is_some(),
    };
    for rule in node.rules.iter().filter(fails) {
        if !old.is(value) {
            let message = match value {
                Value::Object(_) | Value::Array(_) => format!("Invalid value: {}", rule.message),
                scalar => {
                    problems.push(Problem::invalid(path.to_string(), scalar, &rule.message));
                    continue;
                }
            };
            problems.push(Problem::new(path.to_string(), ProblemKind::Invalid, message));
        }
    }
    match value {
        Value::Object(fields) => {
            for (name, v) in fields {
                if let Some((node, path)) = path.field(node, name) {
                    below(node, &path, v, old.at(|before| before.field(name), value), problems);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = node.items.as_deref() {
                for (i, item) in items.iter().enumerate() {
                    let old = old.at(|before| before.item(item), value);
                    below(each, &path.item(i), item, old, problems);
                }
            }
        }
        _ => {}
    }
}
