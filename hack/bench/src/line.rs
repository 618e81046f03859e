//! The one form in which a figure is printed.

use std::time::Duration;

/// Prints a figure in milliseconds against its anchor. The goal is a largest ratio.
#[expect(clippy::print_stdout, reason = "this is what the program is for")]
pub(crate) fn line(name: &str, figure: Duration, anchor_name: &str, anchor: Duration, goal: f64) {
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let ratio = ms(figure) / ms(anchor);
    let verdict = if ratio <= goal { "met" } else { "missed" };
    println!(
        "bench {name} {:.3} ms vs {anchor_name} {:.3} ratio={ratio:.2} goal={goal} {verdict}",
        ms(figure),
        ms(anchor)
    );
}

/// The value below which `percent` of the samples lie.
pub(crate) fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
