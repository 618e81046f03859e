//! How many reviews there were, what became of them, and how long they took.

use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use wharfinger_core::admission::Kind;

use crate::door::Door;
use crate::review::Request;

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    reviews: Family<Labels, Counter>,
    duration: Family<DoorLabel, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    door: DoorName,
    /// One of the resources that rules exist for, or `other`.
    resource: &'static str,
    subresource: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoorLabel {
    door: DoorName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum DoorName {
    Mutate,
    Validate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    Allowed,
    Denied,
    /// Denied because it could not be judged.
    Failed,
    /// The API server went away before there was an answer.
    Abandoned,
}

/// One review under way. Dropped without an outcome it counts as abandoned.
pub(crate) struct Metered {
    metrics: Metrics,
    labels: Labels,
    begun: Instant,
    pub(crate) outcome: Outcome,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let new = Self {
            reviews: Family::default(),
            duration: Family::new_with_constructor(|| {
                Histogram::new([
                    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5,
                ])
            }),
        };
        registry.register(
            "wharfinger_reviews",
            "Reviews by what became of them",
            new.reviews.clone(),
        );
        registry.register(
            "wharfinger_review_duration_seconds",
            "How long reviews took",
            new.duration.clone(),
        );
        new
    }

    pub(crate) fn begin(&self, door: Door, request: &Request) -> Metered {
        let kind =
            Kind::of(&request.resource.group, &request.resource.resource, &request.sub_resource);
        let place = Kind::ALL.iter().find(|(known, ..)| Some(*known) == kind);
        let (resource, subresource) =
            place.map_or(("other", ""), |(_, _, resource, subresource)| (*resource, *subresource));
        let door = match door {
            Door::Mutate => DoorName::Mutate,
            Door::Validate => DoorName::Validate,
        };
        let labels = Labels { door, resource, subresource, outcome: Outcome::Abandoned };
        Metered {
            metrics: self.clone(),
            labels,
            begun: Instant::now(),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let Self { metrics, labels, begun, outcome } = self;
        let labels = Labels { outcome: *outcome, ..labels.clone() };
        metrics
            .duration
            .get_or_create(&DoorLabel { door: labels.door })
            .observe(begun.elapsed().as_secs_f64());
        metrics.reviews.get_or_create(&labels).inc();
    }
}
