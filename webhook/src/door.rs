//! One review: understood, judged, answered. Whatever goes wrong on the way is a denial.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::FutureExt as _;
use http::StatusCode;
use tokio::time::{timeout, timeout_at};
use tracing::{error, info, warn};
use ulid::Ulid;
use wharfinger_core::admission::{Allowed, Facts, Identities, Object, Verdict, mutate, validate};
use wharfinger_core::check::{Check, Code};
use wharfinger_daemon::Clock;

use crate::act::Act;
use crate::event::Events;
use crate::find::Find;
use crate::metrics::{Metrics, Outcome};
use crate::review::{NoReview, Request, Reviewed};

/// An Application may hold 1.5 MB, and a review carries two of them.
const BODY: usize = 8 << 20;
/// The API server waits two seconds. An answer that comes later than that says nothing to anybody.
const DEADLINE: Duration = Duration::from_millis(1500);
const STUMBLED: &str = "the review made the webhook stumble";
/// More questions than any review has.
const ROUNDS: usize = 64;

pub(crate) struct Service<F> {
    pub(crate) identities: Identities,
    pub(crate) cluster: F,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) ulid: Mutex<Box<dyn FnMut() -> Ulid + Send>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Mutate,
    Validate,
}

pub(crate) fn router<F: Find + Act>(service: Service<F>) -> Router {
    let through = |door: Door| {
        post(move |State(service): State<Arc<Service<F>>>, request: HttpRequest| async move {
            alone(service.answer(door, request)).await
        })
    };
    Router::new()
        .route("/mutate", through(Door::Mutate))
        .route("/validate", through(Door::Validate))
        .with_state(Arc::new(service))
}

/// What panics ends no review but its own: over HTTP/2 many share one connection, and would go with it.
async fn alone(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        error!("Panicked");
        refuse(StatusCode::INTERNAL_SERVER_ERROR, STUMBLED)
    })
}

impl<F: Find + Act> Service<F> {
    async fn answer(&self, door: Door, request: HttpRequest) -> Response {
        let begun = tokio::time::Instant::now();
        let body = match timeout(DEADLINE, to_bytes(request.into_body(), BODY)).await {
            Ok(Ok(body)) => body,
            Ok(Err(e)) => {
                return refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the review can't be read, or has more than {BODY} bytes: {e}"),
                );
            }
            Err(_) => {
                return refuse(StatusCode::REQUEST_TIMEOUT, "the review did not arrive in time");
            }
        };
        let request = match Request::read(&body) {
            Ok(request) => request,
            Err(NoReview(text)) => return refuse(StatusCode::BAD_REQUEST, &text),
        };
        drop(body);
        let mut metered = self.metrics.begin(door, &request);
        // Here it is known whose it is, so that whoever writes is told like by any denial.
        let answered = async { self.allow(&request, self.judge(door, &request).await?) };
        let answered = AssertUnwindSafe(answered).catch_unwind();
        let answer = match timeout_at(begun + DEADLINE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                error!(uid = request.uid, resource = request.what(), "Panicked");
                metered.outcome = Outcome::Failed;
                Err(unavailable(STUMBLED.into()).fix("Report it, with the webhook's log"))
            }
            Err(_) => {
                Err(unavailable("the review could not be judged in time".into()).fix("Try again"))
            }
        };
        match answer {
            Ok(reviewed) => {
                metered.outcome = Outcome::Allowed;
                Json(reviewed).into_response()
            }
            Err(check) => {
                let Request { uid, namespace, name, operation, .. } = &request;
                let user = &request.user_info.username;
                if check.code == Code::Unavailable {
                    metered.outcome = Outcome::Failed;
                    warn!(uid, resource = request.what(), namespace, name, operation, user, %check, "Denied for lack of facts");
                } else {
                    metered.outcome = Outcome::Denied;
                    info!(uid, resource = request.what(), namespace, name, operation, user, %check, "Denied");
                }
                Json(Reviewed::deny(request.uid, &check)).into_response()
            }
        }
    }

    /// Asks, until there is nothing left to ask.
    async fn judge(&self, door: Door, request: &Request) -> Result<Allowed, Check> {
        let Some(review) = request.review(self.clock.now()) else {
            let text =
                format!("there are no rules for {} of {}", request.operation, request.what());
            return Err(
                unavailable(text).fix("Take it out of the rules of the WebhookConfigurations")
            );
        };
        let ulid = match door {
            Door::Mutate => self.ulid().to_string(),
            Door::Validate => String::new(),
        };
        let mut facts = Facts::default();
        for _ in 0..ROUNDS {
            let verdict = match door {
                Door::Mutate => mutate(&review, &self.identities, &facts, &ulid),
                Door::Validate => validate(&review, &self.identities, &facts),
            };
            match verdict {
                Verdict::Allow(allowed) => {
                    if let Some(effect) = &allowed.effect {
                        Box::pin(self.cluster.act(effect)).await.map_err(|e| {
                            unavailable(format!(
                                "what the write brings with it can't be done: {e:#}"
                            ))
                            .fix("Try again")
                        })?;
                    }
                    return Ok(allowed);
                }
                Verdict::Deny(check) => return Err(check),
                Verdict::Ask(question) => {
                    // Of the size of all that may be asked for, which a review carries about only while it asks.
                    let fact = Box::pin(self.cluster.find(question, &request.user_info)).await;
                    facts.add(fact.map_err(|e| {
                        unavailable(format!("what the review depends on can't be read: {e:#}"))
                            .fix("Try again")
                    })?);
                }
            }
        }
        Err(unavailable("the review asks for too much at once".into()).fix("Write less at once"))
    }

    fn allow(&self, request: &Request, allowed: Allowed) -> Result<Reviewed, Check> {
        let Allowed { warnings, events, object, effect: _ } = allowed;
        let unread = |e| unavailable(format!("the object can't be read: {e}"));
        let sent = request.object.as_ref().filter(|_| object.is_some());
        let sent = sent.map(Object::value).transpose().map_err(unread)?;
        let patch = sent.zip(object.as_ref()).map(|(sent, wanted)| json_patch::diff(sent, wanted));
        let reviewed = Reviewed::allow(request.uid.clone(), &warnings, patch.as_ref());
        let reviewed =
            reviewed.map_err(|e| unavailable(format!("the patch can't be written: {e}")))?;
        for event in events {
            self.events.tell(request, &event);
        }
        Ok(reviewed)
    }

    /// New, and greater than those before: Promotions queue in the order of their names.
    fn ulid(&self) -> Ulid {
        self.ulid.lock().unwrap_or_else(PoisonError::into_inner)()
    }
}

fn unavailable(text: String) -> Check {
    Check::failed(Code::Unavailable, text)
}

/// There is no review to answer, so the API server takes this as a failure to call us, and shows the text.
fn refuse(status: StatusCode, text: &str) -> Response {
    warn!(%status, text, "Refused");
    (status, Body::from(format!("wharfinger: {text}\n"))).into_response()
}

#[cfg(test)]
mod tests;
