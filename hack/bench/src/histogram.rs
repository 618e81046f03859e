//! How long things took, by a process's own metrics.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// For each bound, in seconds, how many were within it. The last bound is none.
pub(crate) struct Histogram(Vec<(f64, f64)>);

impl Histogram {
    /// The histogram of that name at the admin port of a process; where there are several, the one with that label.
    pub(crate) fn read(admin: SocketAddr, name: &str, label: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(admin)?;
        write!(stream, "GET /metrics HTTP/1.0\r\n\r\n")?;
        let metrics = io::read_to_string(stream)?;
        let buckets = metrics.lines().filter_map(|line| {
            let labels = line.strip_prefix(name)?.strip_prefix("_bucket{")?;
            labels.contains(label).then_some(labels)
        });
        let bucket = |labels: &str| {
            let (_, rest) = labels.split_once("le=\"").context("a bucket has a bound")?;
            let (bound, rest) = rest.split_once('"').context("a bound ends")?;
            let count = rest.rsplit(' ').next().unwrap_or_default();
            Ok((bound.parse()?, count.parse()?))
        };
        let buckets: Vec<_> = buckets.map(bucket).collect::<Result<_>>()?;
        ensure!(!buckets.is_empty(), "it has no metric {name} {label}");
        Ok(Self(buckets))
    }

    /// Without what `before` had counted.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let pairs = self.0.iter().zip(&before.0);
        Self(pairs.map(|((bound, now), (_, then))| (*bound, now - then)).collect())
    }

    /// The smallest bound that so many of 100 were within.
    pub(crate) fn within(&self, percent: u32) -> Result<Duration> {
        let all = self.0.last().map_or(0.0, |(_, count)| *count);
        ensure!(all > 0.0, "nothing was counted");
        let enough = all * f64::from(percent) / 100.0;
        let found = self.0.iter().find(|(_, count)| *count >= enough);
        let (bound, _) = found.context("all are within no bound")?;
        Ok(Duration::try_from_secs_f64(*bound).unwrap_or(Duration::MAX))
    }
}
