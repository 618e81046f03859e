//! Every way around a promotion that we know of, tried by whoever would: the row that fails names it.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Kubernetes, Person, Project, claims, refused};

const STAGE: &str = "kargo.akuity.io/authorized-stage";

/// Somebody who may edit Applications, and those of Argo CD's accounts that write them for others.
struct Writers<'p> {
    editor: Person<'p>,
    argocd: Vec<(&'static str, Kubernetes)>,
}

impl<'p> Writers<'p> {
    fn of(project: &'p Project<'_>) -> Result<Self> {
        let editor = project.person("editor")?;
        editor.may(&["get", "create", "update", "patch", "delete"], "application", "argocd")?;
        let accounts =
            ["argocd-server", "argocd-applicationset-controller", "argocd-application-controller"];
        let argocd = accounts
            .into_iter()
            .map(|account| Ok((account, Kubernetes::account(project.cluster, "argocd", account)?)));
        Ok(Self { argocd: argocd.collect::<Result<_>>()?, editor })
    }

    fn all(&self) -> impl Iterator<Item = (&str, &Kubernetes)> {
        let argocd = self.argocd.iter().map(|(name, api)| (*name, api));
        argocd.chain([("editor", &self.editor.api)])
    }

    /// All but the application controller.
    fn others(&self) -> impl Iterator<Item = (&str, &Kubernetes)> {
        self.all().filter(|(who, _)| *who != "argocd-application-controller")
    }
}

/// Nobody gets the patch through, and the Application stays what it is.
fn refused_to_all(
    app: &App<'_>,
    writers: &Writers<'_>,
    row: &str,
    patch: &Value,
    code: &str,
) -> Result<()> {
    let before = app.get()?["spec"].clone();
    for (who, api) in writers.all() {
        refused(api.merge("application", "argocd", &app.name, patch), code)
            .with_context(|| format!("{row}, by {who}"))?;
    }
    ensure!(app.get()?["spec"] == before, "{row}: it was changed");
    Ok(())
}

