//! One bound of a constraint: `>=1.2`, `~1.2.3`, `1.x`.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use super::super::notation::Notation;
use super::super::version::{Malformed as MalformedVersion, Version};
use super::is_blank;

#[derive(Clone, Debug)]
pub(super) struct Bound {
    operator: Operator,
    /// Numbers that are not given are 0.
    version: Version,
    /// How many of its numbers are given, 0 to 3; an `x` gives none, nor does what follows it.
    given: usize,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The first that fits decides, so the longer ones come first.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

impl Bound {
    /// The bound that `text` begins with, and what follows it.
    pub(super) fn at_start(text: &str) -> Result<Option<(Self, &str)>, MalformedVersion> {
        let operator = |(sign, operator)| Some((operator, text.strip_prefix(sign)?));
        let (operator, rest) =
            OPERATORS.into_iter().find_map(operator).unwrap_or((Operator::Equal, text));
        let rest = rest.trim_start_matches(is_blank);
        let Some((notation, rest)) = Notation::at_start(rest, is_digit) else { return Ok(None) };
        let given = notation.numbers.iter().take_while(|n| n.is_some_and(|n| !is_x(n))).count();
        let version = match notation.numbers {
            [Some(major), Some(minor), _] if given == 2 => {
                partial(major, minor, notation.prerelease)?
            }
            [Some(major), ..] if given == 1 => partial(major, "0", notation.prerelease)?,
            _ if given == 0 => partial("0", "0", notation.prerelease)?,
            _ => notation.text.parse()?,
        };
        Ok(Some((Self { operator, version, given }, rest)))
    }

    pub(super) fn names_a_prerelease(&self) -> bool {
        !self.version.prerelease().is_empty()
    }

    /// Prereleases are the alternative's affair.
    pub(super) fn accepts(&self, version: &Version) -> bool {
        let precedence = version.precedence(&self.version);
        match self.operator {
            Operator::Equal if self.given == 3 => precedence == Equal,
            Operator::Equal | Operator::Tilde => {
                precedence != Less && self.agree(version, self.kept_by_tilde()) == Equal
            }
            Operator::Caret => {
                precedence != Less && self.agree(version, self.kept_by_caret()) == Equal
            }
            Operator::NotEqual => match self.given {
                1 => self.agree(version, 1) != Equal,
                2 => {
                    self.agree(version, 2) != Equal
                        || version.prerelease() != self.version.prerelease()
                }
                _ => precedence != Equal,
            },
            Operator::Greater => match self.given {
                given @ (1 | 2) => self.agree(version, given) == Greater,
                _ => precedence == Greater,
            },
            Operator::GreaterOrEqual => precedence != Less,
            Operator::Less => precedence == Less,
            Operator::LessOrEqual => match self.given {
                // Of `<=*` Masterminds makes `<=0.0`.
                0 => self.agree(version, 2) != Greater,
                given @ (1 | 2) => self.agree(version, given) != Greater,
                _ => precedence != Greater,
            },
        }
    }

    /// How the first `count` numbers of `version` compare with the bound's.
    fn agree(&self, version: &Version, count: usize) -> Ordering {
        version.numbers()[..count].cmp(&self.version.numbers()[..count])
    }

    /// How many numbers `~` does not let change.
    fn kept_by_tilde(&self) -> usize {
        match (self.given, self.version.numbers()) {
            // `~0.0.0` is Masterminds' way to say "any".
            (0 | 3, [0, 0, 0]) => 0,
            (1, _) => 1,
            _ => 2,
        }
    }

    /// How many numbers `^` does not let change: up to the first that is not 0.
    fn kept_by_caret(&self) -> usize {
        match (self.given, self.version.numbers()) {
            // With `^*` too: only 0.0.0 is left.
            (0 | 3, [0, 0, _]) => 3,
            (0 | 2 | 3, [0, ..]) => 2,
            _ => 1,
        }
    }
}

/// The version of a bound that does not give all three numbers. Build metadata is dropped.
fn partial(major: &str, minor: &str, prerelease: &str) -> Result<Version, MalformedVersion> {
    let hyphen = if prerelease.is_empty() { "" } else { "-" };
    format!("{major}.{minor}.0{hyphen}{prerelease}").parse()
}

/// What a number of a constraint is made of. Masterminds takes the `|` in, and refuses it where the number is read.
pub(super) fn is_digit(b: u8) -> bool {
    b.is_ascii_digit() || matches!(b, b'x' | b'X' | b'*' | b'|')
}

fn is_x(number: &str) -> bool {
    matches!(number, "x" | "X" | "*")
}
