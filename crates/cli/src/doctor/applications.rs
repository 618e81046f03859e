//! Whether every Application has what its Stage holds, and can be rendered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, Stage};
use wharfinger_core::check::{Check, Code, State};
use wharfinger_core::claim::{StageName, authorized_stages, ours, the_stage};
use wharfinger_core::converge::{Situation, progress, render_failed};

use super::passed;
use super::seen::Sight;
use crate::exit::Failure;
use crate::session::Session;

pub async fn look(session: &Session, sight: &Sight) -> Result<Vec<Check>, Failure> {
    let seen = sight.seen(session).await?;
    let mut checks: Vec<Check> = seen.unseen.values().cloned().collect();
    checks.extend(judge(&seen.applications, &seen.stages, session.now()));
    Ok(checks)
}

/// `stages` holds what was asked for: nothing where there is no such Stage. One that could not be read is not in it.
fn judge(
    apps: &[Application],
    stages: &BTreeMap<StageName, Option<Stage>>,
    now: Timestamp,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let (mut named, mut well) = (0, 0);
    for app in apps {
        let rendered = ours(app.spec.sources()).next().is_some();
        if !rendered && app.annotation(AUTHORIZED_STAGE).is_none() {
            continue;
        }
        named += 1;
        match wrong(app, rendered, stages, now) {
            None => well += 1,
            Some(mut check) => {
                check.text = format!("{}/{}: {}", app.namespace(), app.name(), check.text);
                checks.push(check);
            }
        }
    }
    let text = match named {
        0 => "no Application names a Stage yet".to_owned(),
        _ => format!("{well} of {named} Applications have what their Stages hold"),
    };
    checks.insert(0, passed(Code::Converged, text));
    checks
}

fn wrong(
    app: &Application,
    rendered: bool,
    stages: &BTreeMap<StageName, Option<Stage>>,
    now: Timestamp,
) -> Option<Check> {
    if !rendered {
        let severe = |check: Check| Check { state: State::Warning, ..check };
        return match authorized_stages(app) {
            Err(e) => Some(severe(Check::failed(
                Code::AuthorizedStage,
                format!("annotation {AUTHORIZED_STAGE}: {e}"),
            ))),
            Ok(all) => all
                .iter()
                .find(|name| matches!(stages.get(name), Some(None)))
                .map(|name| severe(missing(name))),
        };
    }
    let name = match the_stage(app.annotation(AUTHORIZED_STAGE)) {
        Ok(name) => name,
        Err(check) => return Some(check),
    };
    let Some(stage) = stages.get(&name)? else { return Some(missing(&name)) };
    let status = stage.status.clone().unwrap_or_default();
    if let Some(failure) = render_failed(app) {
        let message = app.status.conditions.iter().find(|c| c.kind == "ComparisonError");
        let message = message.map(|c| c.message.as_str()).unwrap_or_default();
        let text = format!("can't be rendered ({failure:?}): {message}");
        return Some(
            Check::failed(Code::RenderFailed, text)
                .fix(format!("Look whether the plugin {PLUGIN} answers, and what its log says")),
        );
    }
    let situation = Situation { app, stage: &name, status: &status, promotion: None, now };
    let check = progress(&situation).check;
    (check.state != State::Passed).then_some(check)
}

fn missing(name: &StageName) -> Check {
    Check::failed(Code::StageMissing, format!("there is no Stage {name}"))
        .fix(format!("Create it, or correct the annotation {AUTHORIZED_STAGE}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    fn app(annotation: Option<&str>, plugin: bool, conditions: &Value) -> Application {
        let source = if plugin {
            json!({ "plugin": { "name": "wharfinger", "env": [
                { "name": "WHARFINGER_STAGE", "value": "shop:dev" }, { "name": "WHARFINGER_FREIGHT", "value": format!("1-{ID}") } ] } })
        } else {
            json!({ "path": "web" })
        };
        let annotations = annotation.map(|a| json!({ AUTHORIZED_STAGE: a }));
        serde_json::from_value(json!({
            "metadata": { "name": "web", "namespace": "argocd", "annotations": annotations },
            "spec": { "source": source.clone() },
            "status": { "conditions": conditions, "sync": { "status": "Synced", "comparedTo": { "source": source.clone() } },
                "history": [{ "id": 1, "source": source }] },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_wrong_with_an_application_is_told() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let status = json!({
            "freightHistory": [{ "id": ID, "items": {} }],
            "assignment": { "generation": 1, "collection": ID, "assignedAt": "2026-11-21T11:00:00Z" },
        });
        let stage = json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {},
            "spec": { "requestedFreight": [] }, "status": status });
        let stage: Stage = serde_json::from_value(stage).unwrap();
        let stages = BTreeMap::from([
            ("shop:dev".parse().unwrap(), Some(stage)),
            ("shop:gone".parse().unwrap(), None),
        ]);
        let check = |app: Application, expected: Option<(Code, State)>| {
            let checks = judge(std::slice::from_ref(&app), &stages, now);
            let found = checks.get(1).map(|check| (check.code, check.state));
            assert_eq!(found, expected, "{checks:?}");
        };
        let fine = json!([]);
        check(app(Some("shop:dev"), true, &fine), None);
        check(app(Some("shop:dev"), false, &fine), None);
        check(app(None, false, &fine), None);
        check(app(None, true, &fine), Some((Code::AuthorizedStage, State::Failed)));
        check(app(Some("shop:gone"), true, &fine), Some((Code::StageMissing, State::Failed)));
        check(app(Some("shop:gone"), false, &fine), Some((Code::StageMissing, State::Warning)));
        check(app(Some("*"), false, &fine), Some((Code::AuthorizedStage, State::Warning)));
        let error = json!([{ "type": "ComparisonError", "message": "Manifest generation error (cached): x" }]);
        check(app(Some("shop:dev"), true, &error), Some((Code::RenderFailed, State::Failed)));
        assert_eq!(judge(&[], &stages, now).len(), 1);
    }
}