#[test]
fn what_is_deployed_and_where() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-spec")?;
    project.stage("dev")?;
    project.stage("prod")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let writers = Writers::of(&project)?;
    let source = app.get()?["spec"]["source"].clone();
    let native =
        json!({ "repoURL": source["repoURL"], "path": "elsewhere", "targetRevision": "HEAD" });
    let spec = |spec: Value| json!({ "spec": spec });
    let of_source = |source: Value| json!({ "spec": { "source": source } });
    let hydrator =
        json!({ "drySource": native, "syncSource": { "targetBranch": "env", "path": "p" } });

    // What its Project may let everybody do: the word, and the patch.
    let free = [
        ("path", of_source(json!({ "path": "elsewhere" }))),
        ("repository", of_source(json!({ "repoURL": "https://git.example/x.git" }))),
        ("repository", of_source(json!({ "repoURL": "https://charts.example", "chart": "web" }))),
        ("revision", of_source(json!({ "targetRevision": "other" }))),
        (
            "parameters",
            of_source(json!({ "plugin": { "parameters": [{ "name": "a", "string": "b" }] } })),
        ),
        ("parameters", of_source(json!({ "kustomize": { "images": ["a=b"] } }))),
        ("destination", spec(json!({ "destination": { "namespace": "elsewhere" } }))),
        (
            "ignoreDifferences",
            spec(
                json!({ "ignoreDifferences": [{ "kind": "Deployment", "group": "apps", "jsonPointers": ["/spec/template"] }] }),
            ),
        ),
        ("project", spec(json!({ "project": "other" }))),
        ("sources", spec(json!({ "source": null, "sources": [source, native] }))),
    ];
    for (word, patch) in &free {
        refused_to_all(&app, &writers, word, patch, "permission")?;
        let text = refused(
            writers.editor.api.merge("application", "argocd", &app.name, patch),
            "permission",
        )?;
        ensure!(text.contains(&format!("freely: [{word}]")), "it says what to write: {text}");
    }
    for (row, patch, code) in [
        (
            "the plugin is renamed",
            of_source(json!({ "plugin": { "name": "other" } })),
            "permission",
        ),
        (
            "the plugin is renamed to a path",
            of_source(json!({ "plugin": { "name": "./wharfinger" } })),
            "permission",
        ),
        ("the plugin goes", of_source(json!({ "plugin": null })), "permission"),
        ("sources win over the source", spec(json!({ "sources": [native] })), "permission"),
        (
            "the annotation goes",
            json!({ "metadata": { "annotations": { STAGE: null } } }),
            "permission",
        ),
        (
            "a list of Stages",
            json!({ "metadata": { "annotations": { STAGE: "bypass-spec:dev,bypass-spec:prod" } } }),
            "authorized-stage",
        ),
        ("the hydrator", spec(json!({ "sourceHydrator": hydrator })), "leaving"),
        (
            "glass",
            json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": "please" } } }),
            "permission",
        ),
    ] {
        refused_to_all(&app, &writers, row, &patch, code)?;
    }
    // Put back in the same write.
    let claim = project.claim("dev")?;
    for (row, env) in [
        ("none", json!([])),
        (
            "another Stage",
            json!([{ "name": "WHARFINGER_STAGE", "value": "bypass-spec:prod" }, { "name": "WHARFINGER_FREIGHT", "value": claim }]),
        ),
        ("another entry", json!([{ "name": "COLOUR", "value": "red" }])),
    ] {
        for (who, api) in writers.all() {
            let stored = api.merge(
                "application",
                "argocd",
                &app.name,
                &of_source(json!({ "plugin": { "env": env } })),
            )?;
            ensure!(claims(&stored["spec"]) == [claim.as_str()], "env {row}, by {who}: {stored:#}");
        }
    }
    // On its way out it is an Application like any other.
    let held = json!({ "metadata": { "finalizers": ["bypass.test/hold"] } });
    app.merge(&held)?;
    project.admin.delete("application", "argocd", &app.name)?;
    refused_to_all(&app, &writers, "on its way out", &free[0].1, "permission")?;
    app.runs("v1")?;
    app.merge(&json!({ "metadata": { "finalizers": null } }))?;
    Ok(())
}

#[test]
fn what_the_project_lets_everybody_do() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-free")?;
    project.stage("dev")?;
    project.rules(&json!({ "freely": ["parameters"] }))?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let writers = Writers::of(&project)?;
    for (who, api) in writers.all() {
        let parameters = json!([{ "name": "include", "string": who }]);
        let patch = json!({ "spec": { "source": { "plugin": { "parameters": parameters } } } });
        let stored = api.merge("application", "argocd", &app.name, &patch)?;
        ensure!(
            stored["spec"]["source"]["plugin"]["parameters"] == parameters,
            "{who}: {stored:#}"
        );
        let both = json!({ "spec": { "source": { "path": "x", "plugin": { "parameters": [] } } } });
        let text = refused(api.merge("application", "argocd", &app.name, &both), "permission")?;
        ensure!(text.contains("spec.source.path"), "{who}: {text}");
    }
    // What was free a moment ago is not now, whatever a cache says.
    project.rules(&json!({}))?;
    let patch = json!({ "spec": { "source": { "plugin": { "parameters": null } } } });
    refused_to_all(&app, &writers, "free no more", &patch, "permission")?;
    writers.editor.may(&["promote"], "stage", &project.name)?;
    writers.editor.api.merge("application", "argocd", &app.name, &patch)?;
    Ok(())
}

