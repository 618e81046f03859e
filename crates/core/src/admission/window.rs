//! Promotion windows: what can be said of their text without a calendar.

use wharfinger_api::v1alpha1::PromotionWindow;

use super::faults::Faults;
use super::selector;
use crate::claim::shown;

/// Of a ProjectConfig: its windows are about its own Project.
pub(super) fn judge_of_project(windows: &[PromotionWindow], faults: &mut Faults) {
    for (index, window) in windows.iter().enumerate() {
        if window.project_selector.is_some() {
            let field = format!("spec.promotionWindows[{index}].projectSelector");
            faults.at(field, "only windows of the ClusterConfig choose Projects");
        }
    }
    judge(windows, faults);
}

pub(super) fn judge(windows: &[PromotionWindow], faults: &mut Faults) {
    for (index, window) in windows.iter().enumerate() {
        let field = format!("spec.promotionWindows[{index}]");
        for (name, chosen) in [
            ("stageSelector", &window.stage_selector),
            ("projectSelector", &window.project_selector),
        ] {
            if let Some(chosen) = chosen {
                selector::judge(chosen, &format!("{field}.{name}"), faults);
            }
        }
        if !window.rrule.is_empty() && !recurs(&window.rrule) {
            faults.at(
                format_args!("{field}.rrule"),
                "must be a recurrence rule such as FREQ=WEEKLY;BYDAY=MO,TU",
            );
        }
        for (name, time) in [("dtstart", &window.dtstart), ("dtend", &window.dtend)] {
            if !time.is_empty() && !is_time(time) {
                let fault = format!(
                    "{:?} is not like 20060102T150405, perhaps with TZID=Area/City: in front",
                    shown(time)
                );
                faults.at(format_args!("{field}.{name}"), fault);
            }
        }
    }
}

/// Parts of the form NAME=VALUE, of which one is the frequency.
fn recurs(rrule: &str) -> bool {
    let rule = rrule.strip_prefix("RRULE:").unwrap_or(rrule);
    let mut parts = rule.trim_end_matches(';').split(';').map(|part| part.split_once('='));
    parts
        .clone()
        .all(|part| part.is_some_and(|(name, value)| !name.is_empty() && !value.is_empty()))
        && parts.any(|part| part.is_some_and(|(name, _)| name.eq_ignore_ascii_case("FREQ")))
}

fn is_time(text: &str) -> bool {
    let (zone, time) = match text.strip_prefix("TZID=").and_then(|rest| rest.split_once(':')) {
        Some((zone, time)) => (zone, time),
        None => ("UTC", text),
    };
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (day, hour) = time.trim_end_matches('Z').split_once('T').unwrap_or((time, "000000"));
    !zone.is_empty() && digits(day, 8) && digits(hour, 6)
}
