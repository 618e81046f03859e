//! Events and Leases: what controllers tell, and who of them leads.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{answer::names, server::Server};

const EVENTS: &str = "/api/v1/namespaces/{ns}/events";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";

fn event(about: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "generateName": "a." },
        "involvedObject": {
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "name": "a", "namespace": about,
        },
        "reason": "Assigned", "message": "Freight x", "type": "Normal",
        "firstTimestamp": "2026-11-21T12:00:00Z", "lastTimestamp": "2026-11-21T12:00:00Z", "count": 1,
        "source": { "component": "test" },
        "reportingComponent": "", "reportingInstance": "",
    })
}

pub(crate) async fn events_are_told_in_the_namespace_they_are_about(s: Server) -> Result<()> {
    let made = s.post(EVENTS, event(&s.ns)).await?.done()?;
    ensure!(made["involvedObject"]["name"] == "a" && made["reason"] == "Assigned", "{made:#}");
    let list = s.get(&format!("{EVENTS}?fieldSelector=involvedObject.name=a")).await?.done()?;
    ensure!(names(&list)?.len() == 1, "{list:#}");
    let list = s.get(&format!("{EVENTS}?fieldSelector=involvedObject.name=b")).await?.done()?;
    ensure!(names(&list)?.is_empty(), "{list:#}");
    let list =
        s.get(&format!("{EVENTS}?fieldSelector=reason=Assigned,type!=Warning")).await?.done()?;
    ensure!(names(&list)?.len() == 1, "{list:#}");
    let answer = s.post(EVENTS, event("elsewhere")).await?;
    ensure!(answer.code == 422 && answer.body["reason"] == "Invalid", "{answer:#?}");
    Ok(())
}

pub(crate) async fn events_have_two_names(s: Server) -> Result<()> {
    let made = s.post(EVENTS, event(&s.ns)).await?.done()?;
    let path = "/apis/events.k8s.io/v1/namespaces/{ns}/events";
    let list = s.get(path).await?.done()?;
    let same = &list["items"][0];
    ensure!(same["metadata"]["uid"] == made["metadata"]["uid"], "{list:#}");
    ensure!(same["regarding"] == made["involvedObject"] && same["note"] == "Freight x", "{same:#}");
    ensure!(
        same["deprecatedCount"] == 1 && same["deprecatedSource"]["component"] == "test",
        "{same:#}"
    );
    let given = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "b" },
        "eventTime": "2026-11-21T12:00:00.000000Z", "action": "Assign", "reason": "Assigned", "type": "Normal",
        "note": "Freight y", "reportingController": "wharfinger.dev/test", "reportingInstance": "one",
        "regarding": made["involvedObject"],
    });
    s.post(path, given).await?.done()?;
    let read = s.get(&format!("{EVENTS}/b")).await?.done()?;
    ensure!(read["message"] == "Freight y" && read["involvedObject"]["name"] == "a", "{read:#}");
    ensure!(read["reportingComponent"] == "wharfinger.dev/test", "{read:#}");
    Ok(())
}

pub(crate) async fn one_of_two_gets_a_lease(s: Server) -> Result<()> {
    let lease = |holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "leader" },
            "spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15,
                "acquireTime": "2026-11-21T12:00:00.000000Z", "renewTime": "2026-11-21T12:00:00.000000Z",
            },
        })
    };
    let made = s.post(LEASES, lease("one")).await?.done()?;
    ensure!(made["spec"]["renewTime"] == "2026-11-21T12:00:00.000000Z", "{made:#}");
    ensure!(s.post(LEASES, lease("two")).await?.code == 409);
    let path = format!("{LEASES}/leader");
    let mut renewed = made.clone();
    renewed["spec"]["renewTime"] = json!("2026-11-21T12:00:10.000000Z");
    s.put(&path, renewed).await?.done()?;
    let mut stolen = made;
    stolen["spec"]["holderIdentity"] = json!("two");
    let message = "Operation cannot be fulfilled on leases.coordination.k8s.io \"leader\": the object has been modified; \
                   please apply your changes to the latest version and try again";
    s.put(&path, stolen).await?.refused(409, "Conflict", message)?;
    Ok(())
}