/// When and how it is deployed is everybody's: what is deployed stays what it is.
#[test]
fn a_sync_policy() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-policy")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let writers = Writers::of(&project)?;
    let source = app.get()?["spec"]["source"].clone();
    for policy in [
        json!({ "automated": { "prune": true, "selfHeal": true } }),
        json!({ "automated": { "enabled": false, "allowEmpty": true } }),
        json!({ "automated": null, "syncOptions": ["ServerSideApply=true"] }),
        json!({ "retry": { "limit": 2, "backoff": { "duration": "5s", "factor": 2, "maxDuration": "1m" } } }),
        json!({ "managedNamespaceMetadata": { "labels": { "team": "a" } } }),
        json!(null),
    ] {
        for (who, api) in writers.all() {
            let patch = json!({ "spec": { "syncPolicy": policy } });
            let stored = api
                .merge("application", "argocd", &app.name, &patch)
                .with_context(|| format!("{policy}, by {who}"))?;
            ensure!(stored["spec"]["source"] == source, "{policy}, by {who}: {stored:#}");
        }
    }
    app.runs("v1")
}

/// What is asked for with the creation is judged like what is asked for later: nobody drops it on the way.
#[test]
fn an_operation_that_comes_with_the_application() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-born")?;
    project.stage("dev")?;
    let first = App::new(&project, "first", "dev", Kind::Bare)?;
    first.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let older = first.get()?["spec"]["source"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    let writers = Writers::of(&project)?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    let asking = |sync: Value| {
        let mut manifest = app.manifest();
        manifest["operation"] = json!({ "initiatedBy": { "username": "x" }, "sync": sync });
        manifest
    };
    let mut outdated = app.manifest()["spec"]["source"].clone();
    outdated["plugin"] = older["plugin"].clone();
    let mut elsewhere = outdated.clone();
    elsewhere["path"] = "elsewhere".into();
    for (row, sync, code) in [
        ("manifests", json!({ "manifests": ["kind: ConfigMap"] }), "operation-source"),
        ("an older source", json!({ "source": outdated }), "claim-outdated"),
        ("another path", json!({ "source": elsewhere }), "claim-outdated"),
    ] {
        for (who, api) in writers.all() {
            refused(api.create("application", "argocd", asking(sync.clone())), code)
                .with_context(|| format!("{row}, by {who}"))?;
        }
    }
    writers.editor.api.create("application", "argocd", asking(json!({ "prune": true })))?;
    app.runs("v2")
}

/// Each of several sources is what it is, and where it is.
#[test]
fn several_sources() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-several")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Several)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let older = two(&app)?;
    project.promoted("dev", &project.freight("v2")?)?;
    let [first, second] = two(&app)?;
    let writers = Writers::of(&project)?;
    let changed = |source: &Value, field: &str, value: Value| {
        let mut source = source.clone();
        source[field] = value;
        source
    };
    let mut native = second.clone();
    native.as_object_mut().map(|source| source.shift_remove("plugin"));
    for (row, sources) in [
        (
            "another path of the second",
            json!([first, changed(&second, "path", "elsewhere".into())]),
        ),
        ("the other order", json!([second, first])),
        ("one goes", json!([first])),
        ("one more", json!([first, second, native])),
        ("the plugin goes from one", json!([first, native])),
        (
            "one is rendered otherwise",
            json!([first, changed(&second, "helm", json!({ "values": "a: b" }))]),
        ),
    ] {
        let patch = json!({ "spec": { "sources": sources } });
        refused_to_all(&app, &writers, row, &patch, "permission")?;
    }
    // The claim of each is put back in the same write.
    for (who, api) in writers.all() {
        let patch = json!({ "spec": { "sources": [first, older[1]] } });
        let stored = api.merge("application", "argocd", &app.name, &patch)?;
        let claim = project.claim("dev")?;
        ensure!(claims(&stored["spec"]) == [claim.clone(), claim], "by {who}: {stored:#}");
    }
    for (row, sync, code) in [
        ("one that is older", json!({ "sources": [first, older[1]] }), "claim-outdated"),
        ("the other order", json!({ "sources": [second, first] }), "operation-source"),
        ("one of them", json!({ "sources": [first] }), "operation-source"),
        ("as if it were the only one", json!({ "source": first }), "operation-source"),
    ] {
        let patch = json!({ "operation": { "initiatedBy": { "username": "x" }, "sync": sync } });
        refused_to_all(&app, &writers, row, &patch, code)?;
    }
    app.runs("v2")
}

