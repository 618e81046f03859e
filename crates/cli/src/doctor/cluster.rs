//! The kinds that are served, and the clock.

use http::{Request, header::DATE};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::Value;
use wharfinger_api::v1alpha1::{GROUP, VERSION};
use wharfinger_core::check::{Check, Code};

use super::{passed, unseen, warning};
use crate::exit::Failure;
use crate::session::Session;

pub async fn look(session: &Session) -> Result<Vec<Check>, Failure> {
    let client = session.client().await?;
    let version = client.apiserver_version().await;
    let version = version.map_err(|e| Failure::api("ask the cluster for its version", &e))?;
    let served = served(client).await?;
    let mut checks = vec![kinds(&version.git_version, served.as_deref())];
    if served.is_some() {
        checks.push(stored(client).await?);
    }
    checks.push(match date(client).await? {
        Some(server) => clock(server, session.now()),
        None => warning(Code::ClockSkew, "the API server does not tell the time"),
    });
    Ok(checks)
}

/// The kinds of our group; nothing where the group itself is not there.
async fn served(client: &Client) -> Result<Option<Vec<String>>, Failure> {
    match client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
        Ok(list) => Ok(Some(list.resources.into_iter().map(|r| r.kind).collect())),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(e) => Err(Failure::api("ask which kinds are served", &e)),
    }
}

async fn stored(client: &Client) -> Result<Check, Failure> {
    const NAME: &str = "stages.kargo.akuity.io";
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    match api.get(NAME).await {
        Ok(crd) => Ok(schema(&serde_json::to_value(crd).unwrap_or_default())),
        Err(e) => unseen(Code::Kinds, &format!("the CustomResourceDefinition {NAME}"), &e),
    }
}

/// What the API server takes the time to be.
async fn date(client: &Client) -> Result<Option<Timestamp>, Failure> {
    let request = Request::get("/version").body(Body::empty());
    let request = request.map_err(|e| Failure::new("can't ask for the time").because(&e))?;
    let answer = client.send(request).await;
    let answer = answer.map_err(|e| Failure::api("ask the cluster for the time", &e))?;
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    Ok(date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok()))
}

const INSTALL: &str = "kubectl apply --server-side -k manifests/base";
const KINDS: [&str; 5] = ["Project", "Warehouse", "Freight", "Stage", "Promotion"];

fn kinds(version: &str, served: Option<&[String]>) -> Check {
    let Some(served) = served else {
        let text = format!("Kubernetes {version} does not serve {GROUP}/{VERSION}");
        return Check::failed(Code::Kinds, text).fix(INSTALL);
    };
    let missing: Vec<_> =
        KINDS.into_iter().filter(|kind| !served.iter().any(|s| s == kind)).collect();
    if missing.is_empty() {
        return passed(Code::Kinds, format!("Kubernetes {version} serves {GROUP}/{VERSION}"));
    }
    let text = format!("{GROUP}/{VERSION} is served without {}", missing.join(", "));
    Check::failed(Code::Kinds, text).fix(INSTALL)
}

/// Kargo's own definition would drop, without a word, what a Stage is assigned.
fn schema(crd: &Value) -> Check {
    let versions = crd["spec"]["versions"].as_array();
    let ours = versions.into_iter().flatten().find(|version| version["name"] == VERSION);
    let path = "/schema/openAPIV3Schema/properties/status/properties/assignment";
    if ours.is_some_and(|version| version.pointer(path).is_some()) {
        return passed(Code::Kinds, "Stages store what they are assigned");
    }
    Check::failed(
        Code::Kinds,
        "the definition of Stages has no status.assignment: what a Stage is assigned is not stored",
    )
    .fix(INSTALL)
}

/// Dates of the protocol are cut to the second, and it takes a while to ask.
const CLOSE: SignedDuration = SignedDuration::from_secs(3);
const FAR: SignedDuration = SignedDuration::from_secs(60);

fn clock(server: Timestamp, here: Timestamp) -> Check {
    let skew = here.duration_since(server);
    let text = format!("this clock is {}s off the API server's", skew.as_secs().abs());
    let fix = "Let both follow NTP. Soak times and windows go by the cluster's clock, ages here by this one";
    match skew.abs() {
        skew if skew <= CLOSE => passed(Code::ClockSkew, "this clock agrees with the API server's"),
        skew if skew <= FAR => warning(Code::ClockSkew, text).fix(fix),
        _ => Check::failed(Code::ClockSkew, text).fix(fix),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharfinger_core::check::State;

    use super::*;

    #[test]
    fn kinds_are_served_or_they_are_not() {
        let all: Vec<String> = KINDS.map(str::to_owned).into();
        assert_eq!(kinds("v1", Some(&all)).state, State::Passed);
        assert!(kinds("v1", Some(&all[1..])).text.contains("without Project"));
        assert_eq!(kinds("v1", None).state, State::Failed);
    }

    #[test]
    fn kargos_own_definition_is_not_enough() {
        let crd = |status: Value| {
            json!({ "spec": { "versions": [{ "name": "v1alpha1",
                "schema": { "openAPIV3Schema": { "properties": { "status": { "properties": status } } } } }] } })
        };
        assert_eq!(schema(&crd(json!({ "assignment": {} }))).state, State::Passed);
        assert_eq!(schema(&crd(json!({ "health": {} }))).state, State::Failed);
        assert_eq!(schema(&json!({})).state, State::Failed);
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (seconds, state) in [
            (0, State::Passed),
            (3, State::Passed),
            (-4, State::Warning),
            (60, State::Warning),
            (-61, State::Failed),
        ] {
            let server = now + SignedDuration::from_secs(seconds);
            assert_eq!(clock(server, now).state, state, "{seconds}");
        }
    }
}
