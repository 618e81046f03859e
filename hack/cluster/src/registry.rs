//! A container registry, for whoever asks for one: Debian's `docker-registry`, over plain HTTP.

use std::{fs, path::Path, sync::PoisonError};

use anyhow::Result;

use crate::{
    cluster::Cluster,
    handle::{Process, Spec},
    ready::Ready,
    role::Role,
};

impl Cluster {
    /// Starts it, unless somebody has, and gives its host and port. Repositories of different tests have different names.
    pub fn start_registry(&self) -> Result<String> {
        let _turn = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let process = match self.process(Role::Registry) {
            Ok(process) => process,
            Err(_) => self.launch_registry()?,
        };
        Ok(format!("127.0.0.1:{}", process.port("http")?))
    }

    fn launch_registry(&self) -> Result<Process> {
        let folder = self.folder("registry")?;
        self.launch(Role::Registry, || {
            let port = self.port()?;
            let config = self.file("registry.yaml");
            let data = folder.display();
            fs::write(
                &config,
                format!(
                    "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: \"{data}\"}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n"
                ),
            )?;
            let program =
                self.program("docker-registry").args(["serve", &config.to_string_lossy()]);
            Ok(Spec { program, ready: Ready::Tcp(port), ports: [("http", port)].into() })
        })
    }

    /// Publishes a packed chart below `repository`, which begins with the host.
    pub fn push_chart(&self, chart: &Path, repository: &str) -> Result<()> {
        let chart = chart.to_string_lossy();
        let to = format!("oci://{repository}");
        let push = self.part("helm").args(["push", "--plain-http", &chart, &to]);
        self.tool(&push)?.ok().map(drop)
    }

    /// Has Helm write down in which versions a chart's dependencies are there, and keeps nothing of them.
    pub fn lock_chart(&self, chart: &Path) -> Result<()> {
        let folder = chart.to_string_lossy();
        let update = self.part("helm").args(["dependency", "update", "--plain-http", &folder]);
        self.tool(&update)?.ok()?;
        Ok(fs::remove_dir_all(chart.join("charts"))?)
    }
}
