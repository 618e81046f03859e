//! Patterns that names are matched with: exact, or with `glob:`, `regex:` or `regexp:` in front.

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};

#[derive(Clone, Debug)]
pub enum Pattern {
    Exact(String),
    Glob(GlobMatcher),
    /// Matches anywhere, unless it says otherwise.
    Regex(Regex),
}

/// Why a text is no pattern. It does not repeat the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no valid {kind}: {reason}")]
pub struct NoPattern {
    kind: &'static str,
    pub reason: String,
}

impl Pattern {
    /// Reads a pattern whose kind stands in front of it.
    pub fn parse(text: &str) -> Result<Self, NoPattern> {
        if let Some(glob) = text.strip_prefix("glob:") {
            return Self::glob(glob);
        }
        match text.strip_prefix("regex:").or_else(|| text.strip_prefix("regexp:")) {
            Some(regex) => Self::regex(regex),
            None => Ok(Self::Exact(text.into())),
        }
    }

    /// A glob as those of paths are: `*` and `?` stop at a slash, `**` does not, `{a,b}` is one of the two.
    pub fn glob(text: &str) -> Result<Self, NoPattern> {
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build();
        match glob {
            Ok(glob) => Ok(Self::Glob(glob.compile_matcher())),
            Err(e) => Err(NoPattern { kind: "glob", reason: e.kind().to_string() }),
        }
    }

    /// A regular expression without backtracking, so that no text takes long. Kargo's are Go's, which differ in nothing that
    /// counts where the text is ASCII.
    pub fn regex(text: &str) -> Result<Self, NoPattern> {
        let no = |reason: &str| NoPattern { kind: "regular expression", reason: reason.into() };
        if text.contains("(?x") {
            return Err(no("the flag x is not known"));
        }
        match RegexBuilder::new(text).size_limit(SIZE).build() {
            Ok(regex) => Ok(Self::Regex(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(no("it is too large")),
            Err(e) => Err(no(&fault(&e))),
        }
    }

    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob(glob) => glob.is_match(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// How much memory a compiled expression may take.
const SIZE: usize = 1 << 20;

/// What is wrong with an expression, in words: what comes before the last line draws the text and points at it.
pub(crate) fn fault(error: &regex::Error) -> String {
    let drawn = error.to_string();
    let last = drawn.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_its_prefix_says() {
        for (pattern, text, matches) in [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("prod*", "prod-eu", false),
            ("", "", true),
            ("glob:prod-*", "prod-eu", true),
            ("glob:prod-*", "prod", false),
            ("glob:*", "a/b", false),
            ("glob:**", "a/b", true),
            ("glob:pro?", "prod", true),
            ("glob:{test,uat}", "uat", true),
            ("glob:{test,}", "", true),
            ("glob:prod[-]us", "prod-us", true),
            ("glob:[!p]*", "prod", false),
            ("glob:\\*", "*", true),
            ("glob:", "", true),
            ("glob:", "prod", false),
            ("regex:^prod-", "prod-eu", true),
            ("regex:us", "prod-us-2", true),
            ("regexp:^(test|uat)$", "uat", true),
            ("regexp:^(test|uat)$", "uat2", false),
            ("regex:", "anything", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text),
                matches,
                "{pattern}, {text}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_said_in_one_line() {
        for (pattern, expected) in [
            ("glob:[", "no valid glob: unclosed character class; missing ']'"),
            (
                "glob:{a",
                "no valid glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
            ),
            ("glob:a\\", "no valid glob: dangling '\\'"),
            ("regex:(", "no valid regular expression: unclosed group"),
            ("regexp:[", "no valid regular expression: unclosed character class"),
            (
                "regex:(?=a)",
                "no valid regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
            ("regex:(a)\\1", "no valid regular expression: backreferences are not supported"),
            ("regex:(?x) a", "no valid regular expression: the flag x is not known"),
            ("regex:(\\w{500}){500}", "no valid regular expression: it is too large"),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap_err().to_string(), expected, "{pattern}");
        }
    }
}
