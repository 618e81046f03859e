//! A denial, as `kubectl`, Argo CD or a status shows it: `… wharfinger: <text>. <fix> [<code>]`.

use serde::Serialize;
use wharfinger_core::check::Code;
use wharfinger_core::claim::StageName;

use super::{Explained, unique};
use crate::exit::{Exit, Failure};
use crate::output::{Format, clean, documents};
use crate::session::Session;

/// What a text was denied for, and where to look further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denial {
    pub codes: Vec<Code>,
    /// Commands about what the text names.
    pub look: Vec<String>,
}

impl Denial {
    /// Nothing where the text has no code. A code alone will do.
    pub(super) fn read(text: &str) -> Option<Self> {
        let codes = unique(codes(text).into_iter().chain(code(text.trim())));
        (!codes.is_empty()).then(|| Self { codes, look: look(text) })
    }

    pub(super) fn show(&self, session: &Session) -> Result<Exit, Failure> {
        let explained: Vec<_> = self.codes.iter().map(|code| Explained::of(*code)).collect();
        let Session { console, global, .. } = session;
        match global.output {
            Format::Table | Format::Wide => {
                for line in explained.iter().flat_map(Explained::lines) {
                    console.line(line)?;
                }
                for look in &self.look {
                    let look = match look.contains(" -p ") {
                        true => look.clone(),
                        false => session.proposed(look),
                    };
                    console.line(clean(&format!("look: {look}")))?;
                }
            }
            Format::Name => {
                for code in &self.codes {
                    console.line(code.to_string())?;
                }
            }
            format => {
                let document = Document { denials: explained, look: &self.look };
                documents(console, format, &[document])?;
            }
        }
        Ok(Exit::Done)
    }
}

#[derive(Serialize)]
struct Document<'d> {
    denials: Vec<Explained>,
    look: &'d [String],
}

/// The codes in a text: at most one a line, near its end.
pub(super) fn codes(text: &str) -> Vec<Code> {
    text.lines().filter_map(last_code).collect()
}

/// The last code of a line. Brackets before it may hold anything.
fn last_code(line: &str) -> Option<Code> {
    line.rsplit('[').find_map(|rest| code(rest.split_once(']')?.0))
}

fn code(text: &str) -> Option<Code> {
    serde_json::from_value(text.into()).ok()
}

/// Commands that say more about the Stage, the Freight and the Applications that a text names.
fn look(text: &str) -> Vec<String> {
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| ".,;:\"'()[]?".contains(c)))
        .collect();
    let after = |kind: &'static str| {
        let pairs = words.windows(2).filter(move |pair| pair[0] == kind);
        pairs.map(|pair| pair[1])
    };
    let named = after("Stage").find_map(|name| name.parse::<StageName>().ok());
    let (project, stage) = match &named {
        Some(StageName { project, stage }) => (Some(project.as_str()), Some(stage.as_str())),
        None => {
            (after("Project").find(|name| is_name(name)), after("Stage").find(|name| is_name(name)))
        }
    };
    let project = project.map(|project| format!(" -p {project}")).unwrap_or_default();
    let freight = after("Freight").find(|name| is_freight(name));
    let mut look = vec![];
    match (stage, freight) {
        (Some(stage), Some(freight)) => {
            look.push(format!("wharf why {freight} --to {stage}{project}"));
        }
        (None, Some(freight)) => look.push(format!("wharf get freight {freight}{project}")),
        _ => {}
    }
    look.extend(stage.map(|stage| format!("wharf why stage/{stage}{project}")));
    let quoted = after("applications.argoproj.io").filter(|name| is_name(name));
    let full = words.iter().copied().filter(|word| {
        // The prefix of an annotation has dots, the name of a namespace has none.
        let full = word.split_once('/');
        full.is_some_and(|(at, name)| is_name(at) && !at.contains('.') && is_name(name))
    });
    // Elsewhere a slash stands between other things.
    if text.contains("named by Applications") || text.contains("applications.argoproj.io") {
        look.extend(quoted.chain(full).map(|name| format!("wharf why application/{name}")));
    }
    look
}

/// The name of an object, so that what is proposed can be run as it stands.
fn is_name(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !word.is_empty() && !word.starts_with('-') && word.bytes().all(plain)
}

/// A hash, an alias or a version, and no word of a sentence.
fn is_freight(word: &str) -> bool {
    is_name(word) && word.bytes().any(|b| b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use wharfinger_core::check::Check;

    use super::*;

    #[test]
    fn a_denial_is_read_wherever_it_is_said() {
        let kubectl = |text: &str| {
            format!(
                "Error from server (Forbidden): applications.argoproj.io \"web\" could not be patched: admission webhook \"applications.wharfinger.dev\" denied the request: wharfinger: {text}\n"
            )
        };
        let lacking = Check::failed(Code::Permission, "Stage shop:prod: bob may not promote")
            .fix("Ask for a Role in Namespace shop with resources [stages], resourceNames [soak], verbs [promote]");
        for (text, codes, look) in [
            (
                kubectl(&lacking.to_string()),
                &[Code::Permission][..],
                &["wharf why stage/prod -p shop", "wharf why application/web"][..],
            ),
            ("soak".into(), &[Code::Soak], &[]),
            (" [soak]\n".into(), &[Code::Soak], &[]),
            (
                "a [queue]\nb: c [verified]. Retrying.\nd [queue]".into(),
                &[Code::Queue, Code::Verified],
                &[],
            ),
            (
                "there is no Stage prod in Project shop. annotation kargo.akuity.io/authorized-stage of an Application [stage-missing]".into(),
                &[Code::StageMissing],
                &["wharf why stage/prod -p shop"],
            ),
            (
                "Freight b3e7149de5914b1d5400c3b3675d52843f1762b6 is not available to Stage shop:prod: x [verified]".into(),
                &[Code::Verified],
                &["wharf why b3e7149de5914b1d5400c3b3675d52843f1762b6 --to prod -p shop", "wharf why stage/prod -p shop"],
            ),
            (
                "Stage shop:prod is named by Applications, which could not be rendered any more: argocd/web, teams/api. Take [in-use]".into(),
                &[Code::InUse],
                &["wharf why stage/prod -p shop", "wharf why application/argocd/web", "wharf why application/teams/api"],
            ),
            (
                "Freight calm-heron is not available to Stage prod: not verified in dev [verified]".into(),
                &[Code::Verified],
                &["wharf why calm-heron --to prod", "wharf why stage/prod"],
            ),
            ("Stage $(rm):x `y` Freight -rf [soak]".into(), &[Code::Soak], &[]),
        ] {
            let denial = Denial::read(&text).unwrap();
            assert_eq!(denial.codes, codes, "{text}");
            assert_eq!(denial.look, look, "{text}");
        }
        for none in ["", "prod", "[prod]", "soak time", "Error from server: no [", "]["] {
            assert_eq!(Denial::read(none), None, "{none}");
        }
    }
}
