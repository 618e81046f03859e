//! `wharf doctor`: whether the installation is as it must be.

use clap::Args;
use serde::Serialize;
use wharfinger_core::check::State;

use crate::doctor::seen::Sight;
use crate::doctor::{Finding, Part, applications, cluster, plugin, webhook};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Look, Mark, clean, documents};
use crate::session::Session;

/// Look whether Wharfinger and Argo CD are set up as they must be
///
/// Everything is read, or tried on the server; nothing is changed. Exit 1 if a check failed.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Only these parts
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    only: Vec<Part>,

    /// Let warnings count as failures
    #[arg(long)]
    strict: bool,

    /// Where a sidecar's admin port is reached; without it, they are asked through the API server
    #[arg(long, value_name = "URL")]
    sidecar: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    failed: usize,
    warnings: usize,
    checks: Vec<Finding>,
}

const PARTS: [Part; 4] = [Part::Cluster, Part::Webhook, Part::Plugin, Part::Applications];

impl Doctor {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { only, strict, sidecar } = self;
        let (sight, mut checks) = (Sight::default(), Vec::new());
        for part in PARTS.into_iter().filter(|part| only.is_empty() || only.contains(part)) {
            let found = match part {
                Part::Cluster => cluster::look(session).await?,
                Part::Webhook => webhook::look(session).await?,
                Part::Plugin => plugin::look(session, &sight, sidecar.as_deref()).await?,
                Part::Applications => applications::look(session, &sight).await?,
            };
            checks.extend(found.into_iter().map(|check| Finding { part, check }));
        }
        let count = |state| checks.iter().filter(|finding| finding.check.state == state).count();
        let (failed, warnings) = (count(State::Failed), count(State::Warning));
        let report = Report { failed, warnings, checks };
        match session.global.output {
            Format::Table | Format::Wide => {
                for line in lines(&report, session.console.out) {
                    session.console.line(line)?;
                }
            }
            format => documents(&session.console, format, std::slice::from_ref(&report))?,
        }
        let well = failed == 0 && (!strict || warnings == 0);
        Ok(if well { Exit::Done } else { Exit::Failed })
    }
}

fn lines(report: &Report, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = None;
    for Finding { part, check } in &report.checks {
        if last.replace(*part) != Some(*part) {
            lines.push(part.title().to_owned());
        }
        let code = match check.state {
            State::Passed => String::new(),
            _ => format!("  [{}]", check.code),
        };
        let mark = Mark::from(check.state).painted(look);
        lines.push(format!("  {mark} {}{code}", clean(&check.text)));
        if !check.fix.is_empty() {
            lines.push(format!("      fix: {}", clean(&check.fix)));
        }
    }
    lines.push(format!("{} failed, {} warnings", report.failed, report.warnings));
    lines
}

#[cfg(test)]
mod tests {
    use wharfinger_core::check::{Check, Code};

    use super::*;

    #[test]
    fn findings_are_grouped_and_say_what_to_do() {
        let passed = Check::new(Code::Converged, State::Passed, "all well");
        let failed = Check::failed(Code::RenderFailed, "a\u{1b}b").fix("mend it");
        let finding = |part, check: &Check| Finding { part, check: check.clone() };
        let report = Report {
            failed: 1,
            warnings: 0,
            checks: vec![
                finding(Part::Cluster, &passed),
                finding(Part::Plugin, &passed),
                finding(Part::Plugin, &failed),
            ],
        };
        let look = Look { unicode: true, ..Look::default() };
        assert_eq!(
            lines(&report, look),
            [
                "Cluster",
                "  ✓ all well",
                "Plugin",
                "  ✓ all well",
                "  ✗ a\u{fffd}b  [render-failed]",
                "      fix: mend it",
                "1 failed, 0 warnings",
            ]
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][2]["part"], "plugin");
        assert_eq!(json["checks"][2]["code"], "render-failed");
    }
}
