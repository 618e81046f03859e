//! What an Application's source says it renders, and which Stage the Application says it belongs to.
//!
//! Both are text that anybody may write. They are understood here, once, into types in which nothing is left to
//! misunderstand.

use std::{fmt, str::FromStr};

use wharfinger_api::additions::{Assignment, ENV_FREIGHT, ENV_STAGE, PLUGIN};
use wharfinger_api::argocd::{Application, Source};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use crate::check::{Check, Code};

/// `<project>:<stage>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageName {
    pub project: String,
    pub stage: String,
}

/// `<generation>-<FreightCollection id>`: one assignment of one Stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub generation: u64,
    pub collection: String,
}

/// What the environment of one source claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    pub stage: Option<StageName>,
    pub claim: Option<Claim>,
}

/// Why a text is not a claim or not a Stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{0:?} is not of the form <project>:<stage>")]
    Stage(String),
    #[error("{0:?} is not of the form <generation>-<FreightCollection id>")]
    Claim(String),
    #[error("{0} is set more than once")]
    Twice(&'static str),
}

impl Claim {
    pub fn of(assignment: &Assignment) -> Self {
        Self { generation: assignment.generation, collection: assignment.collection.clone() }
    }
}

impl Claimed {
    /// The claim of a source, from the environment that its plugin is given.
    pub fn of(source: &Source) -> Result<Self, Malformed> {
        Self::from_env(source.env())
    }

    /// The claim in an environment: pairs of name and value.
    pub fn from_env<'e>(env: impl Iterator<Item = (&'e str, &'e str)>) -> Result<Self, Malformed> {
        let (mut stage, mut claim) = (None, None);
        for (name, value) in env {
            let (slot, name) = match name {
                ENV_STAGE => (&mut stage, ENV_STAGE),
                ENV_FREIGHT => (&mut claim, ENV_FREIGHT),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Malformed::Twice(name));
            }
        }
        Ok(Self {
            stage: stage.map(str::parse).transpose()?,
            claim: claim.map(str::parse).transpose()?,
        })
    }
}

/// The sources among `sources` that are rendered with Freight.
pub fn ours(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|s| s.plugin() == Some(PLUGIN))
}

/// Whether every one of `sources` that is ours carries exactly this claim, and at least one is ours.
pub fn carry(sources: &[Source], stage: &StageName, claim: &Claim) -> bool {
    let mut all = ours(sources).peekable();
    all.peek().is_some()
        && all.all(|source| {
            Claimed::of(source)
                .is_ok_and(|c| c.stage.as_ref() == Some(stage) && c.claim.as_ref() == Some(claim))
        })
}

/// The Stages that an Application's annotation names. Kargo allows several, separated by commas.
pub fn authorized_stages(app: &Application) -> Result<Vec<StageName>, Malformed> {
    authorized(app.annotation(AUTHORIZED_STAGE).unwrap_or_default())
}

/// The Stages that the text of an annotation names.
pub fn authorized(annotation: &str) -> Result<Vec<StageName>, Malformed> {
    annotation.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect()
}

/// The Stages that the text of an annotation names, whatever else is in it.
pub fn named(annotation: &str) -> impl Iterator<Item = StageName> {
    annotation.split(',').filter_map(|stage| stage.trim().parse().ok())
}

/// The one Stage whose Freight an Application is rendered with.
pub fn the_stage(annotation: Option<&str>) -> Result<StageName, Check> {
    let fix = || format!("Set the annotation {AUTHORIZED_STAGE} to one <project>:<stage>");
    let Some(annotation) = annotation else {
        let text = format!(
            "the Application uses the plugin {PLUGIN} but has no annotation {AUTHORIZED_STAGE}"
        );
        return Err(Check::failed(Code::AuthorizedStage, text).fix(fix()));
    };
    let stages = authorized(annotation).map_err(|e| {
        Check::failed(Code::AuthorizedStage, format!("annotation {AUTHORIZED_STAGE}: {e}"))
            .fix(fix())
    })?;
    match <[StageName; 1]>::try_from(stages) {
        Ok([stage]) => Ok(stage),
        Err(stages) => {
            let text = format!(
                "annotation {AUTHORIZED_STAGE} names {} Stages; an Application that uses the plugin {PLUGIN} belongs to exactly one",
                stages.len()
            );
            Err(Check::failed(Code::AuthorizedStage, text).fix(fix()))
        }
    }
}