fn two(app: &App<'_>) -> Result<[Value; 2]> {
    let app = app.get()?;
    let [first, second] = [0, 1].map(|at| app["spec"]["sources"][at].clone());
    ensure!(second.is_object(), "{app:#}");
    Ok([first, second])
}

#[test]
fn an_operation() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-op")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    let commit = project.head()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let older = app.get()?["spec"]["source"].clone();
    project.promoted("dev", &project.freight("v2")?)?;
    let source = app.get()?["spec"]["source"].clone();
    let writers = Writers::of(&project)?;
    let sync =
        |sync: &Value| json!({ "operation": { "initiatedBy": { "username": "x" }, "sync": sync } });
    let mut elsewhere = source.clone();
    elsewhere["path"] = "elsewhere".into();
    for (row, patch, code) in [
        ("an older source", json!({ "source": older }), "claim-outdated"),
        ("older sources", json!({ "sources": [older] }), "claim-outdated"),
        ("another path", json!({ "source": elsewhere }), "operation-source"),
        ("one more source", json!({ "sources": [source, elsewhere] }), "operation-source"),
        ("manifests", json!({ "manifests": ["kind: ConfigMap"] }), "operation-source"),
    ] {
        refused_to_all(&app, &writers, row, &sync(&patch), code)?;
    }
    for (row, patch) in [
        ("a revision", json!({ "revision": commit })),
        ("revisions", json!({ "revisions": [commit] })),
        (
            "the revision of the source",
            json!({ "source": { "repoURL": source["repoURL"], "path": source["path"], "plugin": source["plugin"], "targetRevision": commit } }),
        ),
    ] {
        let text = refused(
            writers.editor.api.merge("application", "argocd", &app.name, &sync(&patch)),
            "permission",
        )
        .with_context(|| row.to_owned())?;
        ensure!(text.contains("freely: [revision]"), "{row}: {text}");
    }
    // The commit that a branch stood for is what argocd-server sends for every sync; and a part is less of the same.
    cluster.argocd(&["app", "sync", &app.name, "--timeout", "60"])?.ok()?;
    let part = format!("apps:Deployment:{}", app.name);
    cluster.argocd(&["app", "sync", &app.name, "--resource", &part, "--timeout", "60"])?.ok()?;
    app.runs("v2")?;

    // What Freight pins is pinned for everybody.
    let old = project.head()?;
    let new = project.commit(&[(
        "bypass-op-web/more.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n",
    )])?;
    let commits = json!([{ "repoURL": source["repoURL"], "id": new }]);
    project.promoted("dev", &project.freight_with("v3", &commits)?)?;
    refused_to_all(
        &app,
        &writers,
        "past the pin",
        &sync(&json!({ "revision": old })),
        "wrong-revision",
    )?;
    let done = cluster.argocd(&["app", "sync", &app.name, "--revision", &old])?;
    ensure!(!done.success() && done.stderr.contains("[wrong-revision]"), "{}", done.stderr);
    let stored = writers.editor.api.merge(
        "application",
        "argocd",
        &app.name,
        &json!({ "spec": { "source": { "targetRevision": old } } }),
    )?;
    ensure!(stored["spec"]["source"]["targetRevision"] == new.as_str(), "put back: {stored:#}");
    app.runs("v3")
}

