//! Sources of so many objects: half of them Deployments with an image of the Freight, half ConfigMaps.

use wharfinger_tests::IMAGE;

/// How they lie in their folder.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Plain,
    Kustomize,
    Helm,
}

/// Names of files in the folder, and their text.
pub(crate) type Files = Vec<(String, String)>;

/// `mark` makes the source another one: it is a comment in a file that every render reads, and changes no object.
pub(crate) fn source(form: Form, count: usize, mark: usize) -> Files {
    let replicas = match form {
        Form::Plain | Form::Kustomize => "2",
        Form::Helm => "{{ .Values.replicas }}",
    };
    let deployments: String = (0..count / 2).map(|n| deployment(n, replicas)).collect();
    let configs: String = (0..count / 2).map(config).collect();
    let deployments = format!("# {mark}\n{deployments}");
    let files = match form {
        Form::Plain => vec![("deployments.yaml", deployments), ("configs.yaml", configs)],
        Form::Kustomize => vec![
            ("deployments.yaml", deployments),
            ("configs.yaml", configs),
            (
                "kustomization.yaml",
                "resources: [deployments.yaml, configs.yaml]\nlabels:\n- pairs: {team: web}\n"
                    .into(),
            ),
        ],
        Form::Helm => vec![
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n".into()),
            ("values.yaml", "replicas: 2\n".into()),
            ("templates/deployments.yaml", deployments),
            ("templates/configs.yaml", configs),
        ],
    };
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn deployment(n: usize, replicas: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: web-{n}
  template:
    metadata:
      labels:
        app: web-{n}
    spec:
      containers:
      - name: web
        image: {IMAGE}:in-git
"
    )
}

fn config(n: usize) -> String {
    format!(
        "---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-{n}
data:
  LOG_LEVEL: info
  application.properties: |
    server.name=web-{n}
    server.port={}
    pool.size=16
",
        8000 + n
    )
}
