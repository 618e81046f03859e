//! The functions that Kargo adds in every template.

use super::functions::Functions;
use super::print;
use super::types::{Signature, Type};
use super::value::{Fault, Value};
use super::version;
use super::yaml;

const ANY: &[Signature] = &[Signature { takes: &[Type::Unknown], gives: Type::Text }];

impl Functions<'_> {
    /// `quote`, `unsafeQuote`, `asYAML`, `asJSON`, `semverDiff` and `semverParse`.
    #[must_use]
    pub fn with_utilities(mut self) -> Self {
        self.add("quote", ANY, |arguments, budget| match one(arguments)? {
            Value::Text(text) => {
                budget.write(text.len().saturating_mul(2))?;
                Ok(Value::text(print::literal(text)))
            }
            other => Ok(Value::text(format!("\"{}\"", print::json(other, budget)?))),
        });
        self.add("unsafeQuote", ANY, |arguments, budget| {
            Ok(Value::text(format!("\"{}\"", print::json(one(arguments)?, budget)?)))
        });
        self.add("asYAML", ANY, |arguments, budget| {
            let text = yaml::yaml(one(arguments)?, budget)?;
            Ok(Value::text(format!("\"{text}\"")))
        });
        self.add("asJSON", ANY, |arguments, budget| {
            let text = print::indented_json(one(arguments)?, budget)?;
            Ok(Value::text(format!("\"{text}\n\"")))
        });
        const DIFFERENCE: &[Signature] =
            &[Signature { takes: &[Type::Text, Type::Text], gives: Type::Text }];
        self.add("semverDiff", DIFFERENCE, |arguments, _| {
            let [a, b] = arguments else { return Err("takes 2 arguments".into()) };
            Ok(Value::text(version::difference(a.as_text()?, b.as_text()?)))
        });
        const PARSE: &[Signature] = &[Signature { takes: &[Type::Text], gives: Type::Version }];
        self.add("semverParse", PARSE, |arguments, _| {
            version::parse(one(arguments)?.as_text()?).map(|version| Value::Version(version.into()))
        });
        self
    }
}

fn one(arguments: &[Value]) -> Result<&Value, Fault> {
    match arguments {
        [one] => Ok(one),
        _ => Err("takes 1 argument".into()),
    }
}