#[test]
fn a_status() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-status")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let writers = Writers::of(&project)?;
    let now = app.get()?;
    let mut entry = now["status"]["history"][0].clone();
    entry["source"]["path"] = "elsewhere".into();
    for (row, status) in [
        ("history", json!({ "history": [entry] })),
        ("sync", json!({ "sync": { "status": "OutOfSync" } })),
        ("health", json!({ "health": { "status": "Degraded" } })),
        ("how it was rendered", json!({ "sourceType": "Directory" })),
        ("when it was compared", json!({ "reconciledAt": "2026-01-01T00:00:00Z" })),
    ] {
        for (who, api) in writers.others() {
            refused(
                api.merge("application", "argocd", &app.name, &json!({ "status": status })),
                "status-guard",
            )
            .with_context(|| format!("{row}, by {who}"))?;
        }
    }
    // Argo CD would go on with the sources in the result, though the operation is the one that was admitted.
    app.commit_hook(true)?;
    app.merge(&json!({ "operation": { "initiatedBy": { "username": "x" }, "sync": {} } }))?;
    app.wait("wait for its hook", |a| {
        let state = &a["status"]["operationState"];
        (state["phase"] == "Running" && state["syncResult"].is_object()).then_some(())
    })?;
    let forged = json!({ "status": { "operationState": { "syncResult": { "source": { "path": "elsewhere" } } } } });
    refused_to_all(&app, &writers, "the sources of a result", &forged, "operation-state")?;
    app.end_operation()?;

    // To take it away and put another in its place: it gets the claim, and no past of its own making.
    let mut again = app.manifest();
    again["spec"]["source"] = now["spec"]["source"].clone();
    let held = project.claim("dev")?;
    let newer = format!("2{}", held.trim_start_matches('1'));
    project.admin.delete("application", "argocd", &app.name)?;
    for claim in [&held, &newer] {
        let mut entry = now["status"]["history"][0].clone();
        entry["source"]["plugin"]["env"] = json!([
            { "name": "WHARFINGER_STAGE", "value": "bypass-status:dev" },
            { "name": "WHARFINGER_FREIGHT", "value": claim },
        ]);
        let sync = json!({ "status": "Synced", "comparedTo": { "source": entry["source"], "destination": {} } });
        for status in [json!({ "history": [entry] }), json!({ "sync": sync })] {
            again["status"] = status;
            // By a parent in Git too: it is created with the account of the application controller.
            for (who, api) in writers.all() {
                let text =
                    refused(api.create("application", "argocd", again.clone()), "status-guard")
                        .with_context(|| format!("a past with the creation, by {who}"))?;
                ensure!(text.contains("Remove status"), "it says what to do: {text}");
            }
        }
        // Nor in two steps, as a stranger first.
        let mut stranger = again.clone();
        stranger["status"] = json!({ "history": [entry] });
        crate::owners::native(&mut stranger["spec"], &mut json!({}));
        stranger["metadata"]["annotations"] = json!({});
        writers.editor.api.create("application", "argocd", stranger)?;
        let join = json!({ "metadata": { "annotations": { STAGE: "bypass-status:dev" } }, "spec": { "source": again["spec"]["source"] } });
        for (who, api) in writers.all() {
            refused(api.merge("application", "argocd", &app.name, &join), "status-guard")
                .with_context(|| format!("a past with the joining, by {who}"))?;
        }
        project.admin.delete("application", "argocd", &app.name)?;
    }
    again.as_object_mut().map(|app| app.remove("status"));
    again["spec"]["source"]["plugin"]["env"] = json!([]);
    let stored = writers.editor.api.create("application", "argocd", again)?;
    ensure!(claims(&stored["spec"]) == [project.claim("dev")?], "{stored:#}");
    Ok(())
}

