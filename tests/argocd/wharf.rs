//! `wharf` on a real cluster: what it does, what it says, and the code it ends with.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Output, shared};
use wharfinger_tests::{App, Kind, Project};

#[test]
fn promotes_waits_rolls_back_and_tells_history() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "wharf-main")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Kustomize)?;
    app.create()?;
    project.freight("v1")?;
    let v2 = project.freight("v2")?;
    let wharf = |args: &[&str]| cluster.wharf(&[&["-p", "wharf-main"], args].concat());

    let done = wharf(&["promote", "v1", "--to", "dev", "--wait"])?;
    ends(&done, 0)?;
    says(&done.stderr, "dev assigned generation 1")?;
    says(&done.stderr, "argocd/wharf-main-web synced")?;
    says(&done.stdout, "✓ wharf-main/dev  nothing → v1  dev.")?;
    says(&done.stdout, "  Succeeded, generation 1, took ")?;
    app.runs("v1")?;

    let short = &v2[..8];
    let args = ["promote", short, "--to", "dev", "--wait", "-o", "jsonl", "--reason", "release 2"];
    let done = wharf(&args)?;
    ends(&done, 0)?;
    let lines = done.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    ensure!(lines[0]["schema"] == "wharf/v1" && lines[0]["event"] == "admitted", "{lines:#?}");
    ensure!(lines.iter().any(|l| l["event"] == "assigned" && l["generation"] == 2), "{lines:#?}");
    let last = lines.last().context("there are lines")?;
    ensure!(last["kind"] == "Promotion" && last["status"]["phase"] == "Succeeded", "{last:#}");
    app.runs("v2")?;

    // Kargo's flags, and a decision that is out of date.
    let dry = wharf(&["promote", "--freight-alias", "v1", "--stage", "dev", "--dry-run"])?;
    ends(&dry, 0)?;
    says(&dry.stdout, "would be created (dry run)")?;
    let late = wharf(&["promote", "v1", "--to", "dev", "--if-current", "1"])?;
    ends(&late, 6)?;
    says(&late.stderr, "Stage dev holds generation 2")?;
    ensure!(project.admin.list("promotion", "wharf-main")?.len() == 2, "nothing was created");

    let back = wharf(&["rollback", "dev", "--reason", "INC-91", "--wait", "-o", "json"])?;
    ends(&back, 0)?;
    let promotion: Value = serde_json::from_str(&back.stdout)?;
    let annotations = &promotion["metadata"]["annotations"];
    ensure!(annotations["kargo.akuity.io/rollback"] == "true", "{promotion:#}");
    ensure!(annotations["wharfinger.dev/reason"] == "INC-91", "{promotion:#}");
    app.runs("v1")?;

    let history = document(&wharf(&["history", "dev", "-o", "json"])?)?;
    let told: Vec<_> = history["entries"].as_array().context("entries")?.iter().collect();
    let generations: Vec<_> = told.iter().map(|e| e["generation"].clone()).collect();
    ensure!(generations == [json!(3), json!(2), json!(1)], "{history:#}");
    ensure!(told[0]["rollback"] == true && told[0]["current"] == true, "{history:#}");
    ensure!(told[0]["version"] == "v1" && told[1]["reason"] == "release 2", "{history:#}");

    let status = document(&wharf(&["status", "dev", "-o", "json"])?)?;
    ensure!(status["generation"] == 3 && status["reason"] == "INC-91", "{status:#}");
    ensure!(status["applications"][0]["check"]["code"] == "converged", "{status:#}");
    let all = document(&cluster.wharf(&["status", "-o", "json"])?)?;
    let projects = all["projects"].as_array().context("projects")?;
    ensure!(projects.iter().any(|p| p["project"] == "wharf-main" && p["stages"] == 1), "{all:#}");

    let unknown = wharf(&["promote", "v1", "--to", "dve1"])?;
    ends(&unknown, 1)?;
    says(&unknown.stderr, "there is no Stage dve1 in Project wharf-main")?;
    let unknown = cluster.wharf(&["-p", "wharf-mian", "get", "stages", "dev"])?;
    ends(&unknown, 1)
}

#[test]
fn says_why_not_and_what_helps() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "wharf-why")?;
    project.stage("dev")?;
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let spec = json!({
        "requestedFreight": [{ "origin": origin, "sources": { "stages": ["dev"] } }],
        "promotionTemplate": { "spec": { "steps": [{ "uses": "assign", "config": { "allowNone": true } }] } },
    });
    project.admin.create(
        "stage",
        "wharf-why",
        json!({ "metadata": { "name": "prod" }, "spec": spec }),
    )?;
    project.freight("v1")?;
    let wharf = |args: &[&str]| cluster.wharf(&[&["-p", "wharf-why"], args].concat());

    let why = wharf(&["why", "v1", "--to", "prod"])?;
    ends(&why, 5)?;
    says(&why.stdout, "✗ v1 is not available to wharf-why/prod")?;
    says(&why.stdout, "✗ verified")?;
    let why = wharf(&["why", "v1", "--to", "prod", "-o", "json"])?;
    ends(&why, 5)?;
    ensure!(serde_json::from_str::<Value>(&why.stdout)?["available"] == false, "{}", why.stdout);

    let refused = wharf(&["promote", "v1", "--to", "prod"])?;
    ends(&refused, 5)?;
    says(&refused.stderr, "[verified]")?;
    says(&refused.stderr, "next: ")?;
    // All or nothing: dev would take it.
    ends(&wharf(&["promote", "v1", "--to", "dev,prod"])?, 5)?;
    ensure!(project.admin.list("promotion", "wharf-why")?.is_empty(), "nothing was created");

    ends(&wharf(&["approve", "v1", "--to", "prod", "--dry-run"])?, 0)?;
    ends(&wharf(&["why", "v1", "--to", "prod"])?, 5)?;
    ends(&wharf(&["approve", "v1", "--to", "prod"])?, 0)?;
    let why = wharf(&["why", "v1", "--to", "prod"])?;
    ends(&why, 0)?;
    says(&why.stdout, "✓ approved")?;
    ends(&wharf(&["promote", "v1", "--downstream-from", "dev", "--wait"])?, 0)
}

