//! What decides is written by those who may: everybody else is refused, whoever they say they are.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::shared;
use wharfinger_tests::{App, IMAGE, Kind, Kubernetes, Person, Project, refused};

const STAGE: &str = "kargo.akuity.io/authorized-stage";
const BREAK_GLASS: &str = "wharfinger.dev/break-glass";

#[test]
fn a_person_who_may_edit_everything_in_the_namespace() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "forged-status")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let freight = project.freight("v1")?;
    let promotion = project.promoted("dev", &freight)?;
    let promotion = promotion["metadata"]["name"].as_str().unwrap_or_default();
    // The last that our controller has to say.
    project.admin.wait("freight", &project.name, &freight, "be verified", |f| {
        f["status"]["verifiedIn"]["dev"].is_object().then_some(())
    })?;
    let editor = project.person("editor")?;
    for kind in ["stage", "promotion", "freight"] {
        editor.may(&["get", "update", "patch"], kind, &project.name)?;
        editor.may(&["get", "update", "patch"], &format!("{kind}/status"), &project.name)?;
    }
    for (kind, name, status) in [
        ("stage", "dev", json!({ "assignment": { "generation": 2 } })),
        ("stage", "dev", json!({ "assignment": null, "freightHistory": null })),
        ("stage", "dev", json!({ "freightSummary": "all is well" })),
        ("promotion", promotion, json!({ "phase": "Failed" })),
        ("freight", freight.as_str(), json!({ "verifiedIn": { "prod": {} } })),
        ("freight", freight.as_str(), json!({ "currentlyIn": null })),
    ] {
        let before = project.admin.get(kind, &project.name, name)?["status"].clone();
        let text = refused(
            editor.api.merge_status(kind, &project.name, name, &json!({ "status": status })),
            "status-guard",
        )?;
        ensure!(text.contains(&editor.name), "it says who: {text}");
        ensure!(project.admin.get(kind, &project.name, name)?["status"] == before, "{kind}");
    }
    // Not through the object itself either: there the status is not looked at.
    let stage = editor.api.merge(
        "stage",
        &project.name,
        "dev",
        &json!({ "status": { "assignment": { "generation": 2 } } }),
    )?;
    ensure!(stage["status"]["assignment"]["generation"] == 1, "{stage:#}");
    app.runs("v1")
}

#[test]
fn a_status_put_together_from_an_old_copy_by_our_own_controller() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "stale-status")?;
    project.stage_with("dev", &json!([{ "uses": "assign", "config": { "allowNone": true } }]))?;
    project.promoted("dev", &project.freight("v1")?)?;
    let old = project.admin.get("stage", &project.name, "dev")?["status"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    let claim = project.claim("dev")?;
    let controller = Kubernetes::account(&cluster, "wharfinger", "wharfinger-controller")?;
    for stale in [
        old.clone(),
        json!({ "freightHistory": old["freightHistory"] }),
        json!({ "assignment": old["assignment"] }),
        json!({ "assignment": null }),
    ] {
        refused(
            controller.merge_status("stage", &project.name, "dev", &json!({ "status": stale })),
            "status-guard",
        )?;
    }
    ensure!(project.claim("dev")? == claim);
    Ok(())
}

#[test]
fn the_record_of_an_operation_is_its_controllers() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "forged-record")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let first = app.get()?["spec"]["source"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    app.commit_hook(true)?;
    app.merge(&json!({ "operation": { "initiatedBy": { "username": "test" }, "sync": {} } }))?;
    app.wait("wait for its hook", |a| {
        (a["status"]["operationState"]["phase"] == "Running").then_some(())
    })?;

    // From here Argo CD would go on with whatever the record says.
    let deploys =
        |sync: Value| json!({ "status": { "operationState": { "operation": { "sync": sync } } } });
    let server = Kubernetes::account(&cluster, "argocd", "argocd-server")?;
    let controller = Kubernetes::account(&cluster, "argocd", "argocd-application-controller")?;
    let editor = editor_of(&project, &app)?;
    let forge =
        |who: &Kubernetes, patch: &Value| who.merge("application", "argocd", &app.name, patch);
    for who in [&server, &editor.api] {
        for forged in [
            deploys(json!({ "source": first })),
            deploys(json!({ "manifests": ["kind: ConfigMap"] })),
            json!({ "status": { "operationState": { "message": "done" } } }),
        ] {
            refused(forge(who, &forged), "operation-state")?;
        }
    }
    // A parent Application writes what Git says under the account of the application controller.
    refused(forge(&controller, &deploys(json!({ "source": first }))), "claim-outdated")?;
    refused(
        forge(&controller, &deploys(json!({ "manifests": ["kind: ConfigMap"] }))),
        "operation-source",
    )?;
    let elsewhere = json!({ "source": { "repoURL": first["repoURL"], "targetRevision": "HEAD", "path": "elsewhere" } });
    refused(forge(&controller, &deploys(elsewhere.clone())), "operation-source")?;
    for (sync, code) in [
        (json!({ "source": first }), "claim-outdated"),
        (json!({ "manifests": ["kind: ConfigMap"] }), "operation-source"),
        (elsewhere, "operation-source"),
    ] {
        for who in [&server, &controller] {
            refused(forge(who, &json!({ "operation": { "sync": sync } })), code)?;
        }
    }
    ensure!(app.image()? == format!("{IMAGE}:v2"));
    // What argocd-server has to write: the wish that it end.
    app.end_operation()?;
    app.runs("v2")
}

