//! The faults: `WHARFINGER_FAULT` says where to die, two URLs hold the Application worker and let it go.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use wharfinger_daemon::{AdminArgs, Readiness, Shutdown};

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

/// The admin server, with two doors more: `POST /fault/stop-applications` and `/fault/resume-applications`.
pub(crate) async fn serve(
    admin: &AdminArgs,
    readiness: Readiness,
    world: Arc<World>,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + 'static + use<>> {
    let address = admin.admin_address;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    tracing::warn!(%address, "Fault points are open: this process is for tests only");
    let readyz = move || async move {
        match readiness.missing() {
            missing if missing.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
            missing => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", ")))
            }
        }
    };
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/fault/stop-applications", post(stop))
        .route("/fault/resume-applications", post(resume))
        .with_state(world);
    Ok(async move {
        axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
        Ok(())
    })
}

async fn stop(State(world): State<Arc<World>>) {
    world.faults.held.store(true, SeqCst);
}

async fn resume(State(world): State<Arc<World>>) {
    world.faults.held.store(false, SeqCst);
    world.applications.keys().into_iter().for_each(|key| world.application_waker.wake(key));
}
