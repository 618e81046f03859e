//! A test holds the process back where luck would have to. Compiled only with the feature `fault-points`.

use std::sync::{Arc, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OwnedMutexGuard};
use wharfinger_daemon::{AdminArgs, Readiness, Shutdown};

/// Whether what is seen of Stages is put into the cache, or has to wait.
#[derive(Clone, Default)]
pub(crate) struct Hold {
    turn: Arc<Mutex<()>>,
    held: Arc<std::sync::Mutex<Option<OwnedMutexGuard<()>>>>,
}

impl Hold {
    /// Comes when nothing is held; to be kept while the cache is written.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Returns when the cache is as it will stay.
    async fn hold(&self) {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return;
        }
        let turn = self.turn().await;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    fn release(&self) {
        drop(self.held.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The admin server, with two doors more.
pub(crate) async fn serve(
    admin: &AdminArgs,
    registry: Registry,
    readiness: Readiness,
    hold: Hold,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + 'static + use<>> {
    let address = admin.admin_address;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    tracing::warn!(%address, "Fault points are open: this process is for tests only");
    let app = router(registry, readiness, hold);
    Ok(async move {
        axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
        Ok(())
    })
}

fn router(registry: Registry, readiness: Readiness, hold: Hold) -> Router {
    let (registry, release) = (Arc::new(registry), hold.clone());
    let readyz = move || async move {
        match readiness.missing() {
            missing if missing.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
            missing => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", ")))
            }
        }
    };
    let metrics = move || async move {
        let mut body = String::new();
        match text::encode(&mut body, &registry) {
            Ok(()) => (StatusCode::OK, body),
            Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route(
            "/fault/hold-cache",
            post(move || async move {
                hold.hold().await;
                "held\n"
            }),
        )
        .route(
            "/fault/release-cache",
            post(move || async move {
                release.release();
                "released\n"
            }),
        )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use futures::FutureExt as _;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_held_cache_waits_until_it_is_released() {
        let hold = Hold::default();
        let app = router(Registry::default(), Readiness::default(), hold.clone());
        let post = async |path: &str| {
            app.clone()
                .oneshot(Request::post(path).body(Body::empty()).unwrap())
                .await
                .unwrap()
                .status()
        };
        assert!(hold.turn().now_or_never().is_some());
        for _ in 0..2 {
            assert_eq!(post("/fault/hold-cache").await, 200);
            assert!(hold.turn().now_or_never().is_none());
        }
        for _ in 0..2 {
            assert_eq!(post("/fault/release-cache").await, 200);
            assert!(hold.turn().now_or_never().is_some());
        }
        assert_eq!(post("/fault/else").await, 404);
    }
}
