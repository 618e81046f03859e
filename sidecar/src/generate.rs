//! One render on stdout, for a stock `argocd-cmp-server` that runs us as its plugin's command.
//!
//! Argo CD's server unpacks the files and starts us in the Application's folder, with the environment that it would have
//! sent. A reason goes to stderr and nothing to stdout: Argo CD shows the former, and applies the latter.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wharfinger_daemon::{Tasks, kube_client};
use wharfinger_render::files::Limits;
use wharfinger_render::{Files, Images, Renderer, Tools};

use crate::asked::Asked;
use crate::claim::{Granted, grant};
use crate::cluster::Cluster;
use crate::facts::Facts;
use crate::refusal::Refusal;
use crate::{args, revision};

/// Argo CD's server ends us sooner.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) async fn generate(
    argocd_namespace: &str,
    limits: Limits,
    tool_memory: u64,
) -> anyhow::Result<()> {
    // Ended by a signal, the tools have to be ended as well: they are in groups of their own.
    let signals = Tasks::until_signalled();
    let documents = tokio::select! {
        documents = render(argocd_namespace, limits, tool_memory) => documents?,
        () = signals.shutdown().cancelled_owned() => return Err(Refusal::Deadline.into()),
    };
    let mut out = io::stdout().lock();
    for document in documents {
        writeln!(out, "---\n{document}").context("can't write the result")?;
    }
    out.flush().context("can't write the result")
}

async fn render(
    argocd_namespace: &str,
    limits: Limits,
    tool_memory: u64,
) -> anyhow::Result<Vec<String>> {
    let env: Vec<(String, String)> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let asked = Asked::from_env(&env, argocd_namespace)?;
    let facts = Facts::live(Cluster::new(kube_client(args::AGENT).await?));
    let Granted { collection, provenance, .. } = grant(&asked, &facts).await?;
    revision::check(&collection, &asked.source).map_err(Refusal::from)?;

    let path = env
        .iter()
        .find(|(name, _)| name == "ARGOCD_APP_SOURCE_PATH")
        .map_or("", |(_, path)| path.as_str());
    let (root, folder) = locate(&env::current_dir()?, path);
    let tools = Tools::find(&env::var_os("PATH").unwrap_or_default()).await;
    let tools = tools.with_memory(tool_memory);
    let inputs = asked.inputs(folder).with_freight(&collection).await.map_err(Refusal::from)?;
    let above = inputs.above.clone();
    let files = spawn_blocking(move || Files::read(&root, &above, limits));
    let files = files.await?.map_err(Refusal::from)?;
    let base = Renderer::new(tools, 0).base(&inputs, files, None, Instant::now() + LIMIT).await;
    Ok(base
        .and_then(|made| made.base.holding(&Images::of(&collection), &provenance))
        .map_err(Refusal::from)?)
}

/// The root of what was unpacked, and the folder in it where we are.
///
/// The root is not told. It is above what our folder has in common with the source's path, from the end: where only a part
/// of the repository was sent, the path begins further up than the root.
fn locate(here: &Path, path: &str) -> (PathBuf, String) {
    let parts = Path::new(path)
        .components()
        .rev()
        .filter(|part| matches!(part, std::path::Component::Normal(_)));
    let common = here.components().rev().zip(parts).take_while(|(a, b)| a == b).count();
    let root = here.ancestors().nth(common).unwrap_or(here);
    let folder = here.strip_prefix(root).unwrap_or(Path::new(""));
    (root.to_owned(), folder.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_above_the_applications_folder() {
        let check = |here: &str, path: &str, root: &str, folder: &str| {
            assert_eq!(
                locate(Path::new(here), path),
                (root.into(), folder.into()),
                "{here} {path}"
            );
        };
        check("/tmp/_cmp_server/1234/apps/web", "apps/web", "/tmp/_cmp_server/1234", "apps/web");
        check("/tmp/_cmp_server/1234/apps/web", "./apps/web/", "/tmp/_cmp_server/1234", "apps/web");
        // manifest-generate-paths: only `apps` was sent.
        check("/tmp/_cmp_server/1234/web", "apps/web", "/tmp/_cmp_server/1234", "web");
        check("/tmp/_cmp_server/1234", ".", "/tmp/_cmp_server/1234", "");
        check("/tmp/_cmp_server/1234", "", "/tmp/_cmp_server/1234", "");
        check("/tmp/_cmp_server/1234", "apps/web", "/tmp/_cmp_server/1234", "");
    }
}