#[test]
fn joining_and_leaving() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-join")?;
    project.stage("dev")?;
    let [web, db] = ["web", "db"].map(|name| App::new(&project, name, "dev", Kind::Bare));
    let (web, db) = (web?, db?);
    let writers = Writers::of(&project)?;
    let server = "system:serviceaccount:argocd:argocd-application-controller";
    project.rules(&json!({
        "applications": [{ "namespace": "argocd", "project": "def*", "name": "*-web" }],
        "releasedBy": [server],
    }))?;
    for (who, api) in writers.all() {
        let text = refused(api.create("application", "argocd", db.manifest()), "joining")
            .with_context(|| format!("created by {who}"))?;
        ensure!(text.contains(r#"name: "bypass-join-db""#), "it says what to add: {text}");
    }
    // Native first, then with the annotation.
    let bare = App::new(&project, "db", "dev", Kind::Bare)?.with(crate::owners::native);
    bare.create()?;
    let annotation = json!({ "metadata": { "annotations": { STAGE: "bypass-join:dev" } } });
    refused_to_all(&bare, &writers, "annotated", &annotation, "joining")?;
    web.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let leave = json!({ "metadata": { "annotations": { STAGE: null } }, "spec": { "source": { "plugin": null } } });
    for (who, api) in writers.others() {
        refused(api.merge("application", "argocd", &web.name, &leave), "permission")
            .with_context(|| format!("left by {who}"))?;
    }
    let (_, released_by) = writers.argocd.last().context("an account")?;
    released_by.merge("application", "argocd", &web.name, &leave)?;
    Ok(())
}

#[test]
fn an_applicationset_whose_template_changes() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-set")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?.auto_sync();
    let set = |app: &App<'_>| {
        let manifest = app.manifest();
        let template = json!({ "metadata": manifest["metadata"], "spec": manifest["spec"] });
        json!({ "metadata": { "name": project.name }, "spec": { "generators": [{ "list": { "elements": [{}] } }], "template": template } })
    };
    project.admin.create("applicationset", "argocd", set(&app))?;
    app.wait("be generated", |_| Some(()))?;
    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;
    let before = app.get()?["spec"].clone();
    let log = cluster.process(Role::ApplicationSetController)?;
    let denied = |what: &str| {
        cluster.until("the ApplicationSet controller to be refused", || {
            let text = log.log_text();
            let found = text.lines().any(|l| l.contains("bypass-set-web") && l.contains(what));
            ensure!(found, "not refused with {what}");
            Ok(())
        })
    };
    project.admin.merge("applicationset", "argocd", &project.name, &json!({ "spec": { "template": { "metadata": { "annotations": { STAGE: null } }, "spec": { "source": { "plugin": null } } } } }))?;
    denied("take the Application away")?;
    ensure!(app.get()?["spec"] == before, "it left");
    let moved = App::new(&project, "web", "dev", Kind::Bare)?
        .auto_sync()
        .with(|spec, _| spec["destination"]["namespace"] = "elsewhere".into());
    project.admin.merge("applicationset", "argocd", &project.name, &set(&moved))?;
    denied("freely: [destination]")?;
    ensure!(app.get()?["spec"] == before);
    app.runs("v1")
}

#[test]
fn a_file_in_git_that_takes_the_plugin_away() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-file")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;
    let file = format!("{}/.argocd-source.yaml", app.name);
    let looked = |revision: String| {
        app.merge(&crate::owners::refresh())?;
        app.wait("be compared with the commit", |a| {
            let gone = a["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_none();
            (gone && a["status"]["sync"]["revision"] == revision.as_str())
                .then(|| a["status"].clone())
        })
    };
    // Argo CD keeps what such a file sets to null. The day it does not, this says so.
    for text in ["plugin: null\n", "plugin: {name: null}\n"] {
        let status = looked(project.commit(&[(&file, text)])?)?;
        ensure!(status["sourceType"] == "Plugin", "{text}: {status:#}");
        ensure!(status["sync"]["status"] == "Synced", "{text}: {status:#}");
    }
    project.promoted("dev", &project.freight("v2")?)?;
    app.runs("v2")?;
    // With another way to render beside the plugin, or another plugin, Argo CD renders nothing.
    for (name, text) in [
        ("both", "directory: {recurse: true}\n"),
        ("another", "plugin: {name: another}\n"),
        ("unnamed", "plugin: {name: \"\"}\n"),
    ] {
        let app = App::new(&project, name, "dev", Kind::Bare)?.auto_sync();
        project.commit(&[(&format!("{}/.argocd-source.yaml", app.name), text)])?;
        app.create()?;
        app.comparison_error().context(text)?;
        ensure!(app.image().is_err(), "{text}: {:?}", app.image());
    }
    Ok(())
}

