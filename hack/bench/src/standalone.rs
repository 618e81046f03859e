//! The world of the demo and of the journeys: how fast it tells what was written, how long a journey takes, what it weighs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use wharfinger_cluster::{Cluster, Options};
use wharfinger_standalone::{Demo, World};
use wharfinger_tests::{Kubernetes, on_runtime};

use crate::line::{line, percentile, rate, size};

const WRITES: usize = 300;
const JOURNEYS: usize = 30;
/// Limits of our own: a developer runs journeys on save, and the demo on a laptop.
const RATE: f64 = 5.0;
const MEMORY: f64 = 128.0;

pub(crate) fn run() -> Result<()> {
    let demo = Process::start()?;
    let real = Cluster::start(Options::default())?;
    let admin = Kubernetes::admin(&real)?;
    on_runtime(async {
        let theirs = configmaps(admin.client).await?;
        let ours = configmaps(client(&demo.kubeconfig).await?).await?;
        // They take turns, so that both meet the same machine.
        let (mut fast, mut slow) = (vec![], vec![]);
        for _ in 0..3 {
            fast.extend(told(&ours, WRITES / 3).await?);
            slow.extend(told(&theirs, WRITES / 3).await?);
        }
        let (fast, slow) = (percentile(&fast, 50), percentile(&slow, 50));
        line("localapi-write-to-watch-p50", fast, "kube-apiserver", slow, 1.0);
        anyhow::Ok(())
    })?;
    size("demo-memory", demo.megabytes()?, "limit", MEMORY, 1.0);
    drop((demo, real));

    let took: Vec<Duration> = (0..JOURNEYS).map(|_| journey()).collect::<Result<_>>()?;
    let p50 = percentile(&took, 50);
    rate("journeys-per-second", 1.0 / p50.as_secs_f64(), "limit", RATE, 1.0);
    Ok(())
}

/// The demo's seven steps, in a world that is made for them.
fn journey() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    on_runtime(async {
        let world = World::start(folder.path(), wharfinger_standalone::Options::default()).await?;
        Demo::play(&world, &mut std::io::sink()).await?;
        world.stop().await
    })?;
    Ok(begun.elapsed())
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions { context: Some("admin".into()), ..Default::default() };
    Ok(Client::try_from(Config::from_custom_kubeconfig(file, &options).await?)?)
}

async fn configmaps(client: Client) -> Result<Api<ConfigMap>> {
    let api = Api::namespaced(client, "default");
    let made = serde_json::from_value(json!({ "metadata": { "name": "written" } }))?;
    api.create(&PostParams::default(), &made).await?;
    Ok(api)
}

/// From a write's beginning to its event at somebody who watches, each time.
async fn told(api: &Api<ConfigMap>, writes: usize) -> Result<Vec<Duration>> {
    let now = api.get("written").await?.metadata.resource_version.unwrap_or_default();
    let mut events = api.watch(&WatchParams::default(), &now).await?.boxed();
    let (params, mut took) = (PatchParams::default(), vec![]);
    for write in 0..writes {
        let patch = Patch::Merge(json!({ "data": { "write": write.to_string() } }));
        let begun = Instant::now();
        let writing = api.patch("written", &params, &patch);
        let telling = async {
            while let Some(event) = events.try_next().await? {
                if let WatchEvent::Modified(_) = event {
                    return Ok(begun.elapsed());
                }
            }
            anyhow::bail!("the watch ended")
        };
        let (written, told) = tokio::join!(writing, telling);
        written?;
        took.push(told?);
    }
    Ok(took)
}

/// `make demo`, once its steps have happened.
struct Process {
    child: Child,
    kubeconfig: std::path::PathBuf,
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "runs the program that is beside this one")]
    fn start() -> Result<Self> {
        let program = env::current_exe()?.with_file_name("wharfinger-standalone");
        let mut child = Command::new(program).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("it must have a stdout")?).lines();
        let mut process = Self { child, kubeconfig: Default::default() };
        for line in lines {
            let line = line?;
            if let Some(rest) = line.trim().strip_prefix("export KUBECONFIG=") {
                process.kubeconfig = rest.split(' ').next().unwrap_or_default().into();
                return Ok(process);
            }
        }
        anyhow::bail!("the demo ended early")
    }

    /// What it holds of the machine's memory.
    fn megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        ensure!(kilobytes > 0.0);
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap_or_default());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).ok();
        self.child.wait().ok();
    }
}
