//! One version, read loosely: `v1`, `1.2` and `01.2.3` are versions too.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::notation::Notation;

/// The longest version that is read, in bytes. Masterminds' limit.
const LONGEST: usize = 256;

/// A version that was understood. It is printed in the canonical form, with three numbers and without a `v`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    prerelease: String,
    build: String,
    strict: bool,
}

/// Why a text is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a version has at most {LONGEST} bytes")]
    TooLong,
    #[error("{0:?} is not a version, such as 1.2.3, v1.2 or 1.2.3-rc.1")]
    Form(String),
    #[error("the number {0} has more than 64 bits")]
    Number(String),
    #[error("the number {0} of a prerelease begins with a zero")]
    LeadingZero(String),
}

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let (notation, rest) = Notation::at_start(text, |b| b.is_ascii_digit())
            .ok_or_else(|| Malformed::Form(text.to_owned()))?;
        if !rest.is_empty() {
            return Err(Malformed::Form(text.to_owned()));
        }
        let [major, minor, patch] = notation.numbers.map(number);
        let has_leading_zero =
            |part: &&str| part.len() > 1 && part.starts_with('0') && is_number(part);
        if let Some(part) = notation.prerelease.split('.').find(has_leading_zero) {
            return Err(Malformed::LeadingZero(part.to_owned()));
        }
        let mut version = Self {
            numbers: [major?, minor?, patch?],
            prerelease: notation.prerelease.to_owned(),
            build: notation.build.to_owned(),
            strict: false,
        };
        version.strict = text.strip_prefix('v').unwrap_or(text) == version.to_string();
        Ok(version)
    }
}

/// A number that is absent is 0.
fn number(text: Option<&str>) -> Result<u64, Malformed> {
    text.map_or(Ok(0), |text| text.parse().map_err(|_| Malformed::Number(text.to_owned())))
}

impl Version {
    /// Major, minor and patch.
    pub fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// What follows the `-`; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// What follows the `+`; empty if nothing does.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Whether it was written as the specification asks, but for one leading `v`: Kargo's `strictSemvers`.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Which of two versions comes first. Build metadata does not matter.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (false, false) => prerelease_precedence(&self.prerelease, &other.prerelease),
                // A release comes after its prereleases.
                (release, other_release) => release.cmp(&other_release),
            }
        })
    }
}

/// Part by part, and the longer one is the later.
fn prerelease_precedence(a: &str, b: &str) -> Ordering {
    a.split('.').map(Part::of).cmp(b.split('.').map(Part::of))
}

/// One part of a prerelease. Numbers come before text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Text(&'a str),
}

impl<'a> Part<'a> {
    /// A number above 64 bits is text, as in Masterminds.
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Text(text), Self::Number)
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}
