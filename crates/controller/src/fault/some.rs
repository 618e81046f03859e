//! The faults: `WHARFINGER_FAULT` says where to die, two URLs hold the Application worker and let it go.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use crate::world::World;

#[derive(Default)]
pub struct Faults {
    after_assign: bool,
    after_patch: bool,
    held: AtomicBool,
}

impl Faults {
    pub fn from_env() -> anyhow::Result<Self> {
        let mut faults = Self::default();
        match env::var("WHARFINGER_FAULT").as_deref() {
            Err(_) | Ok("") => {}
            Ok("exit-after-assign") => faults.after_assign = true,
            Ok("exit-after-patch") => faults.after_patch = true,
            Ok(other) => anyhow::bail!("WHARFINGER_FAULT={other} is not known"),
        }
        Ok(faults)
    }

    /// The watch may show the assignment before its answer is here: no Application may be patched meanwhile.
    pub fn before_assign(&self) {
        if self.after_assign {
            self.held.store(true, SeqCst);
        }
    }

    pub fn after_assign(&self) {
        if self.after_assign {
            die();
        }
    }

    pub fn after_patch(&self) {
        if self.after_patch {
            die();
        }
    }

    /// Whether Applications are to be left alone.
    pub fn held(&self) -> bool {
        self.held.load(SeqCst)
    }
}

#[expect(clippy::exit, reason = "this is what the fault is: to be gone, as if killed")]
fn die() -> ! {
    std::process::exit(137)
}

/// `POST /fault/stop-applications` and `/fault/resume-applications`, on the admin port.
pub(crate) fn routes(world: Arc<World>) -> Router {
    tracing::warn!("Fault points are open: this process is for tests only");
    Router::new()
        .route("/fault/stop-applications", post(stop))
        .route("/fault/resume-applications", post(resume))
        .with_state(world)
}

async fn stop(State(world): State<Arc<World>>) {
    world.faults.held.store(true, SeqCst);
}

async fn resume(State(world): State<Arc<World>>) {
    world.faults.held.store(false, SeqCst);
    world.applications.keys().into_iter().for_each(|key| world.application_waker.wake(key));
}
