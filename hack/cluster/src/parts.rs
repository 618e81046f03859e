//! Where the programs are: the real parts from `hack/build-parts`, our own from cargo.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{process::Program, run::Run, tool};

pub(crate) struct Parts {
    bin: PathBuf,
}

impl Parts {
    /// Builds what is missing; the first time on a machine that takes about 20 minutes.
    pub(crate) fn find(run: &Run) -> Result<Self> {
        let program = Program::new(repository().join("hack/build-parts")).keeps_our_environment();
        let bin = PathBuf::from(tool::build(run.groups(), &program)?.trim());
        if !bin.is_dir() {
            bail!("hack/build-parts printed {bin:?}, which is no folder");
        }
        Ok(Self { bin })
    }

    pub(crate) fn program(&self, name: &str) -> Program {
        Program::new(self.bin.join(name))
    }

    /// A folder beside the programs, such as `argocd/manifests`.
    pub(crate) fn files(&self, name: &str) -> PathBuf {
        self.bin.with_file_name(name)
    }

    /// The PATH of every process of a cluster: `first`, the parts, the system.
    pub(crate) fn path(&self, first: &Path) -> String {
        format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            first.display(),
            self.bin.display()
        )
    }
}

/// The packages that have fault points.
const FAULT_POINTS: [&str; 2] = ["wharfinger-controller", "wharfinger-webhook"];

/// Our own programs, by name.
pub(crate) type Binaries = BTreeMap<String, PathBuf>;

/// Builds the programs `names` in the profile this harness was built in.
pub(crate) fn build_ours(run: &Run, names: &[&str], fault_points: bool) -> Result<Binaries> {
    run.say(&format!("building {} with cargo", names.join(", ")));
    let mut program = Program::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        // The whole workspace, so that dependencies have the features they have in `cargo test --workspace`, and are
        // not built twice.
        .args([
            "build",
            "--workspace",
            "--quiet",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .folder(&repository())
        .keeps_our_environment();
    if !cfg!(debug_assertions) {
        program = program.args(["--release"]);
    }
    if fault_points {
        let features = FAULT_POINTS.map(|name| format!("{name}/fault-points")).join(",");
        program = program.args(["--features".to_owned(), features]);
    }
    let messages = tool::build(run.groups(), &program)?;
    // Cargo says where it put them, whatever CARGO_TARGET_DIR or a configuration file says.
    let built: Binaries = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let path = PathBuf::from(message.get("executable")?.as_str()?);
            Some((path.file_name()?.to_str()?.to_owned(), path))
        })
        .collect();
    for name in names {
        built.get(*name).with_context(|| format!("no package has a program {name}"))?;
    }
    Ok(built)
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("/")).to_owned()
}
