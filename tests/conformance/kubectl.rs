//! What people type. The answers are kubectl's own words about what the server said.

use std::{process::Stdio, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    places::{self, ADMIN_TOKEN, Place},
    server::{PATIENCE, Server},
    tls::Served,
};

const STAGE: &str = "apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: a}
spec:
  shard: one
  requestedFreight:
  - origin: {kind: Warehouse, name: main}
    sources: {direct: true}
";
const CONFIGMAP: &str =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: '1', b: '2'}}";
const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - {name: one, image: 'example.com/one:1'}
      - {name: two, image: 'example.com/two:1'}
";

pub(crate) async fn apply_makes_it_so(s: Server) -> Result<()> {
    let kubectl = Kubectl::new(&s).await?;
    let apply = ["apply", "-f", "-"];
    for (manifest, said) in [
        (STAGE, "stage.kargo.akuity.io/a created\n"),
        (STAGE, "stage.kargo.akuity.io/a unchanged\n"),
        (
            &STAGE.replace("  shard: one\n", "  vars: [{name: v, value: x}]\n"),
            "stage.kargo.akuity.io/a configured\n",
        ),
        (CONFIGMAP, "configmap/a created\n"),
        (CONFIGMAP, "configmap/a unchanged\n"),
        (&CONFIGMAP.replace(", b: '2'", ""), "configmap/a configured\n"),
        (DEPLOYMENT, "deployment.apps/a created\n"),
        (DEPLOYMENT, "deployment.apps/a unchanged\n"),
        // One item of a list that is merged by name.
        (&DEPLOYMENT.replace("one:1", "one:2"), "deployment.apps/a configured\n"),
        (
            &DEPLOYMENT.replace("      - {name: two, image: 'example.com/two:1'}\n", ""),
            "deployment.apps/a configured\n",
        ),
    ] {
        kubectl.says(&apply, manifest, said).await?;
    }
    // What is left out is taken away, and nothing else.
    let path =
        "jsonpath={.spec.shard}/{.spec.vars[0].name}/{.spec.requestedFreight[0].sources.direct}";
    kubectl.says(&["get", "stage", "a", "-o", path], "", "/v/true").await?;
    kubectl.says(&["get", "cm", "a", "-o", "jsonpath={.data}"], "", r#"{"a":"1"}"#).await?;
    let images = "jsonpath={.spec.template.spec.containers[*].image}";
    kubectl.says(&["get", "deploy", "a", "-o", images], "", "example.com/one:1").await?;
    Ok(())
}

pub(crate) async fn a_mistake_is_explained(s: Server) -> Result<()> {
    let kubectl = Kubectl::new(&s).await?;
    for (args, manifest, said) in [
        (
            &["apply", "-f", "-"][..],
            &STAGE.replace("sources: {direct: true}", "sources: {direct: yep}"),
            "The Stage \"a\" is invalid: \n* spec.requestedFreight[0].sources.direct: Invalid value: \"string\": \
             spec.requestedFreight[0].sources.direct in body must be of type boolean: \"string\"\n\
             * <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
             correct the existing errors to complete validation\n",
        ),
        (
            &["apply", "-f", "-"],
            &STAGE.replace("shard:", "shart:"),
            "Error from server (BadRequest): error when creating \"STDIN\": Stage in version \"v1alpha1\" cannot be handled as \
             a Stage: strict decoding error: unknown field \"spec.shart\"\n",
        ),
        (
            &["get", "stage", "absent"],
            &String::new(),
            "Error from server (NotFound): stages.kargo.akuity.io \"absent\" not found\n",
        ),
        (
            &["get", "berths"],
            &String::new(),
            "error: the server doesn't have a resource type \"berths\"\n",
        ),
        (
            &["get", "stages", "--as", "jane"],
            &String::new(),
            "Error from server (Forbidden): stages.kargo.akuity.io is forbidden: User \"jane\" cannot list resource \"stages\" \
             in API group \"kargo.akuity.io\" in the namespace \"{ns}\"\n",
        ),
        (
            &["get", "stages", "-n", "absent"],
            &String::new(),
            "No resources found in absent namespace.\n",
        ),
    ] {
        let output = kubectl.run(args, manifest).await?;
        let said = s.placed(said);
        ensure!(output.stderr == said, "{args:?}\nsaid\n{}\nmust say\n{said}", output.stderr);
    }
    Ok(())
}

pub(crate) async fn get_shows_what_matters(s: Server) -> Result<()> {
    let kubectl = Kubectl::new(&s).await?;
    kubectl.run(&["apply", "-f", "-"], STAGE).await?.ok()?;
    kubectl.run(&["apply", "-f", "-"], CONFIGMAP).await?.ok()?;
    for (args, said) in [
        (&["get", "stages"][..], "NAME SHARD CURRENT FREIGHT HEALTH READY STATUS AGE\na one\n"),
        (&["get", "stage.kargo.akuity.io", "a", "--no-headers"], "a one\n"),
        (&["get", "stages", "-o", "name"], "stage.kargo.akuity.io/a\n"),
        (
            &["get", "stage/a", "configmap/a", "-o", "name"],
            "stage.kargo.akuity.io/a\nconfigmap/a\n",
        ),
        (&["get", "cm", "a"], "NAME DATA AGE\na 2\n"),
        (&["get", "cm", "a", "-o", "custom-columns=N:.metadata.name,A:.data.a"], "N A\na 1\n"),
        (
            &["get", "stages", "--field-selector", "metadata.name=a", "-o", "name"],
            "stage.kargo.akuity.io/a\n",
        ),
        (&["get", "stages", "-l", "x=y", "-o", "name"], ""),
    ] {
        let output = kubectl.run(args, "").await?.ok()?;
        let shown = cells(&output);
        ensure!(shown == said, "{args:?}\nshowed\n{shown}\nmust show\n{said}");
    }
    let yaml = kubectl.run(&["get", "stage", "a", "-o", "yaml"], "").await?.ok()?;
    ensure!(yaml.contains("\n  requestedFreight:\n"), "{yaml}");
    for kind in ["stage", "configmap"] {
        let told = kubectl.run(&["describe", kind, "a"], "").await?.ok()?;
        ensure!(
            told.starts_with("Name:") && told.contains(&format!("Namespace:    {}", s.ns)),
            "{told}"
        );
    }
    Ok(())
}

pub(crate) async fn objects_are_changed_by_hand(s: Server) -> Result<()> {
    let kubectl = Kubectl::new(&s).await?;
    kubectl.run(&["apply", "-f", "-"], STAGE).await?.ok()?;
    kubectl.run(&["apply", "-f", "-"], CONFIGMAP).await?.ok()?;
    for (args, said) in [
        (
            &["patch", "stage", "a", "--type=merge", "-p", r#"{"spec":{"shard":"two"}}"#][..],
            "stage.kargo.akuity.io/a patched\n",
        ),
        (
            &["patch", "stage", "a", "--type=merge", "-p", r#"{"spec":{"shard":"two"}}"#],
            "stage.kargo.akuity.io/a patched (no change)\n",
        ),
        (
            &[
                "patch",
                "stage",
                "a",
                "--type=json",
                "-p",
                r#"[{"op":"replace","path":"/spec/shard","value":"three"}]"#,
            ],
            "stage.kargo.akuity.io/a patched\n",
        ),
        (&["patch", "cm", "a", "-p", r#"{"data":{"c":"3"}}"#], "configmap/a patched\n"),
        (
            &[
                "patch",
                "stage",
                "a",
                "--subresource=status",
                "--type=merge",
                "-p",
                r#"{"status":{"freightSummary":"x"}}"#,
            ],
            "stage.kargo.akuity.io/a patched\n",
        ),
        (&["label", "stage", "a", "x=y"], "stage.kargo.akuity.io/a labeled\n"),
        (&["annotate", "stage", "a", "x=y"], "stage.kargo.akuity.io/a annotated\n"),
        (
            &[
                "get",
                "stage",
                "a",
                "-o",
                "jsonpath={.spec.shard}{.metadata.labels.x}{.status.freightSummary}",
            ],
            "threeyx",
        ),
        (&["create", "configmap", "b", "--from-literal=a=1"], "configmap/b created\n"),
        (&["create", "serviceaccount", "robot"], "serviceaccount/robot created\n"),
        (&["delete", "cm", "b"], "configmap \"b\" deleted from {ns} namespace\n"),
        (
            &["delete", "stages", "--all"],
            "stage.kargo.akuity.io \"a\" deleted from {ns} namespace\n",
        ),
        (&["delete", "stage", "a", "--ignore-not-found"], ""),
    ] {
        kubectl.says(args, "", &s.placed(said)).await?;
    }
    let token = kubectl.run(&["create", "token", "robot"], "").await?.ok()?;
    ensure!(token.trim().len() > 20, "{token}");
    Ok(())
}

pub(crate) async fn waiting_ends_when_it_is_so(s: Server) -> Result<()> {
    let kubectl = Arc::new(Kubectl::new(&s).await?);
    kubectl.run(&["apply", "-f", "-"], STAGE).await?.ok()?;
    let waits = [
        (
            &["wait", "--for=condition=Ready", "stage/a", "--timeout=30s"][..],
            "stage.kargo.akuity.io/a condition met\n",
        ),
        (
            &["wait", "--for=jsonpath={.status.freightSummary}=x", "stage/a", "--timeout=30s"],
            "stage.kargo.akuity.io/a condition met\n",
        ),
    ];
    let patch = r#"{"status":{"freightSummary":"x","conditions":[{"type":"Ready","status":"True","reason":"R","message":"","lastTransitionTime":"2026-11-21T12:00:00Z"}]}}"#;
    let patch = ["patch", "stage", "a", "--subresource=status", "--type=merge", "-p", patch];
    let (one, other, patched) = tokio::join!(
        kubectl.says(waits[0].0, "", waits[0].1),
        kubectl.says(waits[1].0, "", waits[1].1),
        kubectl.says(&patch, "", "stage.kargo.akuity.io/a patched\n"),
    );
    one.and(other).and(patched)?;
    let wait = ["wait", "--for=delete", "stage/a", "--timeout=30s"];
    let delete = ["delete", "stage", "a"];
    let (waited, deleted) = tokio::join!(kubectl.run(&wait, ""), kubectl.run(&delete, ""));
    waited?.ok()?;
    deleted?.ok()?;
    Ok(())
}

pub(crate) async fn the_server_explains_itself(s: Server) -> Result<()> {
    let kubectl = Kubectl::new(&s).await?;
    for (args, lines) in [
        (
            &["explain", "stage.spec.requestedFreight"][..],
            &[
                "GROUP:      kargo.akuity.io\n",
                "KIND:       Stage\n",
                "FIELD: requestedFreight <[]Object>\n",
                "  sources\t<Object> -required-\n",
            ][..],
        ),
        (
            &["explain", "stage"],
            &[
                "VERSION:    v1alpha1\n",
                "  metadata\t<ObjectMeta>\n",
                "  spec\t<Object> -required-\n",
            ],
        ),
        (
            &["explain", "configmap.data"],
            &["KIND:       ConfigMap\n", "FIELD: data <map[string]string>\n"],
        ),
        (
            &["api-resources", "--api-group=kargo.akuity.io", "-o", "name"],
            &["stages.kargo.akuity.io\n", "promotions.kargo.akuity.io\n"],
        ),
        (&["api-versions"], &["\nkargo.akuity.io/v1alpha1\n", "\nv1\n"]),
        (&["auth", "whoami"], &["system:masters"]),
        (&["auth", "can-i", "promote", "stages.kargo.akuity.io/a"], &["yes\n"]),
        (&["version"], &["Server Version: v1."]),
        (&["get", "--raw", "/readyz"], &["ok"]),
    ] {
        let said = kubectl.run(args, "").await?.ok()?;
        for line in lines {
            ensure!(said.contains(line), "{args:?} said\n{said}\nwithout\n{line}");
        }
    }
    let denied = kubectl.run(&["auth", "can-i", "get", "stages", "--as", "jane"], "").await?;
    ensure!(denied.stdout == "no\n", "{}", denied.stdout);
    Ok(())
}

/// kubectl, with a kubeconfig for the server of the case.
struct Kubectl {
    folder: TempDir,
    _served: Option<Served>,
    ns: Arc<str>,
}

struct Output {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Output {
    fn ok(self) -> Result<String> {
        ensure!(self.success, "kubectl failed: {}{}", self.stderr, self.stdout);
        Ok(self.stdout)
    }
}

impl Kubectl {
    async fn new(s: &Server) -> Result<Self> {
        let folder = TempDir::new()?;
        let config = folder.path().join("config");
        let served = match &s.place {
            Place::Local(api) => {
                let served = Served::start(api.router()).await?;
                std::fs::write(&config, kubeconfig(&served))?;
                Some(served)
            }
            Place::Real(_) => {
                std::fs::copy(places::cluster()?.kubeconfig_admin(), &config)?;
                None
            }
        };
        Ok(Self { folder, _served: served, ns: s.ns.clone() })
    }

    async fn says(&self, args: &[&str], input: &str, said: &str) -> Result<()> {
        let output = self.run(args, input).await?.ok()?;
        ensure!(output == said, "{args:?}\nsaid\n{output}\nmust say\n{said}");
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "kubectl is what these cases are about")]
    async fn run(&self, args: &[&str], input: &str) -> Result<Output> {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.folder.path().join("config"))
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"))
            .args(["--namespace", &self.ns])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl must be on the PATH: hack/build-parts prints where it is")?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
        let output = output.await.with_context(|| format!("waited for kubectl {args:?}"))??;
        Ok(Output {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }
}

fn kubeconfig(served: &Served) -> String {
    let Served { url, authority, .. } = served;
    format!(
        "{{apiVersion: v1, kind: Config, current-context: c,
        contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
        clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority-data: '{authority}'}}}}],
        users: [{{name: u, user: {{token: {ADMIN_TOKEN}}}}}]}}"
    )
}

/// One space between cells, and no age: it differs from run to run.
fn cells(table: &str) -> String {
    let is_age = |word: &str| word.strip_suffix('s').is_some_and(|n| n.parse::<u32>().is_ok());
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().filter(|word| !is_age(word)).collect();
        words.join(" ") + "\n"
    };
    table.lines().map(line).collect()
}