#[test]
fn a_promotion_takes_the_verb_promote() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "may-promote")?;
    project.stage_with("dev", &json!([{ "uses": "assign", "config": { "allowNone": true } }]))?;
    let freight = project.freight("v1")?;
    let person = project.person("person")?;
    person.may(&["create", "get", "patch"], "promotion", &project.name)?;
    let promote = || {
        person.api.create("promotion", &project.name, json!({ "metadata": { "generateName": "p-" }, "spec": { "stage": "dev", "freight": freight } }))
    };

    let text = refused(promote(), "permission")?;
    ensure!(
        text.contains("promote")
            && text.contains("may-promote:dev")
            && text.contains("verbs [promote]"),
        "it says what to ask for: {text}"
    );
    ensure!(project.admin.list("promotion", &project.name)?.is_empty());
    // Nor is another's Promotion theirs to stop, to hurry or to take away.
    let theirs = project.promoted("dev", &freight)?["metadata"]["name"].clone();
    let theirs = theirs.as_str().unwrap_or_default();
    person.may(&["delete"], "promotion", &project.name)?;
    for (annotation, value) in
        [("kargo.akuity.io/abort", "terminate"), ("kargo.akuity.io/refresh", "now")]
    {
        let patch = json!({ "metadata": { "annotations": { annotation: value } } });
        refused(person.api.merge("promotion", &project.name, theirs, &patch), "permission")?;
    }
    let deleted = person.api.delete("promotion", &project.name, theirs).map(|()| Value::Null);
    refused(deleted, "permission")?;
    project.admin.get("promotion", &project.name, theirs)?;
    person.may(&["promote"], "stage", &project.name)?;
    person.api.delete("promotion", &project.name, theirs)?;
    let promotion = promote()?;
    let annotations = &promotion["metadata"]["annotations"];
    ensure!(
        annotations["kargo.akuity.io/create-actor"] == format!("kubernetes:{}", person.name),
        "{promotion:#}"
    );
    let promotion = project.ended(promotion["metadata"]["name"].as_str().unwrap_or_default())?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    let stage = project.admin.get("stage", &project.name, "dev")?;
    ensure!(
        stage["status"]["assignment"]["actor"] == format!("kubernetes:{}", person.name),
        "{stage:#}"
    );
    Ok(())
}

#[test]
fn an_approval_takes_the_verb_promote() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "may-approve")?;
    project.stage("dev")?;
    let freight = project.freight("v1")?;
    let person = project.person("person")?;
    person.may(&["get", "patch"], "freight/status", &project.name)?;
    let approve = || {
        let approval = json!({ "status": { "approvedFor": { "dev": { "approvedAt": "2026-01-01T00:00:00Z" } } } });
        person.api.merge_status("freight", &project.name, &freight, &approval)
    };
    let text = refused(approve(), "permission")?;
    ensure!(text.contains("may-approve:dev"), "{text}");
    person.may(&["promote"], "stage", &project.name)?;
    let approved = approve()?;
    ensure!(approved["status"]["approvedFor"]["dev"].is_object(), "{approved:#}");
    let withdraw = json!({ "status": { "approvedFor": { "dev": null } } });
    refused(
        person.api.merge_status("freight", &project.name, &freight, &withdraw),
        "status-guard",
    )?;
    Ok(())
}

