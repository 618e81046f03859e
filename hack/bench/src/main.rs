//! Figures, each against a peer or a limit that is measured in the same run, with the goal it is held to.

mod echo;
mod histogram;
mod kubeconfig;
mod line;
mod objects;
mod promotion;
mod render;
mod script;
mod sidecar;
mod stages;
mod standalone;
mod upload;
mod watched;
mod webhook;
mod world;

use anyhow::{Result, bail};

type Benchmark = fn() -> Result<()>;

fn main() -> Result<()> {
    let all: [(&str, Benchmark); 7] = [
        ("promotion", promotion::run),
        ("stages", stages::run),
        ("standalone", standalone::run),
        ("upload", upload::run),
        ("webhook", webhook::run),
        // Last: they share a cluster, which stays until the end, and the others want the machine to themselves.
        ("sidecar", sidecar::run),
        ("render", render::run),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|w| all.iter().all(|(name, _)| name != w)) {
        bail!(
            "there is no benchmark {unknown}; there are {}",
            all.map(|(name, _)| name).join(", ")
        );
    }
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            run()?;
        }
    }
    Ok(())
}
