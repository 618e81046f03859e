//! The command line.

use std::env;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use prometheus_client::registry::Registry;
use wharfinger_daemon::{AdminArgs, Clock, Readiness, Tasks, kube_client};
use wharfinger_render::files::Limits;
use wharfinger_render::{Renderer, Tools};

use crate::cluster::Cluster;
use crate::facts::Facts;
use crate::metrics::Metrics;
use crate::renders::Renders;
use crate::service::{self, Plugin, Settings};
use crate::socket::Socket;
use crate::upload::Small;

/// How the API server knows us.
pub(crate) const AGENT: &str = concat!("wharfinger-sidecar/", env!("CARGO_PKG_VERSION"));

/// Renders Argo CD Applications with the Freight their Stage has been given
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Socket that argocd-repo-server dials. Its name, without .sock, is the name of the plugin
    #[arg(
        long,
        env = "WHARFINGER_SOCKET",
        value_name = "PATH",
        default_value = "/home/argocd/cmp-server/plugins/wharfinger.sock"
    )]
    socket: PathBuf,

    /// Argo CD's own namespace, whose Applications it names without one
    #[arg(
        long,
        global = true,
        env = "WHARFINGER_ARGOCD_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "argocd"
    )]
    argocd_namespace: String,

    /// Largest upload, as it is sent
    #[arg(long, env = "WHARFINGER_MAX_UPLOAD", value_name = "BYTES", default_value = "100Mi")]
    max_upload: Bytes,

    /// Largest upload, once it is unpacked
    #[arg(
        long,
        global = true,
        env = "WHARFINGER_MAX_UNPACKED",
        value_name = "BYTES",
        default_value = "512Mi"
    )]
    max_unpacked: Bytes,

    /// How many renders go on at once
    #[arg(long, env = "WHARFINGER_CONCURRENCY", value_name = "NUMBER", default_value = "8")]
    concurrency: NonZeroUsize,

    /// Memory for rendered bases, which a promotion only puts images into
    #[arg(long, env = "WHARFINGER_CACHE", value_name = "BYTES", default_value = "128Mi")]
    cache: Bytes,

    /// Memory for each Helm or Kustomize that runs
    #[arg(
        long,
        global = true,
        env = "WHARFINGER_TOOL_MEMORY",
        value_name = "BYTES",
        default_value = "512Mi"
    )]
    tool_memory: Bytes,

    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Render once, from the current folder to stdout, as the command of a stock argocd-cmp-server
    Generate,
}

impl Args {
    pub async fn run(self) -> anyhow::Result<()> {
        // Named one by one, so that a flag nobody reads is a compiler warning.
        let Self {
            command,
            socket,
            argocd_namespace,
            max_upload,
            max_unpacked,
            concurrency,
            cache,
            tool_memory,
            admin,
        } = self;
        let limits = Limits { bytes: max_unpacked.0, ..Limits::default() };
        if let Some(Command::Generate) = command {
            // Without a log: Argo CD takes all of stderr for the reason, and shows it.
            return crate::generate::generate(&argocd_namespace, limits, tool_memory.0).await;
        }

        admin.init_log()?;
        let client = kube_client(AGENT).await?;
        let mut tasks = Tasks::until_signalled();
        let readiness = Readiness::default();
        let mut registry = Registry::default();
        let tools = Tools::find(&env::var_os("PATH").unwrap_or_default()).await;
        let tools = tools.with_memory(tool_memory.0);
        let metrics = Metrics::register(&mut registry, &tools.versions());
        let facts = Facts::watched(Cluster::new(client), &readiness, &mut tasks);
        let renders = Renders::new(Clock::system(), tools.versions());
        admin.serve_with(renders.routes(), registry, readiness, &mut tasks).await?;

        let memory = usize::try_from(cache.0).unwrap_or(usize::MAX);
        let settings = Settings {
            argocd_namespace,
            max_upload: max_upload.0,
            limits,
            small: Small::default(),
            concurrency: concurrency.get(),
        };
        let renderer = Renderer::new(tools, memory);
        let plugin = Plugin::new(facts, renderer, metrics, renders, settings);
        let shown = socket.display().to_string();
        let socket = Socket::bind(&socket).with_context(|| format!("can't listen on {shown}"))?;
        tracing::info!(socket = shown, "Listening");
        tasks.spawn("plugin server", service::serve(socket, plugin, tasks.shutdown()));
        tasks.run().await
    }
}

/// A number of bytes: `1048576`, `1024Ki`, `1Mi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bytes(u64);

impl FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("", 0)];
        let found = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
        let (number, shift) = found.unwrap_or((text, 0));
        let number: u64 =
            number.parse().map_err(|_| "not a number of bytes, such as 1048576 or 1Mi")?;
        number.checked_shl(shift).filter(|n| n >> shift == number).map(Self).ok_or("too many bytes")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Args::command().debug_assert();
        let args = Args::parse_from(["x", "--max-upload", "1Gi"]);
        assert_eq!(args.max_upload, Bytes(1 << 30));
        assert!(matches!(
            Args::parse_from(["x", "generate", "--argocd-namespace", "gitops"]).command,
            Some(Command::Generate)
        ));
    }

    #[test]
    fn bytes_have_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("2Ki", Some(2048)),
            ("1Mi", Some(1 << 20)),
            ("", None),
            ("1M", None),
            ("-1", None),
            ("99999999999Gi", None),
        ] {
            assert_eq!(text.parse().ok(), bytes.map(Bytes), "{text:?}");
        }
    }
}