#[test]
fn break_glass_takes_the_verb_bypass() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "glass")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let first = app.get()?["spec"]["source"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    app.runs("v2")?;
    let person = editor_of(&project, &app)?;
    let annotate =
        |reason: Value| json!({ "metadata": { "annotations": { BREAK_GLASS: reason } } });
    let write = |patch: &Value| person.api.merge("application", "argocd", &app.name, patch);

    let text = refused(write(&annotate("all is on fire".into())), "permission")?;
    ensure!(text.contains("bypass") && text.contains("glass:dev"), "{text}");
    ensure!(warnings(&project, &app)?.is_empty(), "nothing happened, so nothing is told");
    person.may(&["bypass"], "stage", &project.name)?;
    refused(write(&annotate(" ".into())), "break-glass")?;
    write(&annotate("all is on fire".into()))?;
    let told = cluster
        .until("a Warning event", || warnings(&project, &app)?.pop().context("there is none"))?;
    ensure!(told.contains(&person.name) && told.contains("all is on fire"), "{told}");

    // The one way to deploy other Freight without a promotion, and nobody takes it back.
    let stored = write(&json!({ "spec": { "source": first } }))?;
    ensure!(stored["spec"]["source"] == first, "{stored:#}");
    app.runs("v1")?;
    cluster.until("a second Warning event", || {
        ensure!(warnings(&project, &app)?.len() >= 2);
        Ok(())
    })?;
    // What the rules would refuse is over before they apply again.
    cluster.until("the operation to end", || {
        ensure!(app.get()?["operation"].is_null());
        Ok(())
    })?;
    write(&annotate(Value::Null))?;
    ensure!(app.claims()? == [project.claim("dev")?], "with the annotation goes what it allowed");
    app.runs("v2")
}

#[test]
fn leaving_takes_the_verb_promote() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "leaving")?;
    project.stage("dev")?;
    project.stage("prod")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let person = editor_of(&project, &app)?;
    let write = |patch: &Value| person.api.merge("application", "argocd", &app.name, patch);

    let drop_plugin = json!({ "spec": { "source": { "plugin": null } } });
    for (row, patch) in [
        ("the annotation goes", annotated(&Value::Null)),
        ("it names another Stage", annotated(&"leaving:prod".into())),
        ("the plugin goes", drop_plugin.clone()),
        (
            "another plugin comes",
            json!({ "spec": { "source": { "plugin": { "name": "another" } } } }),
        ),
        (
            "all goes",
            json!({ "metadata": { "annotations": { STAGE: null } }, "spec": { "source": { "plugin": null } } }),
        ),
    ] {
        let text = refused(write(&patch), "permission").context(row)?;
        ensure!(text.contains("promote") && text.contains("leaving:dev"), "{row}: {text}");
    }
    person.may(&["promote"], "stage", &project.name)?;
    let stored = write(
        &json!({ "metadata": { "annotations": { STAGE: null } }, "spec": drop_plugin["spec"] }),
    )?;
    ensure!(
        stored["metadata"]["annotations"].get(STAGE).is_none()
            && stored["spec"]["source"].get("plugin").is_none(),
        "{stored:#}"
    );
    app.runs("v1")
}

#[test]
fn a_stage_with_applications_goes_only_by_the_verb_bypass() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "stage-goes")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let person = editor_of(&project, &app)?;
    person.may(&["delete"], "stage", &project.name)?;
    let delete = || person.api.delete("stage", &project.name, "dev").map(|()| Value::Null);

    let text = refused(delete(), "in-use")?;
    ensure!(text.contains(&format!("argocd/{}", app.name)), "it names the Applications: {text}");
    person.may(&["bypass"], "stage", &project.name)?;
    delete()?;
    cluster.until("the Stage to be gone", || {
        ensure!(project.admin.get("stage", &project.name, "dev").is_err());
        Ok(())
    })?;
    app.runs("v1")?;
    // Nobody is left to ask, and this person may not promote.
    person.api.merge("application", "argocd", &app.name, &json!({ "metadata": { "annotations": { STAGE: null } }, "spec": { "source": { "plugin": null } } }))?;
    Ok(())
}

