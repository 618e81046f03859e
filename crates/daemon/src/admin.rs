//! The admin server: whether the process lives, whether it may be given work, and its metrics.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header::CONTENT_TYPE};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::{net::TcpListener, sync::watch};
use tracing::info;

use crate::{AdminArgs, Shutdown, Tasks};

/// Whether the process may be given work: when every gate is open and no shutdown has begun.
#[derive(Clone, Debug, Default)]
pub struct Readiness(watch::Sender<BTreeMap<&'static str, bool>>);

/// One reason not to be ready.
#[derive(Clone, Debug)]
pub struct Gate {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// A new gate, closed. Its name is shown by `/readyz` while it is.
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate { readiness: self.clone(), name };
        gate.close();
        gate
    }

    /// The closed gates.
    pub fn missing(&self) -> Vec<&'static str> {
        self.0.borrow().iter().filter(|(_, open)| !**open).map(|(name, _)| *name).collect()
    }

    /// Waits until every gate is open.
    pub async fn ready(&self) {
        // It fails only when the sender is gone, and that is ours.
        self.0.subscribe().wait_for(|gates| gates.values().all(|open| *open)).await.ok();
    }

    fn set(&self, name: &'static str, open: bool) {
        self.0.send_modify(|gates| {
            gates.insert(name, open);
        });
    }
}

impl Gate {
    pub fn open(&self) {
        self.readiness.set(self.name, true);
    }

    pub fn close(&self) {
        self.readiness.set(self.name, false);
    }
}

impl AdminArgs {
    /// Binds the admin server's port and serves it until every other task has ended: while they do, it says so.
    pub async fn serve(
        &self,
        registry: Registry,
        readiness: Readiness,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        self.serve_with(Router::new(), registry, readiness, tasks).await
    }

    /// The same, with routes of the program's own beside.
    pub async fn serve_with(
        &self,
        routes: Router,
        registry: Registry,
        readiness: Readiness,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        let listener = listen(self.admin_address).await?;
        let app = router(registry, readiness, tasks.shutdown()).merge(routes);
        tasks.support("admin", |last| async move {
            axum::serve(listener, app).with_graceful_shutdown(last.cancelled_owned()).await?;
            Ok(())
        });
        Ok(())
    }
}

pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    info!(address = %listener.local_addr()?, "Listening");
    Ok(listener)
}

#[derive(Clone)]
struct Known {
    registry: Arc<Registry>,
    readiness: Readiness,
    shutdown: Shutdown,
}

fn router(registry: Registry, readiness: Readiness, shutdown: Shutdown) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Known { registry: Arc::new(registry), readiness, shutdown })
}

async fn readyz(State(known): State<Known>) -> (StatusCode, String) {
    let missing = known.readiness.missing();
    if known.shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".into())
    } else if missing.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", ")))
    }
}

async fn metrics(State(known): State<Known>) -> impl IntoResponse {
    let mut body = String::new();
    match text::encode(&mut body, &known.registry) {
        Ok(()) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Ok(([(CONTENT_TYPE, form)], body))
        }
        Err(e) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::Request};
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(app: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_waits_for_every_gate_and_ends_with_the_process() {
        let (readiness, shutdown) = (Readiness::default(), Shutdown::new());
        let (caches, certificate) = (readiness.gate("caches"), readiness.gate("certificate"));
        let app = router(Registry::default(), readiness, shutdown.clone());

        assert_eq!(ask(&app, "/readyz").await, (503, "not ready: caches, certificate\n".into()));
        caches.open();
        assert_eq!(ask(&app, "/readyz").await, (503, "not ready: certificate\n".into()));
        certificate.open();
        assert_eq!(ask(&app, "/readyz").await, (200, "ok\n".into()));
        caches.close();
        assert_eq!(ask(&app, "/readyz").await.0, 503);
        caches.open();
        shutdown.cancel();
        assert_eq!(ask(&app, "/readyz").await, (503, "shutting down\n".into()));
        assert_eq!(ask(&app, "/healthz").await, (200, "ok\n".into()));
    }

    #[tokio::test]
    async fn metrics_are_as_a_scraper_reads_them() {
        let mut registry = Registry::default();
        let renders: Counter = Counter::default();
        registry.register("renders", "Renders", renders.clone());
        renders.inc();
        let app = router(registry, Readiness::default(), Shutdown::new());
        let (status, body) = ask(&app, "/metrics").await;
        assert_eq!(status, 200);
        assert!(body.contains("renders_total 1\n") && body.ends_with("# EOF\n"), "{body}");
    }
}
