//! What Argo CD sends for a render: told where it is far too much, with the annotation that makes it right, and with the same
//! objects either way.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Instance, Role, shared};
use wharfinger_tests::{App, Kind, Project};

const FILES: usize = 3_000;
const PATHS: &str = "argocd.argoproj.io/manifest-generate-paths";

#[test]
fn an_upload_is_as_small_as_the_doctor_says_it_can_be() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "uploads")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    let [overlay, base] = ["overlays/dev", "base"].map(|folder| format!("{}/{folder}", app.name));
    let (manifest, deployment) = (format!("{base}/web.yaml"), app.web());
    let (of_overlay, of_base) =
        (format!("{overlay}/kustomization.yaml"), format!("{base}/kustomization.yaml"));
    let others: Vec<(String, String)> = (0..FILES).map(other).collect();
    let mut files = vec![
        (of_overlay.as_str(), "resources: [../../base]\n"),
        (of_base.as_str(), "resources: [web.yaml]\n"),
        (manifest.as_str(), &deployment),
    ];
    files.extend(others.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    project.commit(&files)?;
    let app = app.with(|spec, annotations| {
        spec["source"]["path"] = overlay.as_str().into();
        annotations.as_object_mut().expect("annotations").shift_remove(PATHS);
    });
    app.create()?;

    let (before, took_before) = promoted(&cluster, &project, &app, "v1")?;
    ensure!(
        before["sent"] == "" && before["manifestGeneratePaths"] == ".;../../base",
        "{before:#}"
    );
    ensure!(before["pathsRead"] == json!([base, overlay]), "{before:#}");
    let told = told(&cluster, &app)?.context("the doctor must tell of it")?;
    ensure!(told["code"] == "upload-large" && told["state"] == "Warning", "{told:#}");
    let log = cluster.process(Role::Sidecar(Instance::First))?.log_text();
    let line = log.lines().find(|line| line.contains(&app.name) && line.contains("upload-large"));
    ensure!(line.is_some(), "the log must have a line of it");

    // What it says can be pasted.
    let fix = told["fix"].as_str().context("a fix")?;
    let (command, _) = fix.split_once(" (").context("a command, and a remark")?;
    let words: Vec<String> = command.split(' ').map(|word| word.replace('\'', "")).collect();
    let (kubectl, args) = words.split_first().context("words")?;
    ensure!(kubectl == "kubectl", "{fix}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let pasted = cluster.kubectl(&args)?;
    ensure!(pasted.success(), "{pasted:#?}");

    let (after, took_after) = promoted(&cluster, &project, &app, "v2")?;
    ensure!(after["sent"] == app.name && after["checks"] == json!([]), "{after:#}");
    ensure!(after["bytesRead"] == before["bytesRead"], "{after:#}");
    let bytes = |render: &Value| render["bytesReceived"].as_u64().context("a number");
    ensure!(bytes(&before)? > 100 * bytes(&after)?, "{before:#} {after:#}");
    ensure!(self::told(&cluster, &app)?.is_none());
    writeln!(
        io::stderr(),
        "sent {} bytes, promoted in {took_before:.1?}; with the annotation {} bytes and {took_after:.1?}",
        bytes(&before)?,
        bytes(&after)?
    )?;

    // Too narrow, it can't be rendered; the reason has what is right.
    app.merge(&json!({ "metadata": { "annotations": { (PATHS): "." } } }))?;
    app.merge(&json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" } } }))?;
    let error = app.comparison_error()?;
    let part = format!(
        "names \"../../base\", which is not among the files that Argo CD handed over: they are those of the folder {overlay}."
    );
    ensure!(error.contains(&part) && error.contains("to \".;../../base\""), "{error}");

    // Declared too little, but sent: Argo CD would miss commits to the base.
    let beside = format!("../{}", overlay.rsplit('/').next().unwrap_or_default());
    app.merge(
        &json!({ "metadata": { "annotations": { (PATHS): format!("{beside};../../docs") } } }),
    )?;
    app.merge(&json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" } } }))?;
    cluster.until("the doctor tells what is not declared", || {
        let told = self::told(&cluster, &app)?.context("nothing told")?;
        ensure!(told["code"] == "paths-undeclared", "{told:#}");
        ensure!(told["text"].as_str().is_some_and(|t| t.contains(&base)), "{told:#}");
        Ok(())
    })
}

/// Of a kilobyte, which packs badly.
fn other(n: usize) -> (String, String) {
    let mut state = n as u64 + 1;
    let mut word = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x}", state >> 32)
    };
    let text: String = (0..128).map(|_| word()).collect();
    (format!("others/{}/{n}.yaml", n % 60), format!("text: {text}\n"))
}

/// The render that a promotion brought, and how long the promotion took.
fn promoted(
    cluster: &Cluster,
    project: &Project<'_>,
    app: &App<'_>,
    tag: &str,
) -> Result<(Value, Duration)> {
    let freight = project.freight(tag)?;
    let begun = Instant::now();
    project.promoted("dev", &freight)?;
    let took = begun.elapsed();
    let mut stream = TcpStream::connect(("127.0.0.1", admin_port(cluster)?))?;
    write!(stream, "GET /renders HTTP/1.0\r\n\r\n")?;
    let answer = io::read_to_string(stream)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("a body")?;
    let renders: Value = serde_json::from_str(body)?;
    let all = renders["renders"].as_array().context("renders")?;
    let of_app = all.iter().find(|render| render["application"] == *app.name);
    Ok((of_app.context("a render of the Application")?.clone(), took))
}

fn admin_port(cluster: &Cluster) -> Result<u16> {
    cluster.process(Role::Sidecar(Instance::First))?.port("admin")
}

/// What the doctor says of the Application's uploads.
fn told(cluster: &Cluster, app: &App<'_>) -> Result<Option<Value>> {
    let url = format!("http://127.0.0.1:{}", admin_port(cluster)?);
    let report = cluster.wharf(&["doctor", "--only", "plugin", "--sidecar", &url, "-o", "json"])?;
    let report: Value =
        serde_json::from_str(&report.stdout).with_context(|| format!("{report:?}"))?;
    let checks = report["checks"].as_array().context("checks")?;
    // Other checks may name it as well.
    let of_uploads = |code: &Value| code == "upload-large" || code == "paths-undeclared";
    let about = |check: &&Value| {
        of_uploads(&check["code"]) && check["text"].as_str().is_some_and(|t| t.contains(&app.name))
    };
    Ok(checks.iter().find(about).cloned())
}
