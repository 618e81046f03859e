//! What the process is told, and how it is put together.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use prometheus_client::registry::Registry;
use wharfinger_core::admission::Identities;
use wharfinger_daemon::{AdminArgs, Clock, Readiness, Tasks, kube_client, tls};

use crate::run::{Webhook, ulids};

/// Admits to the Kubernetes API what Wharfinger's rules allow
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Address on which the API server reaches the webhook
    #[arg(long, env = "WHARFINGER_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    listen: SocketAddr,

    /// Certificate, with its chain. Read again when it changes
    #[arg(
        long,
        env = "WHARFINGER_TLS_CERT",
        value_name = "PATH",
        default_value = "/etc/wharfinger/tls/tls.crt"
    )]
    tls_cert: PathBuf,

    /// Key of the certificate
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

impl Args {
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { listen, tls_cert, tls_key, controller_identity, argocd_identities, admin } =
            self;
        admin.init_log()?;
        let client = kube_client(concat!("wharfinger-webhook/", env!("CARGO_PKG_VERSION"))).await?;
        let (readiness, mut registry, mut tasks) =
            (Readiness::default(), Registry::default(), Tasks::until_signalled());
        let identities = Identities { controller: controller_identity, argocd: argocd_identities };
        let webhook = Webhook::new(client, identities, Clock::system(), ulids());
        #[cfg(feature = "fault-points")]
        let hold = webhook.hold.clone();
        let app = webhook.start(&readiness, &mut registry, &mut tasks);
        #[cfg(not(feature = "fault-points"))]
        let admin = admin.serve(registry, readiness, tasks.shutdown()).await?;
        #[cfg(feature = "fault-points")]
        let admin = {
            let routes = crate::fault::routes(hold);
            admin.serve_with(routes, registry, readiness, tasks.shutdown()).await?
        };
        tasks.spawn("admin", admin);

        let identity = tls::Identity::load(tls_cert, tls_key).await?;
        let listener = tls::listen(listen).await?;
        tasks.spawn("https", tls::serve(listener, identity, app, tasks.shutdown()));
        tasks.run().await
    }
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

    use super::*;

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
        assert_eq!(Args::parse_from(["x"]).argocd_identities.len(), 1);
    }
}
