//! The fields of each kind of subscription, and what their values have to be.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use crate::claim::shown;
use crate::pattern::Pattern;
use crate::semver::Constraint;

pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    pub(super) default: Default,
}

pub(super) enum Rule {
    Flag,
    Text,
    Texts,
    /// Regular expressions for tags.
    Regexes,
    /// What versions are wanted; nothing means all.
    Versions,
    OneOf(&'static [&'static str]),
    /// How many artifacts to look for.
    Limit,
    Time,
    /// An expression, and what it is that matches it.
    Form(&'static LazyLock<Option<Regex>>, &'static str),
}

/// What is meant where nothing is said.
pub(super) enum Default {
    Nothing,
    True,
    Text(&'static str),
    Number(i64),
}

pub(super) const GIT: &[Field] = &[
    field(
        "repoURL",
        Rule::Form(
            &GIT_URL,
            "the URL of a Git repository: https://…, http://…, ssh://… or user@host:path",
        ),
        Default::Nothing,
    ),
    field(
        "commitSelectionStrategy",
        Rule::OneOf(&["NewestFromBranch", "SemVer", "Lexical", "NewestTag"]),
        Default::Text("NewestFromBranch"),
    ),
    field("branch", Rule::Form(&BRANCH, "the name of a branch"), Default::Nothing),
    field("semverConstraint", Rule::Versions, Default::Nothing),
    field("strictSemvers", Rule::Flag, Default::True),
    field("allowTagsRegexes", Rule::Regexes, Default::Nothing),
    field("ignoreTagsRegexes", Rule::Regexes, Default::Nothing),
    field("expressionFilter", Rule::Text, Default::Nothing),
    field("includePaths", Rule::Texts, Default::Nothing),
    field("excludePaths", Rule::Texts, Default::Nothing),
    field("insecureSkipTLSVerify", Rule::Flag, Default::Nothing),
    field("blobless", Rule::Flag, Default::Nothing),
    field("discoveryLimit", Rule::Limit, Default::Number(20)),
    field("since", Rule::Time, Default::Nothing),
];

pub(super) const IMAGE: &[Field] = &[
    field(
        "repoURL",
        Rule::Form(&IMAGE_URL, "the name of an image's repository, without scheme, tag or digest"),
        Default::Nothing,
    ),
    field(
        "imageSelectionStrategy",
        Rule::OneOf(&["SemVer", "Lexical", "NewestBuild", "Digest"]),
        Default::Text("SemVer"),
    ),
    field("constraint", Rule::Text, Default::Nothing),
    field("strictSemvers", Rule::Flag, Default::True),
    field("allowTagsRegexes", Rule::Regexes, Default::Nothing),
    field("ignoreTagsRegexes", Rule::Regexes, Default::Nothing),
    field(
        "platform",
        Rule::Form(&PLATFORM, "of the form os/arch or os/arch/variant"),
        Default::Nothing,
    ),
    field("insecureSkipTLSVerify", Rule::Flag, Default::Nothing),
    field("cacheByTag", Rule::Flag, Default::Nothing),
    field("discoveryLimit", Rule::Limit, Default::Number(20)),
];

pub(super) const CHART: &[Field] = &[
    field(
        "repoURL",
        Rule::Form(&CHART_URL, "the URL of a chart repository: https://…, http://… or oci://…"),
        Default::Nothing,
    ),
    field("name", Rule::Text, Default::Nothing),
    field("semverConstraint", Rule::Versions, Default::Nothing),
    field("insecureSkipTLSVerify", Rule::Flag, Default::Nothing),
    field("discoveryLimit", Rule::Limit, Default::Number(20)),
];

const fn field(name: &'static str, rule: Rule, default: Default) -> Field {
    Field { name, rule, default }
}

impl Rule {
    /// Whether a value is as it has to be, or what it has to be.
    pub(super) fn holds(&self, value: &Value) -> Result<(), String> {
        match self {
            _ if value.is_null() => Ok(()),
            Self::Flag if value.is_boolean() => Ok(()),
            Self::Flag => Err("must be true or false".into()),
            Self::Limit => match value.as_i64() {
                Some(1..=100) => Ok(()),
                _ => Err("must be a number from 1 to 100".into()),
            },
            Self::Texts | Self::Regexes => {
                let texts = value.as_array().ok_or("must be a list of texts")?;
                texts.iter().enumerate().try_for_each(|(index, text)| {
                    let text =
                        text.as_str().ok_or_else(|| format!("entry {index} must be a text"))?;
                    if matches!(self, Self::Texts) {
                        return Ok(());
                    }
                    Pattern::regex(text).map(drop).map_err(|e| format!("entry {index} is {e}"))
                })
            }
            Self::Text | Self::Versions | Self::OneOf(_) | Self::Time | Self::Form(..) => {
                self.holds_of(value.as_str().ok_or("must be a text")?)
            }
        }
    }

    fn holds_of(&self, text: &str) -> Result<(), String> {
        match self {
            Self::OneOf(values) if !values.contains(&text) => {
                Err(format!("must be one of {}, and is {:?}", values.join(", "), shown(text)))
            }
            Self::Versions if !text.is_empty() => {
                text.parse::<Constraint>().map(drop).map_err(|e| e.to_string())
            }
            Self::Time if text.parse::<Timestamp>().is_err() => Err(format!(
                "must be a time such as 2026-01-02T15:04:05Z, and is {:?}",
                shown(text)
            )),
            Self::Form(form, what) if form.as_ref().is_none_or(|form| !form.is_match(text)) => {
                Err(format!("must be {what}, and is {:?}", shown(text)))
            }
            _ => Ok(()),
        }
    }
}

impl Default {
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::True => Some(true.into()),
            Self::Text(text) => Some((*text).into()),
            Self::Number(number) => Some((*number).into()),
        }
    }
}

// Word characters are those of ASCII, as in Go.
static GIT_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:(?:ssh|https?)://(?:[0-9A-Za-z_-]+(?::.+)?@)?[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*(?::[0-9]{1,5})?/.*|[0-9A-Za-z_-]+@[0-9A-Za-z_+]+(?:\.[0-9A-Za-z_-]+)*:.*)$").ok()
});
static IMAGE_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:[0-9A-Za-z_]+(?:[.-][0-9A-Za-z_]+)*(?::[0-9]+)?/)?[0-9A-Za-z_]+(?:[.-][0-9A-Za-z_]+)*(?:/[0-9A-Za-z_]+(?:[.-][0-9A-Za-z_]+)*)*$").ok()
});
static CHART_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:https?|oci)://[0-9A-Za-z_.-]+(?::[0-9]+)?(?:/.*)?$").ok());
static BRANCH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[0-9A-Za-z](?:[0-9A-Za-z._/-]{0,253}[0-9A-Za-z_-])?$").ok());
static PLATFORM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[0-9A-Za-z_]+/[0-9A-Za-z_]+(?:/[0-9A-Za-z_]+)?$").ok());
