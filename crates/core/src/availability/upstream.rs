//! The way through other Stages: verified there, and long enough there.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use wharfinger_api::v1alpha1::{FreightSources, FreightStatus};

use super::{Names, Upstream, named};
use crate::check::{Check, Code, State};
use crate::duration;
use crate::stage::is_control_flow;

/// `verified`, and `soak` where one is required.
///
/// With strategy `All` every Stage that is listed counts, so that an empty list asks for nothing: Kargo's answer, too. With
/// any other one of them does.
pub(super) fn checks(
    names: &Names<'_>,
    sources: &FreightSources,
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Vec<Check> {
    let path = Path {
        names,
        stages: &sources.stages,
        all: all(sources),
        facts: names.freight.status.as_ref().unwrap_or(&NOTHING),
        upstream,
    };
    let mut checks = vec![path.verified()];
    let required = sources.required_soak_time.as_deref();
    match required.map(|text| (text, duration::parse(text))) {
        None => {}
        Some((text, Some(required))) => {
            if !required.is_zero() {
                checks.push(path.soak(text, required, now));
            }
            checks.extend(path.soaked_beside(text, required, now));
        }
        Some((text, None)) => {
            let text: String = text.chars().take(40).collect();
            let text = format!(
                "requiredSoakTime {text:?} of Stage {} is not a duration such as 30m",
                names.to()
            );
            checks.push(
                Check::failed(Code::Soak, text).fix("Mend it in the Stage's spec.requestedFreight"),
            );
        }
    }
    checks
}

/// Whether every Stage that is listed counts.
pub(super) fn all(sources: &FreightSources) -> bool {
    sources.availability_strategy == "All"
}

/// How long Freight has been in a Stage: the longest stay, counted from when it came. Nothing before it is verified there.
pub fn soaked(freight: &FreightStatus, stage: &str, now: Timestamp) -> SignedDuration {
    let Some(verified) = freight.verified_in.get(stage) else { return SignedDuration::ZERO };
    let before = duration::parse(&verified.longest_soak).unwrap_or_default();
    since(freight, stage).map_or(before, |since| before.max(now.duration_since(since)))
}

/// Freight without a status is nowhere.
static NOTHING: LazyLock<FreightStatus> = LazyLock::new(FreightStatus::default);

struct Path<'a> {
    names: &'a Names<'a>,
    stages: &'a [String],
    all: bool,
    facts: &'a FreightStatus,
    upstream: &'a Upstream<'a>,
}

