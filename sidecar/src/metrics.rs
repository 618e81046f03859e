//! What a scraper sees of the renders.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info,
};
use prometheus_client::registry::{Registry, Unit};

use wharfinger_core::check::Code;

use crate::refusal::Refusal;

#[derive(Clone, Debug)]
pub struct Metrics {
    renders: Family<Labels, Counter>,
    /// Of those that were rendered: what somebody should look at.
    warnings: Family<Warned, Counter>,
    duration: Histogram,
    uploads: Counter,
    reads: Counter,
    bases: Gauge,
    bases_bytes: Gauge,
}

/// Closed on purpose: a label is never a name or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    Rendered,
    /// By the judgement.
    Refused,
    /// The files or the options.
    Invalid,
    /// The Kubernetes API, or too much at once.
    Unavailable,
    TimedOut,
    Failed,
    /// The caller went away, or a panic.
    Abandoned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Warned {
    code: Warning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Warning {
    /// No image of the Freight is in it.
    ImageUnused,
    /// A place of images is named where nothing stands.
    ImagePathUnused,
    /// More was sent than ten times what was read, and was not the time before.
    UploadLarge,
    /// Something was read that the Application does not declare, and was not the time before.
    PathsUndeclared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

impl Metrics {
    /// `tools` are what renders, by name, and their versions: equal inputs give equal bytes as long as they are the same.
    pub fn register(registry: &mut Registry, tools: &BTreeMap<&'static str, String>) -> Self {
        let registry = registry.sub_registry_with_prefix("wharfinger_sidecar");
        let tools: Vec<_> = tools.iter().map(|(name, version)| (*name, version.clone())).collect();
        registry.register("tools", "The versions of what renders", Info::new(tools));
        let buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0];
        let this = Self {
            renders: Family::default(),
            warnings: Family::default(),
            duration: Histogram::new(buckets),
            uploads: Counter::default(),
            reads: Counter::default(),
            bases: Gauge::default(),
            bases_bytes: Gauge::default(),
        };
        registry.register("renders", "Renders, by how they ended", this.renders.clone());
        registry.register(
            "warnings",
            "Renders that somebody should look at, by why",
            this.warnings.clone(),
        );
        registry.register_with_unit(
            "render",
            "How long renders took",
            Unit::Seconds,
            this.duration.clone(),
        );
        registry.register_with_unit(
            "uploads",
            "What was received",
            Unit::Bytes,
            this.uploads.clone(),
        );
        registry.register_with_unit(
            "reads",
            "The files among what was received that were read",
            Unit::Bytes,
            this.reads.clone(),
        );
        registry.register("bases", "Rendered bases that are kept", this.bases.clone());
        registry.register_with_unit(
            "bases",
            "What they take",
            Unit::Bytes,
            this.bases_bytes.clone(),
        );
        this
    }

    pub(crate) fn begin(&self) -> Render {
        Render { metrics: self.clone(), start: Instant::now(), outcome: Outcome::Abandoned }
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.uploads.inc_by(bytes);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.reads.inc_by(bytes);
    }

    pub(crate) fn warned(&self, code: Code) {
        let code = match code {
            Code::ImageUnused => Warning::ImageUnused,
            Code::ImagePathUnused => Warning::ImagePathUnused,
            Code::UploadLarge => Warning::UploadLarge,
            Code::PathsUndeclared => Warning::PathsUndeclared,
            _ => return,
        };
        self.warnings.get_or_create(&Warned { code }).inc();
    }

    pub(crate) fn kept(&self, (count, bytes): (usize, usize)) {
        let clamp = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.bases.set(clamp(count));
        self.bases_bytes.set(clamp(bytes));
    }
}

/// One render in flight. Dropped without an end, it counts as abandoned.
pub(crate) struct Render {
    metrics: Metrics,
    start: Instant,
    outcome: Outcome,
}

impl Render {
    pub(crate) fn end(mut self, result: Result<(), &Refusal>) {
        self.outcome = match result {
            Ok(()) => Outcome::Rendered,
            Err(Refusal::Check(_) | Refusal::NotFound(_)) => Outcome::Refused,
            Err(Refusal::Input(_)) => Outcome::Invalid,
            Err(Refusal::Unavailable(_) | Refusal::Busy) => Outcome::Unavailable,
            Err(Refusal::Deadline) => Outcome::TimedOut,
            Err(Refusal::Gone) => Outcome::Abandoned,
            Err(Refusal::Internal(_)) => Outcome::Failed,
        };
    }
}

impl Drop for Render {
    fn drop(&mut self) {
        self.metrics.duration.observe(self.start.elapsed().as_secs_f64());
        self.metrics.renders.get_or_create(&Labels { outcome: self.outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_render_is_counted_once() {
        let mut registry = Registry::default();
        let tools = BTreeMap::from([("helm", "v4.1.0".to_owned())]);
        let metrics = Metrics::register(&mut registry, &tools);
        metrics.begin().end(Ok(()));
        metrics.begin().end(Err(&Refusal::Busy));
        drop(metrics.begin());
        metrics.kept((2, 300));
        metrics.warned(Code::ImageUnused);
        metrics.read(5);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "wharfinger_sidecar_renders_total{outcome=\"Rendered\"} 1",
            "wharfinger_sidecar_renders_total{outcome=\"Unavailable\"} 1",
            "wharfinger_sidecar_renders_total{outcome=\"Abandoned\"} 1",
            "wharfinger_sidecar_render_seconds_count 3",
            "wharfinger_sidecar_warnings_total{code=\"ImageUnused\"} 1",
            "wharfinger_sidecar_tools_info{helm=\"v4.1.0\"} 1",
            "wharfinger_sidecar_reads_bytes_total 5",
            "wharfinger_sidecar_bases 2",
            "wharfinger_sidecar_bases_bytes 300",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
