//! An Application of a test, and what it has deployed.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{IMAGE, Project};

/// How the manifests of an Application lie in Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// Plain, with the Deployment alone: no hook to wait for.
    Bare,
    Kustomize,
    Helm,
    /// Two sources of our plugin: one plain, one Kustomize.
    Several,
}

/// An Application `<project>-<name>` in `argocd`, which deploys a Deployment of its own name to the Project's namespace.
pub struct App<'p> {
    project: &'p Project<'p>,
    pub name: String,
    pub namespace: String,
    spec: Value,
    annotations: Value,
}

impl<'p> App<'p> {
    /// Commits the manifests. Nothing is created before `create`.
    pub fn new(project: &'p Project<'p>, name: &str, stage: &str, kind: Kind) -> Result<Self> {
        let name = format!("{}-{name}", project.name);
        commit(project, &name, kind)?;
        let source = |path: &str| json!({ "repoURL": project.cluster.git().url(&project.name), "targetRevision": "HEAD", "path": path, "plugin": { "name": "wharfinger" } });
        let destination =
            json!({ "server": "https://kubernetes.default.svc", "namespace": project.name });
        let mut spec = json!({ "project": "default", "destination": destination });
        if kind == Kind::Several {
            spec["sources"] = json!([source(&name), source(&format!("{name}-more"))]);
        } else {
            spec["source"] = source(&name);
        }
        let annotations = json!({
            "kargo.akuity.io/authorized-stage": format!("{}:{stage}", project.name),
            "argocd.argoproj.io/manifest-generate-paths": ".",
        });
        Ok(Self { project, name, namespace: "argocd".into(), spec, annotations })
    }

    #[must_use]
    pub fn auto_sync(mut self) -> Self {
        self.spec["syncPolicy"] = json!({ "automated": { "prune": true, "selfHeal": true } });
        self
    }

    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Changes what is going to be created.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Value, &mut Value)) -> Self {
        change(&mut self.spec, &mut self.annotations);
        self
    }

    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": { "name": self.name, "namespace": self.namespace, "annotations": self.annotations },
            "spec": self.spec,
        })
    }

    pub fn create(&self) -> Result<()> {
        self.project.admin.create("application", &self.namespace, self.manifest())?;
        Ok(())
    }

    pub fn get(&self) -> Result<Value> {
        self.project.admin.get("application", &self.namespace, &self.name)
    }

    pub fn merge(&self, patch: &Value) -> Result<Value> {
        self.project.admin.merge("application", &self.namespace, &self.name, patch)
    }

    pub fn wait<T>(&self, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> Result<T> {
        self.project.admin.wait("application", &self.namespace, &self.name, what, wanted)
    }

    /// Every state of this Application that is seen during `time`, the present one first.
    pub fn record(&self, time: Duration) -> Result<Vec<Value>> {
        self.project.admin.record("application", &self.namespace, &self.name, time)
    }

    /// The claims in the sources of this Application's spec.
    pub fn claims(&self) -> Result<Vec<String>> {
        Ok(claims(&self.get()?["spec"]))
    }

    /// Waits until the Application carries that claim in every source of ours.
    pub fn carries(&self, claim: &str) -> Result<()> {
        self.wait(&format!("carry the claim {claim}"), |app| {
            let claims = claims(&app["spec"]);
            (!claims.is_empty() && claims.iter().all(|c| c == claim)).then_some(())
        })
    }

    /// The text of the condition by which Argo CD says that it can't render the Application.
    pub fn comparison_error(&self) -> Result<String> {
        self.wait("show a ComparisonError", |app| {
            let conditions = app["status"]["conditions"].as_array()?;
            let error = conditions.iter().find(|c| c["type"] == "ComparisonError")?;
            Some(error["message"].as_str()?.to_owned())
        })
    }

    /// Has Argo CD end the operation that runs.
    ///
    /// Its controller looks whether that was asked for, and then writes that the operation goes on: what was asked for in
    /// between is lost. So it is asked for whenever the operation is seen to run.
    pub fn end_operation(&self) -> Result<()> {
        let ask = || self.project.cluster.argocd(&["app", "terminate-op", &self.name])?.ok();
        ask()?;
        self.wait("end its operation", |app| {
            match app["status"]["operationState"]["phase"].as_str() {
                Some("Failed") => Some(()),
                // Refused where it has ended since.
                Some("Running") => ask().ok().and(None),
                _ => None,
            }
        })
    }

    /// Waits until the live Deployment runs the image at that tag and its Pods are ready.
    pub fn runs(&self, tag: &str) -> Result<()> {
        let image = format!("{IMAGE}:{tag}");
        self.project.admin.wait(
            "deployment",
            &self.project.name,
            &self.name,
            &format!("run {image} with ready Pods"),
            |d| {
                let status = &d["status"];
                let there =
                    d["spec"]["template"]["spec"]["containers"][0]["image"] == image.as_str();
                let ready = status["observedGeneration"] == d["metadata"]["generation"]
                    && status["updatedReplicas"] == d["spec"]["replicas"]
                    && status["readyReplicas"] == d["spec"]["replicas"]
                    && status["replicas"] == d["spec"]["replicas"];
                (there && ready).then_some(())
            },
        )
    }

    /// The image of the live Deployment, as it is this moment.
    pub fn image(&self) -> Result<String> {
        let deployment = self.project.admin.get("deployment", &self.project.name, &self.name)?;
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        Ok(image.as_str().context("a Deployment must have an image")?.into())
    }

    /// The claims of the history of this Application, oldest first; one for each entry that carries one.
    pub fn history(&self) -> Result<Vec<String>> {
        let app = self.get()?;
        let entries = app["status"]["history"].as_array().cloned().unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| claims(entry).into_iter().next()).collect())
    }

    /// The manifest of its Deployment, as it lies in Git.
    pub fn web(&self) -> String {
        deployment(&self.name)
    }

    /// Commits a PreSync hook that never ends, or one that does; of a plain Application.
    pub fn commit_hook(&self, stuck: bool) -> Result<()> {
        let text = format!("{}---\n{}", self.web(), hook(&self.name, stuck));
        self.project.commit(&[(&format!("{}/web.yaml", self.name), &text)])?;
        Ok(())
    }

    /// How often the PreSync hook has run: it is made anew each time, so its age says it.
    pub fn hook_uid(&self) -> Result<String> {
        let job =
            self.project.admin.get("job", &self.project.name, &format!("{}-migrate", self.name))?;
        Ok(job["metadata"]["uid"].as_str().context("a Job must have a uid")?.into())
    }
}