impl Path<'_> {
    fn verified(&self) -> Check {
        let listed = || self.stages.iter().map(String::as_str);
        let (verified, missing): (Vec<_>, Vec<_>) =
            listed().partition(|s| self.facts.verified_in.contains_key(*s));
        let passed = if self.all { missing.is_empty() } else { !verified.is_empty() };
        if passed {
            let at = verified
                .iter()
                .filter_map(|s| self.facts.verified_in.get(*s)?.verified_at.as_ref());
            let at = at.map(|t| t.0);
            let text = match *verified {
                [] => "no Stage has to verify it".into(),
                _ => format!("verified in {}", named(&verified)),
            };
            let since = if self.all { at.max() } else { at.min() };
            return Check { since, ..Check::passed(Code::Verified, text) };
        }
        if missing.is_empty() {
            return self.no_way();
        }
        // One that waits is as good as done where one is enough, and not where all are needed.
        let sought = if self.all { State::Failed } else { State::Waiting };
        let mut advice: Vec<_> = missing.iter().map(|s| self.to_be_verified(s)).collect();
        let decisive = advice.iter().position(|(state, _)| *state == sought).unwrap_or_default();
        let (state, advice) = advice.swap_remove(decisive);
        let text = match *missing {
            [one] => format!("not verified in {one}"),
            _ if self.all => format!("not verified in {}", named(&missing)),
            _ => format!("verified in none of {}", named(&missing)),
        };
        Check::new(Code::Verified, state, text).fix(format!("{advice}, or {}", self.approve()))
    }

    fn no_way(&self) -> Check {
        let text = format!(
            "Stage {} takes it neither straight from {} nor from another Stage",
            self.names.to(),
            self.names.freight.origin
        );
        Check::failed(Code::Verified, text).fix(format!(
            "Set sources.direct or sources.stages in the Stage's spec.requestedFreight, or {}",
            self.approve()
        ))
    }

    /// What has to happen before Freight is verified in a Stage.
    fn to_be_verified(&self, stage: &str) -> (State, String) {
        let known = self.upstream.get(stage).copied();
        match known {
            Some(None) => (
                State::Failed,
                format!("There is no Stage {stage}: create it or take it out of sources.stages"),
            ),
            Some(Some(known)) if is_control_flow(known) => (
                State::Failed,
                format!(
                    "Stage {stage} passes on what is available to it: {}",
                    self.names.command("why", stage)
                ),
            ),
            Some(Some(known)) if known.spec.verification.is_some() => (
                State::Failed,
                format!(
                    "Stage {stage} has spec.verification, which this version does not carry out: take it out"
                ),
            ),
            _ if self.facts.currently_in.contains_key(stage) => {
                (State::Waiting, format!("It is in {stage}: wait until {stage} is healthy"))
            }
            _ => (
                State::Failed,
                format!("Promote it to {stage} first: {}", self.names.command("promote", stage)),
            ),
        }
    }

    fn soak(&self, text: &str, required: SignedDuration, now: Timestamp) -> Check {
        let each = self.stages.iter().map(|s| (self.soak_in(s, required, now), s.as_str()));
        let decisive = if self.all { each.max() } else { each.min() };
        let Some((soak, stage)) = decisive else {
            let state = if self.all { State::Passed } else { State::Failed };
            return Check::new(Code::Soak, state, "there is no Stage to soak in");
        };
        let waiting = || Check::waiting(Code::Soak, format!("has to stay in {stage} for {text}"));
        let failed = |why: String, advice: String| {
            Check::failed(Code::Soak, why).fix(format!("{advice}, or {}", self.approve()))
        };
        let check = match soak {
            Soak::Done => {
                let stages = if self.all { named(self.stages) } else { stage.into() };
                Check::passed(Code::Soak, format!("was in {stages} for {text}"))
            }
            Soak::Until(until) => {
                waiting().until(until).fix(format!("Wait until {until}, or {}", self.approve()))
            }
            Soak::Unverified | Soak::Absent => {
                waiting().fix(format!("It counts when the Freight is verified in {stage}"))
            }
            Soak::Left => failed(
                format!("has left {stage} before it was there for {text}"),
                format!(
                    "Promote it to {stage} again and let it stay: {}",
                    self.names.command("promote", stage)
                ),
            ),
            Soak::Never => failed(
                format!("{stage} only passes Freight on, so none stays there for {text}"),
                format!("Take requiredSoakTime out of Stage {}", self.names.to()),
            ),
        };
        Check { since: since(self.facts, stage), ..check }
    }

    /// What Kargo's list of available Freight asks of `All`, beside what its admission asks.
    fn soaked_beside(&self, text: &str, required: SignedDuration, now: Timestamp) -> Option<Check> {
        if !self.all || self.stages.is_empty() {
            return None;
        }
        let mut beside = self.facts.verified_in.keys().filter(|s| !self.stages.contains(s));
        let stage = beside.find(|stage| soaked(self.facts, stage, now) >= required)?;
        let why = format!("was in {stage} for {text}, too, which sources.stages does not list");
        let advice = format!("Add {stage} to sources.stages, or {}", self.approve());
        Some(Check::failed(Code::SoakedBeside, why).fix(advice))
    }

    fn soak_in(&self, stage: &str, required: SignedDuration, now: Timestamp) -> Soak {
        if soaked(self.facts, stage, now) >= required {
            return Soak::Done;
        }
        let passes_on = self.upstream.get(stage).copied().flatten().is_some_and(is_control_flow);
        match since(self.facts, stage) {
            _ if passes_on => Soak::Never,
            there if !self.facts.verified_in.contains_key(stage) => {
                if there.is_some() {
                    Soak::Unverified
                } else {
                    Soak::Absent
                }
            }
            Some(since) => since.checked_add(required).map_or(Soak::Never, Soak::Until),
            None => Soak::Left,
        }
    }

    fn approve(&self) -> String {
        format!("approve it: {}", self.names.command("approve", self.names.to()))
    }
}

/// How far the soak in a Stage is, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Soak {
    Done,
    Until(Timestamp),
    /// It is there, and its time counts as soon as it is verified.
    Unverified,
    Left,
    Absent,
    Never,
}

fn since(freight: &FreightStatus, stage: &str) -> Option<Timestamp> {
    freight.currently_in.get(stage)?.since.as_ref().map(|t| t.0)
}
