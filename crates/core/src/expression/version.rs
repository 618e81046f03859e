//! What `semverParse` gives, and how far versions are apart.

use crate::semver;

use super::value::{Fault, Value};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Version {
    version: semver::Version,
    /// As it was written.
    original: String,
    /// Go makes the next version a value and not a pointer, which has fewer methods.
    is_next: bool,
}

pub(super) const METHODS: &[&str] = &[
    "Major",
    "Minor",
    "Patch",
    "Prerelease",
    "Metadata",
    "Original",
    "String",
    "IncMajor",
    "IncMinor",
    "IncPatch",
    "Compare",
    "Equal",
    "LessThan",
    "LessThanEqual",
    "GreaterThan",
    "GreaterThanEqual",
];

pub(super) fn parse(text: &str) -> Result<Version, Fault> {
    let version = text.parse().map_err(|_| "takes a semantic version".to_owned())?;
    Ok(Version { version, original: text.to_owned(), is_next: false })
}

/// The first part in which two versions differ. Prereleases do not count.
pub(super) fn difference(a: &str, b: &str) -> &'static str {
    let (Ok(a), Ok(b)) = (a.parse::<semver::Version>(), b.parse::<semver::Version>()) else {
        return "Incomparable";
    };
    let ([major, minor, patch], [other_major, other_minor, other_patch]) =
        (a.numbers(), b.numbers());
    if major != other_major {
        "Major"
    } else if minor != other_minor {
        "Minor"
    } else if patch != other_patch {
        "Patch"
    } else if a.build() != b.build() {
        "Metadata"
    } else {
        "None"
    }
}

pub(super) fn call(version: &Version, method: &str, arguments: &[Value]) -> Result<Value, Fault> {
    let [major, minor, patch] = version.version.numbers();
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let is = |holds: fn(std::cmp::Ordering) -> bool| match arguments {
        [Value::Version(other)] if !other.is_next => {
            Ok(Value::Bool(holds(version.version.precedence(&other.version))))
        }
        _ => Err(format!("{method} takes a version")),
    };
    if arguments.len() != usize::from(is_comparison(method)) {
        return Err(format!("{method} takes another number of arguments"));
    }
    if version.is_next && (is_comparison(method) || method == "Original") {
        return Err(format!("the next version has no {method:?}; parse it again"));
    }
    match method {
        "Major" => Ok(number(major)),
        "Minor" => Ok(number(minor)),
        "Patch" => Ok(number(patch)),
        "Prerelease" => Ok(Value::text(version.version.prerelease())),
        "Metadata" => Ok(Value::text(version.version.build())),
        "Original" => Ok(Value::text(version.original.as_str())),
        "String" => Ok(Value::text(version.to_string())),
        "IncMajor" => version.next([major.saturating_add(1), 0, 0]),
        "IncMinor" => version.next([major, minor.saturating_add(1), 0]),
        // A prerelease leads to its release.
        "IncPatch" if version.version.prerelease().is_empty() => {
            version.next([major, minor, patch.saturating_add(1)])
        }
        "IncPatch" => version.next([major, minor, patch]),
        "Compare" => match arguments {
            [Value::Version(other)] if !other.is_next => {
                Ok(Value::Int(version.version.precedence(&other.version) as i64))
            }
            _ => Err("Compare takes a version".into()),
        },
        "Equal" => is(std::cmp::Ordering::is_eq),
        "LessThan" => is(std::cmp::Ordering::is_lt),
        "LessThanEqual" => is(std::cmp::Ordering::is_le),
        "GreaterThan" => is(std::cmp::Ordering::is_gt),
        "GreaterThanEqual" => is(std::cmp::Ordering::is_ge),
        _ => Err(format!("a version has no method {method:?}")),
    }
}

fn is_comparison(method: &str) -> bool {
    matches!(
        method,
        "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual"
    )
}

impl Version {
    /// The leading `v` stays.
    fn next(&self, [major, minor, patch]: [u64; 3]) -> Result<Value, Fault> {
        let v = if self.original.starts_with('v') { "v" } else { "" };
        let next = parse(&format!("{v}{major}.{minor}.{patch}"))?;
        Ok(Value::Version(Self { is_next: true, ..next }.into()))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.version.fmt(f)
    }
}
