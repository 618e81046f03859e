//! What versions a subscription accepts: `^1.2 || >=2.0.0-0, <3`.

mod bound;
mod range;

use std::str::FromStr;

use super::version::{Malformed as MalformedVersion, Version};
use bound::Bound;

/// The longest constraint that is read, in bytes, and the most alternatives it may have. Masterminds' limits.
const LONGEST: usize = 512;
const MOST_ALTERNATIVES: usize = 32;

/// A constraint that was understood.
#[derive(Clone, Debug)]
pub struct Constraint(Vec<Alternative>);

/// One side of a `||`.
#[derive(Clone, Debug)]
struct Alternative {
    bounds: Vec<Bound>,
    /// One bound names a prerelease, and so all of them accept prereleases.
    with_prereleases: bool,
}

/// Why a text is not a constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a constraint has at most {LONGEST} bytes")]
    TooLong,
    #[error("a constraint has at most {MOST_ALTERNATIVES} alternatives")]
    TooMany,
    #[error("{0:?} is not a constraint, such as ^1.2 or >=1.2.0 <2")]
    Form(String),
    #[error(transparent)]
    Version(#[from] MalformedVersion),
}

impl FromStr for Constraint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let text = range::as_bounds(text);
        if text.split("||").count() > MOST_ALTERNATIVES {
            return Err(Malformed::TooMany);
        }
        text.split("||").map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Constraint {
    pub fn accepts(&self, version: &Version) -> bool {
        self.0.iter().any(|alternative| alternative.accepts(version))
    }
}

impl Alternative {
    fn accepts(&self, version: &Version) -> bool {
        (self.with_prereleases || version.prerelease().is_empty())
            && self.bounds.iter().all(|bound| bound.accepts(version))
    }
}

impl FromStr for Alternative {
    type Err = Malformed;

    /// Bounds that a blank, a comma or both separate.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::Form(text.to_owned());
        let mut bounds = Vec::new();
        let mut rest = text.trim_start_matches(is_blank);
        loop {
            let (bound, after) = Bound::at_start(rest)?.ok_or_else(malformed)?;
            bounds.push(bound);
            let next = after.trim_start_matches(is_blank);
            if next.is_empty() {
                break;
            }
            rest = match next.strip_prefix(',') {
                Some(next) => next.trim_start_matches(is_blank),
                None if next.len() < after.len() => next,
                None => return Err(malformed()),
            };
        }
        let with_prereleases = bounds.iter().any(Bound::names_a_prerelease);
        Ok(Self { bounds, with_prereleases })
    }
}

/// What Go's regular expressions call a blank.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}