/// The claims in `source` or `sources` of an object.
pub fn claims(of: &Value) -> Vec<String> {
    let several = of["sources"].as_array().cloned().unwrap_or_default();
    let sources = if several.is_empty() { vec![of["source"].clone()] } else { several };
    let env =
        sources.iter().flat_map(|s| s["plugin"]["env"].as_array().cloned().unwrap_or_default());
    env.filter(|e| e["name"] == "WHARFINGER_FREIGHT")
        .filter_map(|e| Some(e["value"].as_str()?.to_owned()))
        .collect()
}

fn commit(project: &Project<'_>, name: &str, kind: Kind) -> Result<()> {
    let deployment = deployment(name);
    let hook = hook(name, false);
    let file = |path: &str| format!("{name}/{path}");
    let files: Vec<(String, String)> = match kind {
        Kind::Plain => vec![(file("web.yaml"), format!("{deployment}---\n{hook}"))],
        Kind::Bare => vec![(file("web.yaml"), deployment)],
        Kind::Kustomize => vec![
            (file("kustomization.yaml"), "resources: [web.yaml, hook.yaml]\n".into()),
            (file("web.yaml"), deployment),
            (file("hook.yaml"), hook),
        ],
        Kind::Helm => vec![
            (file("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n")),
            (file("values.yaml"), "replicas: 2\n".into()),
            (
                file("templates/web.yaml"),
                deployment.replace("replicas: 2", "replicas: {{ .Values.replicas }}"),
            ),
            (file("templates/hook.yaml"), hook),
        ],
        Kind::Several => vec![
            (file("web.yaml"), format!("{deployment}---\n{hook}")),
            (format!("{name}-more/kustomization.yaml"), "resources: [more.yaml]\n".into()),
            (format!("{name}-more/more.yaml"), self::deployment(&format!("{name}-more"))),
        ],
    };
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    project.commit(&files)?;
    Ok(())
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: web
        image: {IMAGE}:in-git
"
    )
}

/// A PreSync hook that ends, or one that never does: no Node has what its Pod asks for.
fn hook(name: &str, stuck: bool) -> String {
    let selector = if stuck { "\n      nodeSelector: {nowhere: \"true\"}" } else { "" };
    format!(
        "apiVersion: batch/v1
kind: Job
metadata:
  name: {name}-migrate
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
spec:
  template:
    spec:
      restartPolicy: Never{selector}
      containers:
      - name: migrate
        image: {IMAGE}:in-git
"
    )
}