/// The garbage collector deletes what names an owner that does not exist, and nobody is asked then.
#[test]
fn an_owner_that_does_not_exist() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "false-owner")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let freight = project.freight("v1")?;
    project.promoted("dev", &freight)?;
    let person = editor_of(&project, &app)?;
    for kind in ["stage", "freight"] {
        person.may(&["get", "update", "patch"], kind, &project.name)?;
    }
    let owner = |name: &str, uid: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid });
    let nobody = owner("nobody", "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    let own = |kind: &str, name: &str, owners: &[&Value]| {
        let patch = json!({ "metadata": { "ownerReferences": owners } });
        person.api.merge(kind, &project.name, name, &patch)
    };
    for (kind, name) in [("stage", "dev"), ("freight", freight.as_str())] {
        let text = refused(own(kind, name, &[&nobody]), "permission")?;
        ensure!(text.contains("bypass") && text.contains("nobody"), "it says why: {text}");
        let applied = json!({ "metadata": { "name": name, "ownerReferences": [nobody] } });
        refused(person.api.apply(kind, &project.name, applied), "permission")?;
        let kept = project.admin.get(kind, &project.name, name)?;
        ensure!(kept["metadata"].get("ownerReferences").is_none(), "{kept:#}");
    }

    // The garbage collector may go on with its own work: it takes away the owner that is gone and leaves the other.
    person.may(&["bypass"], "stage", &project.name)?;
    let keeper = json!({ "metadata": { "name": "keeper" } });
    let keeper = project.admin.create("configmap", &project.name, keeper)?;
    let keeper = owner("keeper", keeper["metadata"]["uid"].as_str().unwrap_or_default());
    own("stage", "dev", &[&keeper, &nobody])?;
    project.admin.wait("stage", &project.name, "dev", "have one owner", |stage| {
        let owners = stage["metadata"]["ownerReferences"].as_array()?;
        (owners.len() == 1 && owners[0]["name"] == "keeper").then_some(())
    })?;
    // And this is what would have been: nobody asks about the Applications.
    own("stage", "dev", &[&nobody])?;
    cluster.until("the Stage to be gone", || {
        ensure!(project.admin.get("stage", &project.name, "dev").is_err());
        Ok(())
    })?;
    app.runs("v1")
}

#[test]
fn a_namespace_with_applications_goes_only_by_the_verb_bypass() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "space-goes")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let person = editor_of(&project, &app)?;
    person.may(&["delete", "get", "patch"], "namespace", &project.name)?;
    let delete =
        |api: &Kubernetes| api.delete("namespace", "", &project.name).map(|()| Value::Null);
    let merge = |metadata: Value| {
        let patch = json!({ "metadata": metadata });
        person.api.merge("namespace", "", &project.name, &patch)
    };
    let text = refused(delete(&person.api), "in-use")?;
    ensure!(text.contains(&format!("argocd/{}", app.name)), "it names the Applications: {text}");
    for value in [Value::Null, "no".into()] {
        refused(merge(json!({ "labels": { "kargo.akuity.io/project": value } })), "in-use")?;
    }
    merge(json!({ "labels": { "team": "a" } }))?;
    // Not for an owner that does not exist either: the garbage collector is asked like anybody. That of this cluster may do
    // everything, as its administrator; this is the account that it has elsewhere.
    let collector = project.account("kube-system", "generic-garbage-collector")?;
    refused(delete(&collector.api), "in-use")?;
    project.admin.get("stage", &project.name, "dev")?;
    app.runs("v1")?;

    person.may(&["bypass"], "stage", &project.name)?;
    delete(&person.api)?;
    cluster.until("the namespace to be gone", || {
        ensure!(project.admin.get("namespace", "", &project.name).is_err());
        Ok(())
    })
}

#[test]
fn a_project_with_applications_goes_only_by_the_verb_bypass() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "project-goes")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let person = editor_of(&project, &app)?;
    person.may(&["delete"], "project", "")?;
    let delete = || person.api.delete("project", "", &project.name).map(|()| Value::Null);
    let text = refused(delete(), "in-use")?;
    ensure!(text.contains(&format!("argocd/{}", app.name)), "it names the Applications: {text}");
    person.may(&["bypass"], "stage", &project.name)?;
    // Held by a finalizer, as by Kargo's controller, which deletes the namespace while the Project is going.
    let held = json!({ "metadata": { "finalizers": ["kargo.akuity.io/finalizer"] } });
    project.admin.merge("project", "", &project.name, &held)?;
    delete()?;
    let kargo = project.account("kargo", "kargo-management-controller")?;
    kargo.may(&["delete"], "namespace", &project.name)?;
    kargo.api.delete("namespace", "", &project.name)?;
    let free = json!({ "metadata": { "finalizers": null } });
    project.admin.merge("project", "", &project.name, &free)?;
    cluster.until("the Project and its namespace to be gone", || {
        for kind in ["project", "namespace"] {
            ensure!(project.admin.get(kind, "", &project.name).is_err(), "the {kind} is there");
        }
        Ok(())
    })
}

