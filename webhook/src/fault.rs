//! A test holds the process back where luck would have to. Compiled only with the feature `fault-points`.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::routing::post;
use tokio::sync::{Mutex, OwnedMutexGuard};

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

/// `POST /fault/hold-cache` and `/fault/release-cache`, on the admin port.
pub(crate) fn routes(hold: Hold) -> Router {
    tracing::warn!("Fault points are open: this process is for tests only");
    let release = hold.clone();
    Router::new()
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
        let app = routes(hold.clone());
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
