//! A cached render of the sidecar, against Argo CD's own plugin server, which starts our program for each render, which asks the
//! cluster, runs Kustomize and forgets all of it.
//!
//! Both are asked in the same way with the same upload.

use std::time::Instant;

use anyhow::Result;
use wharfinger_cluster::Instance;

use crate::line::{line, percentile};
use crate::objects::{Form, source};
use crate::world::{World, ask, check};

/// How many objects, and how many renders by Argo CD's server. Ours are so many more for each of them, in turns.
const ROUNDS: [(usize, usize); 3] = [(10, 20), (100, 20), (1_000, 8)];
const OURS: usize = 20;
/// As the issue has it: at least a hundred times as fast.
const GOAL: f64 = 0.01;

pub(super) fn run(world: &World<'_>) -> Result<()> {
    let socket = world.cluster.plugin_socket(Instance::First)?;
    let stock = world.cluster.start_stock_plugin()?;
    for (count, renders) in ROUNDS {
        let call = world.call(&source(Form::Kustomize, count, 0))?;
        let timed = |socket| -> Result<_> {
            let from = Instant::now();
            let rendered = ask(&call, socket)?;
            let took = from.elapsed();
            check(&rendered, count)?;
            Ok(took)
        };
        // The first of each is not counted: ours is not cached yet.
        timed(&socket)?;
        timed(&stock)?;
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..renders {
            for _ in 0..OURS {
                ours.push(timed(&socket)?);
            }
            theirs.push(timed(&stock)?);
        }
        let (ours, theirs) = (percentile(&ours, 50), percentile(&theirs, 50));
        let name = format!("cached-render-{count}-against-stock-p50");
        line(&name, ours, "argocd-cmp-server", theirs, GOAL);
    }
    Ok(())
}