#[test]
fn a_file_in_git_that_changes_the_claim() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-env")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let older = project.claim("dev")?;
    project.promoted("dev", &project.freight("v2")?)?;
    app.runs("v2")?;
    let env = json!({ "plugin": { "env": [
        { "name": "WHARFINGER_STAGE", "value": "bypass-env:dev" },
        { "name": "WHARFINGER_FREIGHT", "value": older },
    ] } });
    let file = format!("{}/.argocd-source-{}.yaml", app.name, app.name);
    project.commit(&[(&file, &env.to_string())])?;
    app.merge(&crate::owners::refresh())?;
    let error = app.comparison_error()?;
    ensure!(error.contains("[claim-outdated]"), "{error}");
    ensure!(app.image()? == format!("{IMAGE}:v2"));
    Ok(())
}

#[test]
fn what_kargo_and_a_ci_job_do_goes_on() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-kargo")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Kustomize)?.with(|spec, annotations| {
        crate::owners::native(spec, annotations);
        annotations[STAGE] = "bypass-kargo:dev".into();
    });
    app.create()?;
    let kargo = project.account("kargo", "kargo-controller")?;
    let job = project.person("ci")?;
    for who in [&kargo, &job] {
        who.may(&["get", "patch"], "application", "argocd")?;
    }
    let image = |tag: &str| json!([format!("{IMAGE}:{tag}")]);
    let patched = kargo.api.merge("application", "argocd", &app.name, &json!({
        "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" } },
        "spec": { "source": { "targetRevision": project.head()?, "kustomize": { "images": image("v1") } } },
        "operation": {
            "initiatedBy": { "username": "kargo-controller", "automated": true },
            "info": [{ "name": "Reason", "value": "Promotion" }, { "name": "kargo.akuity.io/promotion", "value": "p" }],
            "sync": { "revisions": [] },
        },
        "status": { "operationState": null },
    }))?;
    ensure!(patched["operation"]["sync"].is_object(), "{patched:#}");
    app.runs("v1")?;
    cluster.until("the operation to end", || {
        ensure!(app.get()?["operation"].is_null());
        Ok(())
    })?;
    job.api.merge("application", "argocd", &app.name, &json!({
        "spec": { "source": { "targetRevision": "HEAD", "kustomize": { "images": image("v2") } } },
        "operation": { "sync": { "revision": "HEAD", "prune": true } },
    }))?;
    app.runs("v2")
}

#[test]
fn when_the_stage_is_gone_the_application_can_be_put_right() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "bypass-gone")?;
    for stage in ["dev", "prod"] {
        project
            .stage_with(stage, &json!([{ "uses": "assign", "config": { "allowNone": true } }]))?;
    }
    let freight = project.freight("v1")?;
    project.promoted("prod", &freight)?;
    let apps =
        ["moved", "released", "deleted"].map(|name| App::new(&project, name, "dev", Kind::Bare));
    let apps = apps.into_iter().collect::<Result<Vec<_>>>()?;
    apps.iter().try_for_each(App::create)?;
    project.promoted("dev", &freight)?;
    let [moved, released, deleted] = &apps[..] else { bail!("three") };
    project.admin.delete("stage", &project.name, "dev")?;
    cluster.until("the Stage to be gone", || {
        ensure!(project.admin.get("stage", &project.name, "dev").is_err());
        Ok(())
    })?;
    let editor = Writers::of(&project)?.editor;
    let merge =
        |app: &App<'_>, patch: Value| editor.api.merge("application", "argocd", &app.name, &patch);
    merge(moved, json!({ "spec": { "source": { "path": "bypass-gone-released" } } }))?;
    let stored =
        merge(moved, json!({ "metadata": { "annotations": { STAGE: "bypass-gone:prod" } } }))?;
    ensure!(claims(&stored["spec"]) == [project.claim("prod")?], "{stored:#}");
    merge(
        released,
        json!({ "metadata": { "annotations": { STAGE: null } }, "spec": { "source": { "plugin": null } } }),
    )?;
    editor.api.delete("application", "argocd", &deleted.name)
}
