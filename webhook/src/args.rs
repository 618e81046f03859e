//! What the process is told, and how it is put together.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use k8s_openapi::jiff::SignedDuration;
use prometheus_client::registry::Registry;
use wharfinger_core::admission::Identities;
use wharfinger_core::duration;
use wharfinger_daemon::{AdminArgs, Clock, Readiness, Tasks, kube_client, tls};

use crate::certificate::Keeper;
use crate::run::{Webhook, ulids};

/// Admits to the Kubernetes API what Wharfinger's rules allow
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Address on which the API server reaches the webhook
    #[arg(long, env = "WHARFINGER_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    listen: SocketAddr,

    /// Where the certificate comes from
    #[arg(long, env = "WHARFINGER_TLS_MODE", value_name = "MODE", default_value = "own")]
    tls_mode: TlsMode,

    /// Mode own: names by which the API server calls the webhook
    #[arg(
        long,
        env = "WHARFINGER_TLS_NAMES",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "wharfinger-webhook.wharfinger.svc"
    )]
    tls_names: Vec<String>,

    /// Mode own: how long a certificate is valid. It is renewed after two thirds of that
    #[arg(
        long,
        env = "WHARFINGER_TLS_LIFE",
        value_name = "DURATION",
        default_value = "2160h",
        value_parser = life
    )]
    tls_life: SignedDuration,

    /// Mode files: certificate, with its chain. Read again when it changes
    #[arg(
        long,
        env = "WHARFINGER_TLS_CERT",
        value_name = "PATH",
        default_value = "/etc/wharfinger/tls/tls.crt"
    )]
    tls_cert: PathBuf,

    /// Mode files: key of the certificate
    #[arg(
        long,
        env = "WHARFINGER_TLS_KEY",
        value_name = "PATH",
        default_value = "/etc/wharfinger/tls/tls.key"
    )]
    tls_key: PathBuf,

    /// User name of Wharfinger's controller
    #[arg(
        long,
        env = "WHARFINGER_CONTROLLER_IDENTITY",
        value_name = "USER",
        default_value = "system:serviceaccount:wharfinger:wharfinger-controller"
    )]
    controller_identity: String,

    /// Argo CD instances: the namespace of each, or the full user name of its application controller
    #[arg(
        long,
        env = "WHARFINGER_ARGOCD_IDENTITIES",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        default_value = "argocd",
        value_parser = application_controller
    )]
    argocd_identities: Vec<String>,

    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TlsMode {
    /// The webhook makes and renews it, keeps it in the Secret wharfinger-webhook-tls, and writes the caBundle
    Own,
    /// From files, as cert-manager fills them; the caBundle is somebody else's
    Files,
}

impl Args {
    pub async fn run(self) -> anyhow::Result<()> {
        let Self {
            listen,
            tls_mode,
            tls_names,
            tls_life,
            tls_cert,
            tls_key,
            controller_identity,
            argocd_identities,
            admin,
        } = self;
        admin.init_log()?;
        let client = kube_client(concat!("wharfinger-webhook/", env!("CARGO_PKG_VERSION"))).await?;
        let (readiness, mut registry, mut tasks) =
            (Readiness::default(), Registry::default(), Tasks::until_signalled());
        let identity = match tls_mode {
            TlsMode::Files => tls::Identity::load(tls_cert, tls_key).await?,
            TlsMode::Own => {
                let gate = readiness.gate("certificate");
                let namespace = client.default_namespace();
                let clock = Clock::system();
                let keeper = Keeper::new(&client, namespace, tls_names, tls_life, clock, gate);
                let identity = keeper.identity();
                tasks.spawn("certificate", keeper.run(tasks.shutdown()));
                identity
            }
        };
        let identities = Identities { controller: controller_identity, argocd: argocd_identities };
        let webhook = Webhook::new(client, identities, Clock::system(), ulids());
        #[cfg(feature = "fault-points")]
        let hold = webhook.hold.clone();
        let app = webhook.start(&readiness, &mut registry, &mut tasks);
        #[cfg(not(feature = "fault-points"))]
        admin.serve(registry, readiness, &mut tasks).await?;
        #[cfg(feature = "fault-points")]
        admin.serve_with(crate::fault::routes(hold), registry, readiness, &mut tasks).await?;

        let listener = tls::listen(listen).await?;
        let shutdown = tasks.shutdown();
        tasks.spawn("https", tls::serve(listener, identity, app, tls::LINGER, shutdown));
        tasks.run().await
    }
}