impl FromStr for StageName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::Stage(shown(text));
        let (project, stage) = text.split_once(':').ok_or_else(malformed)?;
        if !is_name(project) || !is_name(stage) {
            return Err(malformed());
        }
        Ok(Self { project: project.into(), stage: stage.into() })
    }
}

impl FromStr for Claim {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::Claim(shown(text));
        let (generation, collection) = text.split_once('-').ok_or_else(malformed)?;
        // Written one way only, so that equal claims are equal text: Argo CD compares them as text.
        let canonical =
            generation.bytes().all(|b| b.is_ascii_digit()) && !generation.starts_with('0');
        let generation =
            generation.parse().ok().filter(|g| canonical && *g > 0).ok_or_else(malformed)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if collection.len() != 40 || !collection.bytes().all(hex) {
            return Err(malformed());
        }
        Ok(Self { generation, collection: collection.into() })
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.project, self.stage)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.collection)
    }
}

/// A DNS-1123 subdomain, as Kubernetes requires of most names.
pub(crate) fn is_name(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().copied().is_some_and(edge)
                && bytes.last().copied().is_some_and(edge)
                && bytes.iter().all(|b| edge(*b) || *b == b'-')
        })
}

/// A DNS-1123 label, as Kubernetes requires of the names of namespaces.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_name(text)
}

/// Untrusted text, short enough for an error.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn a_claim_is_written_one_way() {
        let claim: Claim = format!("12-{ID}").parse().unwrap();
        assert_eq!(claim, Claim { generation: 12, collection: ID.into() });
        assert_eq!(claim.to_string(), format!("12-{ID}"));
        let upper = ID.to_uppercase();
        for bad in [
            "",
            "-",
            "12",
            "12-",
            &format!("012-{ID}"),
            &format!("0-{ID}"),
            &format!("+1-{ID}"),
            &format!("-1-{ID}"),
            &format!("1-{upper}"),
            &format!("1-{ID}0"),
            &format!("18446744073709551616-{ID}"),
            &format!(" 1-{ID}"),
            "1-ä",
        ] {
            assert!(bad.parse::<Claim>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stage_is_a_project_and_a_name() {
        assert_eq!(
            "shop:dev".parse(),
            Ok(StageName { project: "shop".into(), stage: "dev".into() })
        );
        assert!("shop:dev.eu-1".parse::<StageName>().is_ok());
        for bad in [
            "",
            ":",
            "shop",
            "shop:",
            ":dev",
            "shop:dev:x",
            "shop:*",
            "Shop:dev",
            "shop:-dev",
            "sh op:dev",
            "a_b:c",
            "shop:dev,",
        ] {
            assert!(bad.parse::<StageName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_annotation_may_name_several_stages_but_not_for_us() {
        assert_eq!(authorized(" a:b , c:d,").unwrap().len(), 2);
        assert_eq!(the_stage(Some(" a:b ")).unwrap().to_string(), "a:b");
        for bad in [None, Some(""), Some("a:b,c:d"), Some("*"), Some("a:*")] {
            assert_eq!(the_stage(bad).unwrap_err().code, Code::AuthorizedStage, "{bad:?}");
        }
    }

    #[test]
    fn a_claim_set_twice_is_none() {
        let freight = format!("1-{ID}");
        let env =
            [(ENV_FREIGHT, freight.as_str()), ("OTHER", "x"), (ENV_FREIGHT, freight.as_str())];
        assert_eq!(Claimed::from_env(env.into_iter()), Err(Malformed::Twice(ENV_FREIGHT)));
    }
}