#[test]
fn an_application_of_ours_belongs_to_one_stage() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "one-stage")?;
    project.stage("dev")?;
    project.stage("prod")?;
    for (name, annotations) in [
        ("two", json!({ STAGE: "one-stage:dev,one-stage:prod" })),
        ("none", json!({})),
        ("glob", json!({ STAGE: "one-stage:*" })),
    ] {
        let app = App::new(&project, name, "dev", Kind::Plain)?.with(|_, a| *a = annotations);
        let text = refused(app.create().map(|()| Value::Null), "authorized-stage")?;
        ensure!(text.contains("<project>:<stage>"), "it says what to write: {text}");
    }
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    refused(app.merge(&annotated(&"one-stage:dev,one-stage:prod".into())), "authorized-stage")?;
    // Sources of Argo CD's own keep Kargo's meaning.
    let app = App::new(&project, "native", "dev", Kind::Plain)?.with(|spec, annotations| {
        crate::owners::native(spec, annotations);
        annotations[STAGE] = "one-stage:dev,one-stage:prod".into();
    });
    app.create()
}

/// Somebody who may write this Application, and nothing else.
fn editor_of<'p>(project: &'p Project<'_>, app: &App<'_>) -> Result<Person<'p>> {
    let person = project.person("editor")?;
    person.may(&["get", "update", "patch"], "application", &app.namespace)?;
    Ok(person)
}

fn annotated(stage: &Value) -> Value {
    json!({ "metadata": { "annotations": { STAGE: stage } } })
}

/// The texts of the Warning events about an Application that break-glass left.
fn warnings(project: &Project<'_>, app: &App<'_>) -> Result<Vec<String>> {
    let events = project.admin.list("event", &app.namespace)?.into_iter();
    let of_app = events.filter(|e| {
        let about = if e["regarding"].is_object() { &e["regarding"] } else { &e["involvedObject"] };
        about["name"] == app.name.as_str() && e["type"] == "Warning" && e["reason"] == "BreakGlass"
    });
    Ok(of_app
        .filter_map(|e| Some(e.get("message").or(e.get("note"))?.as_str()?.to_owned()))
        .collect())
}

#[test]
fn a_parent_application_that_promotes_or_breaks_glass() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "from-git")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let freight = project.freight("v1")?;
    project.promoted("dev", &freight)?;
    // What a parent has in Git is written by this account, which may do everything.
    let argocd = Kubernetes::account(&cluster, "argocd", "argocd-application-controller")?;
    let promotion = json!({ "metadata": { "generateName": "promo-" }, "spec": { "stage": "dev", "freight": freight, "steps": [{ "uses": "assign" }] } });
    refused(argocd.create("promotion", &project.name, promotion), "permission")?;
    let glass = json!({ "metadata": { "annotations": { BREAK_GLASS: "from Git" } } });
    refused(argocd.merge("application", "argocd", &app.name, &glass), "permission")?;
    let deleted = argocd.delete("stage", &project.name, "dev").map(|()| Value::Null);
    refused(deleted, "in-use")?;
    Ok(())
}

/// A parent that does what Git says, with Argo CD's own account: what Git says of a child is judged like what anybody writes.
#[test]
fn a_parent_application_that_forges_what_was_deployed() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "forging-parent")?;
    project.stage("dev")?;
    let child = App::new(&project, "web", "dev", Kind::Bare)?;
    let commit =
        |child: &Value| project.commit(&[("children/web.json", child.to_string().as_str())]);
    commit(&child.manifest())?;
    let parent = App::new(&project, "parent", "dev", Kind::Bare)?.with(|spec, annotations| {
        crate::owners::native(spec, annotations);
        spec["source"]["path"] = "children".into();
    });
    parent.create()?;
    let sync = || cluster.argocd(&["app", "sync", &parent.name, "--timeout", "60"]);
    sync()?.ok()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let first = child.get()?["spec"]["source"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    child.runs("v2")?;

    let deploys = json!({ "sync": { "source": first } });
    let other = json!({ "sync": { "manifests": ["kind: ConfigMap"] } });
    for (row, more, code) in [
        ("an operation with older Freight", json!({ "operation": deploys }), "claim-outdated"),
        ("an operation with manifests", json!({ "operation": other }), "operation-source"),
        (
            "a record of an operation",
            json!({ "status": { "operationState": { "phase": "Running", "message": "", "startedAt": "2026-01-01T00:00:00Z", "operation": other } } }),
            "operation-source",
        ),
    ] {
        let mut forged = child.manifest();
        if let (Some(forged), Some(more)) = (forged.as_object_mut(), more.as_object()) {
            forged.extend(more.clone());
        }
        commit(&forged)?;
        let done = sync()?;
        ensure!(!done.success(), "{row}: {}", done.stdout);
        let told = parent.get()?["status"]["operationState"].to_string();
        ensure!(told.contains(&format!("[{code}]")), "{row}: {told}");
        ensure!(child.image()? == format!("{IMAGE}:v2"), "{row}");
    }
    // With what it may say the parent goes on.
    commit(&child.manifest())?;
    sync()?.ok()?;
    child.runs("v2")
}
