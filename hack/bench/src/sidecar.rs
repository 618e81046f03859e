//! Sidecar alone, real protocol: cached renders, against an echo of the same bytes on the same stack, and by the sidecar's own
//! clock.
//!
//! We are repo-server towards a real sidecar in a real cluster: for each render a new connection, two questions, an upload.
//! The echo reads the same calls to their end and has its answer ready. The difference is what is ours: to judge the claim,
//! to hash the upload, to put the images in.
//!
//! Cached means that the very same archive was sent before, as for a refresh without a new commit.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wharfinger_cluster::{Instance, Role, shared};

use crate::echo::Echo;
use crate::histogram::Histogram;
use crate::line::{line, percentile};
use crate::objects::{Form, source};
use crate::world::{World, ask, check};

/// How many objects, and how many renders of each side, in blocks that take turns. The first block of each is not counted.
const ROUNDS: [(usize, usize); 3] = [(10, 2_000), (100, 2_000), (1_000, 400)];
const BLOCK: usize = 100;
/// These goals are our own; nobody has asked for any. A cached render is to be mostly the protocol, also when it is slow, and
/// however many objects there are: whatever is done for each object is a copy, and the protocol copies too.
const GOALS: [(usize, f64); 2] = [(50, 2.0), (99, 3.0)];

/// What is asked of a cached render inside the sidecar, and for how many objects.
const INSIDE: Duration = Duration::from_millis(1);
const INSIDE_OBJECTS: usize = 100;

pub(crate) fn run() -> Result<()> {
    if let Some(served) = Echo::serve_if_told() {
        return served;
    }
    let cluster = shared()?.use_it()?;
    let world = World::new(&cluster, "sidecar")?;
    let socket = cluster.plugin_socket(Instance::First)?;
    for (count, renders) in ROUNDS {
        let call = world.call(&source(Form::Plain, count, 0))?;
        let answer = ask(&call, &socket)?;
        check(&answer, count)?;
        let echo = Echo::start(&cluster, &answer)?;

        let (mut ours, mut echoed) = (vec![], vec![]);
        let before = inside(&world)?;
        for block in 0..=renders / BLOCK {
            for (socket, times) in [(&socket, &mut ours), (&echo.socket, &mut echoed)] {
                for _ in 0..BLOCK {
                    let from = Instant::now();
                    let rendered = ask(&call, socket)?;
                    let took = from.elapsed();
                    ensure!(rendered == answer, "what is rendered must stay the same");
                    if block > 0 {
                        times.push(took);
                    }
                }
            }
        }
        for (percent, goal) in GOALS {
            let (ours, echoed) = (percentile(&ours, percent), percentile(&echoed, percent));
            let name = format!("sidecar-cached-render-{count}-p{percent}");
            line(&name, ours, "grpc-echo", echoed, goal);
        }
        if count == INSIDE_OBJECTS {
            let p99 = inside(&world)?.since(&before).within(99)?;
            line(&format!("sidecar-inside-{count}-p99"), p99, "limit", INSIDE, 1.0);
        }
    }
    Ok(())
}

/// How long renders took by the sidecar's own metrics: from when a call is known until its answer is made.
///
/// That has in it what is waited for the upload, which is not the sidecar's doing, so what is told is rather too much. Nothing
/// is taken off: it is a few messages, which are sent in one go. What comes before and after it, connections and frames, is
/// the protocol's, and the echo has it too. A histogram knows no more than the bound that a render was within.
fn inside(world: &World<'_>) -> Result<Histogram> {
    let admin = world.cluster.process(Role::Sidecar(Instance::First))?.port("admin")?;
    Histogram::read(([127, 0, 0, 1], admin).into(), "wharfinger_sidecar_render_seconds", "")
}
