//! Figures, each against a peer or a limit that is measured in the same run, with the goal it is held to.

mod line;
mod promotion;
mod script;
mod sidecar;
mod stages;
mod standalone;
mod upload;
mod watched;
mod webhook;

use anyhow::{Result, bail};

type Benchmark = fn() -> Result<()>;

fn main() -> Result<()> {
    let all: [(&str, Benchmark); 6] = [
        ("promotion", promotion::run),
        ("sidecar", sidecar::run),
        ("stages", stages::run),
        ("standalone", standalone::run),
        ("upload", upload::run),
        ("webhook", webhook::run),
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