#[test]
fn people_without_permission_are_told_so() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "wharf-people")?;
    project.stage("dev")?;
    project.freight("v1")?;
    let ana = project.person("ana")?;
    let wharf =
        |args: &[&str]| cluster.wharf_as(&ana.name, &[&["-p", "wharf-people"], args].concat());

    let nothing = wharf(&["get", "stages"])?;
    ends(&nothing, 4)?;
    for kind in ["stage", "freight", "promotion"] {
        ana.may(&["get", "list", "watch", "create"], kind, "wharf-people")?;
    }
    let refused = wharf(&["promote", "v1", "--to", "dev"])?;
    ends(&refused, 4)?;
    says(&refused.stderr, "[permission]")?;
    says(&refused.stderr, "verbs [promote]")?;
    let why = wharf(&["why", "v1", "--to", "dev"])?;
    ends(&why, 4)?;
    says(&why.stdout, "you may not promote it")?;
    ana.may(&["promote"], "stage", "wharf-people")?;
    ends(&wharf(&["why", "v1", "--to", "dev"])?, 0)?;
    ends(&wharf(&["promote", "v1", "--to", "dev"])?, 0)
}

#[test]
fn who_stops_waiting_stops_nothing() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "wharf-wait")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    // The sync never ends.
    app.commit_hook(true)?;
    app.create()?;
    project.freight("v1")?;
    let wharf = |args: &[&str]| cluster.wharf(&[&["-p", "wharf-wait"], args].concat());

    let args = ["-p", "wharf-wait", "promote", "v1", "--to", "dev", "--wait"];
    let left = cluster.wharf_interrupted(Duration::from_secs(4), &args)?;
    ends(&left, 130)?;
    let promotions = project.admin.list("promotion", "wharf-wait")?;
    let name = promotions[0]["metadata"]["name"].as_str().context("a name")?.to_owned();
    says(&left.stderr, &format!("detached; the Promotion goes on: {name}"))?;

    let late = wharf(&["watch", &name, "--timeout", "1s"])?;
    ends(&late, 124)?;
    says(&late.stderr, &name)?;
    let conflict = wharf(&["promote", "v1", "--to", "dev", "--if-current", "1"])?;
    ends(&conflict, 6)?;
    says(&conflict.stderr, "is under way")?;

    ends(&wharf(&["promote", "--name", &name, "--abort"])?, 0)?;
    let over = wharf(&["watch", &name])?;
    ends(&over, 3)?;
    says(&over.stderr, "Aborted")
}

#[test]
fn what_others_wrote_does_not_reach_the_terminal() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "wharf-evil")?;
    project.stage("dev")?;
    let tag = "evil\u{1b}[2J\u{9b}31m\u{7}\nnext";
    let freight = json!({
        "metadata": { "generateName": "freight-" },
        "origin": { "kind": "Warehouse", "name": "main" },
        "images": [{ "repoURL": "ghcr.io/acme/web", "tag": tag }],
    });
    project.admin.create("freight", "wharf-evil", freight)?;
    for format in ["table", "wide", "json", "yaml", "jsonl"] {
        let got = cluster.wharf(&["-p", "wharf-evil", "get", "freight", "-o", format])?;
        ends(&got, 0)?;
        says(&got.stdout, "evil")?;
        let acts = |c: char| c.is_control() && c != '\n';
        ensure!(!got.stdout.contains(acts), "{format}: {:?}", got.stdout);
    }
    let why = cluster.wharf(&["-p", "wharf-evil", "why", tag, "--to", "dev"])?;
    ensure!(!why.stdout.contains('\u{1b}') && !why.stderr.contains('\u{1b}'), "{why:?}");
    let lines = cluster.wharf(&["-p", "wharf-evil", "get", "freight", "-o", "json"])?;
    let got: Value = serde_json::from_str(&lines.stdout)?;
    ensure!(got["items"][0]["images"][0]["tag"] == tag, "it means what was written: {got:#}");
    Ok(())
}

fn ends(output: &Output, code: i32) -> Result<()> {
    ensure!(output.status.code() == Some(code), "it must end with {code}: {output:#?}");
    Ok(())
}

#[track_caller]
fn says(text: &str, what: &str) -> Result<()> {
    ensure!(text.contains(what), "{what:?} is missing in:\n{text}");
    Ok(())
}

fn document(output: &Output) -> Result<Value> {
    ends(output, 0)?;
    let document: Value = serde_json::from_str(&output.stdout)?;
    ensure!(document["schema"] == "wharf/v1", "{document:#}");
    Ok(document)
}
