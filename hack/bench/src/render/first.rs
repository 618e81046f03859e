//! A first render through the sidecar's socket, against the tool by hand on the same files.
//!
//! First means that nothing is kept of it: each time a file has another content. By hand the files lie on the disk already,
//! what comes out is read and thrown away, and nobody puts Freight into it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use wharfinger_cluster::Instance;

use crate::line::{line, percentile};
use crate::objects::{Files, Form, source};
use crate::world::{World, ask, check};

/// How many objects, and how many renders of each side, in blocks that take turns. The first block of each is not counted.
const ROUNDS: [(usize, usize); 3] = [(10, 200), (100, 100), (1_000, 20)];
const BLOCK: usize = 5;
/// As the issue has it.
const GOAL: f64 = 1.1;

pub(super) fn run(world: &World<'_>) -> Result<()> {
    let socket = world.cluster.plugin_socket(Instance::First)?;
    let folder = tempfile::tempdir()?;
    for (form, name, tool) in
        [(Form::Kustomize, "kustomize", "kustomize-build"), (Form::Helm, "helm", "helm-template")]
    {
        let folder = folder.path().join(name);
        for (count, renders) in ROUNDS {
            let mut marks = 0..;
            let mut files = || source(form, count, marks.next().unwrap_or_default());
            let (mut ours, mut by_hand) = (vec![], vec![]);
            for block in 0..=renders / BLOCK {
                for _ in 0..BLOCK {
                    let call = world.call(&files())?;
                    let from = Instant::now();
                    let rendered = ask(&call, &socket)?;
                    let took = from.elapsed();
                    check(&rendered, count)?;
                    if block > 0 {
                        ours.push(took);
                    }
                }
                for _ in 0..BLOCK {
                    write(&folder, &files())?;
                    let took = hand(form, &folder, count)?;
                    if block > 0 {
                        by_hand.push(took);
                    }
                }
            }
            let (ours, by_hand) = (percentile(&ours, 50), percentile(&by_hand, 50));
            line(&format!("first-render-{name}-{count}-p50"), ours, tool, by_hand, GOAL);
        }
    }
    Ok(())
}

fn write(folder: &Path, files: &Files) -> Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// As somebody types it, with the tools that `run` put first on the PATH: those the sidecar has too.
#[expect(clippy::disallowed_methods, reason = "runs the tools that this benchmark compares with")]
fn hand(form: Form, folder: &Path, count: usize) -> Result<Duration> {
    let mut command = match form {
        Form::Helm => {
            let mut command = Command::new("helm");
            command.args(["template", "web"]);
            command
        }
        Form::Kustomize | Form::Plain => {
            let mut command = Command::new("kustomize");
            command.arg("build");
            command
        }
    };
    command.arg(folder);
    let from = Instant::now();
    let out = command.output()?;
    let took = from.elapsed();
    ensure!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let made = text.lines().filter(|line| line.starts_with("kind: ")).count();
    ensure!(made == count, "{command:?} makes {made} objects");
    Ok(took)
}