/// As Go writes durations, and long enough for a renewal in good order.
fn life(text: &str) -> Result<SignedDuration, &'static str> {
    duration::parse(text)
        .filter(|life| *life >= SignedDuration::from_secs(10))
        .ok_or("a duration of 10s or more, such as 2160h")
}

/// The user name of the application controller of an Argo CD instance.
fn application_controller(instance: &str) -> Result<String, Infallible> {
    Ok(match instance {
        user if user.contains(':') => user.to_owned(),
        namespace => format!("system:serviceaccount:{namespace}:argocd-application-controller"),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use serde_json::{Value, json};

    use super::*;

    /// While none of it is ready, nothing of ours can be written.
    #[test]
    fn one_of_its_pods_is_always_there() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/webhook/deployment.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let of = |kind: &str| all.iter().find(|o| o["kind"] == kind).unwrap();
        let (deployment, spec) = (of("Deployment"), &of("Deployment")["spec"]);
        let pod = &spec["template"]["spec"];
        let labels = json!({ "app.kubernetes.io/name": "wharfinger-webhook" });
        assert!(spec["replicas"].as_u64() >= Some(2));
        assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "one after the other");
        for (row, selected) in [
            ("its own", &spec["selector"]["matchLabels"]),
            ("reached", &of("Service")["spec"]["selector"]),
            ("kept", &of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]),
            ("spread", &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]),
        ] {
            assert_eq!(*selected, labels, "{row}");
        }
        let pods = &spec["template"]["metadata"]["labels"];
        assert_eq!(pods["app.kubernetes.io/name"], "wharfinger-webhook", "what all of them select");
        assert_eq!(of("PodDisruptionBudget")["spec"]["minAvailable"], 1);
        let spread = &pod["topologySpreadConstraints"][0];
        assert_eq!(spread["topologyKey"], "kubernetes.io/hostname");
        assert_eq!(spread["whenUnsatisfiable"], "ScheduleAnyway", "one node is enough to begin");
        // What a process takes to end at most: see daemon::Tasks.
        assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(25));
        assert_eq!(deployment["metadata"]["namespace"], of("Service")["metadata"]["namespace"]);

        // How it is, is asked at another port: a door with many in front of it must not look like a dead one.
        let container = &pod["containers"][0];
        let args = container["args"].as_array().unwrap().iter().filter_map(Value::as_str);
        let args = Args::parse_from(["x"].into_iter().chain(args));
        let port = |name: &str| {
            let mut ports = container["ports"].as_array().unwrap().iter();
            ports.find(|port| port["name"] == name).unwrap()["containerPort"].as_u64()
        };
        assert_eq!(port("https"), Some(args.listen.port().into()));
        assert_eq!(port("admin"), Some(args.admin.admin_address.port().into()));
        assert_ne!(port("admin"), port("https"));
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
            let expected = json!({ "path": path, "port": "admin" });
            assert_eq!(container[probe]["httpGet"], expected);
        }
    }

    #[test]
    fn the_flags_are_sound() {
        Args::command().debug_assert();
        let args = Args::parse_from([
            "x",
            "--argocd-identities",
            "argocd,team-a,system:serviceaccount:b:controller",
        ]);
        assert_eq!(
            args.argocd_identities,
            [
                "system:serviceaccount:argocd:argocd-application-controller",
                "system:serviceaccount:team-a:argocd-application-controller",
                "system:serviceaccount:b:controller",
            ]
        );
        let args = Args::parse_from(["x"]);
        assert_eq!(args.argocd_identities.len(), 1);
        assert_eq!((args.tls_mode, args.tls_names.len()), (TlsMode::Own, 1));
        assert_eq!(args.tls_life, SignedDuration::from_hours(90 * 24));
        assert!(Args::try_parse_from(["x", "--tls-life", "9s"]).is_err());
    }
}
