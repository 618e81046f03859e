//! What a Warehouse watches. The items of `spec.subscriptions` have no schema in their definition: it is here.

mod field;

use std::fmt;

use serde_json::{Map, Value};

use crate::expression::{self, Functions};
use crate::url::{normalise_chart, normalise_git, normalise_image};
use field::{CHART, Field, GIT, IMAGE};

/// An item of `spec.subscriptions`.
#[derive(Clone, Copy, Debug)]
pub struct Subscription<'a> {
    /// What its artifacts call it; perhaps nothing.
    pub name: &'a str,
    pub kind: Kind,
    /// What is below the key of its kind.
    settings: &'a Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Git,
    Image,
    Chart,
}

/// What is wrong with a subscription, or will not be as somebody thinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The field, from the item on: `image.constraint`. Empty for the item itself.
    pub field: String,
    pub text: String,
    /// It has to be changed.
    pub fault: bool,
}

impl<'a> Subscription<'a> {
    /// Reads an item. What is wrong within its kind is `findings`' to say.
    pub fn read(item: &'a Value) -> Result<Self, Finding> {
        let of = |kind: Kind| item.get(kind.key()).map(|settings| (kind, settings));
        let mut found = Kind::ALL.into_iter().filter_map(of);
        let (Some((kind, settings)), None) = (found.next(), found.next()) else {
            return Err(Finding::fault("", "must have exactly one of git, image and chart"));
        };
        let Some(settings) = settings.as_object() else {
            return Err(Finding::fault(kind.key(), "must be an object"));
        };
        let others = item.as_object().into_iter().flat_map(Map::keys);
        if let Some(other) = others.into_iter().find(|key| *key != "name" && *key != kind.key()) {
            return Err(Finding::fault(
                other,
                "no such type of subscription; there are git, image and chart",
            ));
        }
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
        Ok(Self { name, kind, settings })
    }

    /// The repository, as it is written.
    pub fn repo_url(&self) -> &'a str {
        self.text("repoURL")
    }

    /// The chart's name in its repository; empty for everything but charts in classic repositories.
    pub fn chart(&self) -> &'a str {
        if self.kind == Kind::Chart { self.text("name") } else { "" }
    }

    /// What is watched. Two subscriptions of the same kind to the same thing are one too many.
    pub fn subject(&self) -> String {
        match self.kind {
            Kind::Git => normalise_git(self.repo_url()),
            Kind::Image => normalise_image(self.repo_url()),
            Kind::Chart if is_oci(self.repo_url()) => normalise_chart(self.repo_url()),
            Kind::Chart => format!("{}:{}", normalise_chart(self.repo_url()), self.chart()),
        }
    }

    /// Everything that is wrong with it.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![];
        for (name, value) in self.settings {
            let field = format!("{}.{name}", self.kind);
            match self.kind.fields().iter().find(|f| f.name == name) {
                Some(known) => {
                    if let Err(text) = known.rule.holds(value) {
                        findings.push(Finding::fault(field, text));
                    }
                }
                None if DEPRECATED.contains(&name.as_str()) && self.selects_tags() => {
                    let text = format!("is no longer supported; use {name}Regexes");
                    findings.push(Finding::fault(field, text));
                }
                None => findings.push(Finding::warning(field, "is not known, and means nothing")),
            }
        }
        if self.repo_url().is_empty() && !self.settings.contains_key("repoURL") {
            findings.push(Finding::fault(format!("{}.repoURL", self.kind), "is required"));
        }
        findings.extend(self.together());
        findings.extend(self.filter());
        findings
    }

    /// A filter that no commit can pass. Kargo lets it in, so that what is there already can still be changed.
    fn filter(&self) -> Option<Finding> {
        let filter = self.text("expressionFilter");
        if self.kind != Kind::Git || filter.is_empty() {
            return None;
        }
        let fault = expression::compile(filter, &Functions::default()).err()?;
        let text = format!("{fault}; until it is mended, no commit is found");
        Some(Finding::warning("git.expressionFilter", text))
    }

    /// Fields that depend on each other.
    fn together(&self) -> Option<Finding> {
        match self.kind {
            Kind::Image => self.constraint(),
            Kind::Chart if is_oci(self.repo_url()) && !self.chart().is_empty() => {
                let text = "must be empty for an OCI repository, whose URL names the chart";
                Some(Finding::fault("chart.name", text))
            }
            Kind::Chart if !is_oci(self.repo_url()) && self.chart().is_empty() => {
                Some(Finding::fault("chart.name", "is required, except for an OCI repository"))
            }
            _ => None,
        }
    }

    /// What an image's constraint has to be depends on how images are selected.
    fn constraint(&self) -> Option<Finding> {
        let constraint = self.text("constraint");
        let fault = match self.text("imageSelectionStrategy") {
            "Digest" if constraint.is_empty() => {
                "is required with imageSelectionStrategy Digest: the tag whose digest is wanted"
                    .into()
            }
            "" | "SemVer" => field::Rule::Versions.holds(&constraint.into()).err()?,
            _ => return None,
        };
        Some(Finding::fault("image.constraint", fault))
    }

    fn selects_tags(&self) -> bool {
        match self.kind {
            Kind::Git => !matches!(self.text("commitSelectionStrategy"), "" | "NewestFromBranch"),
            Kind::Image => true,
            Kind::Chart => false,
        }
    }

    fn text(&self, field: &str) -> &'a str {
        self.settings.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Puts in what is meant where nothing is said.
pub fn set_defaults(item: &mut Value) {
    for kind in Kind::ALL {
        let Some(settings) = item.get_mut(kind.key()).and_then(Value::as_object_mut) else {
            continue;
        };
        for Field { name, default, .. } in kind.fields() {
            let said = settings.get(*name).is_some_and(|value| !is_nothing(value));
            if let (Some(default), false) = (default.value(), said) {
                settings.insert((*name).into(), default);
            }
        }
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Git, Self::Image, Self::Chart];

    fn key(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Image => "image",
            Self::Chart => "chart",
        }
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Self::Git => GIT,
            Self::Image => IMAGE,
            Self::Chart => CHART,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Finding {
    fn fault(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into(), fault: true }
    }

    fn warning(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into(), fault: false }
    }
}

/// Lists of tags instead of expressions, which Kargo gave up in v1.11.
const DEPRECATED: [&str; 2] = ["allowTags", "ignoreTags"];

fn is_oci(url: &str) -> bool {
    url.starts_with("oci://")
}

/// What Go takes for a field that was left out.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || *value == "" || *value == 0
}

#[cfg(test)]
mod tests;
