//! The one form in which a figure is printed.

use std::time::Duration;

/// Prints a figure in milliseconds against its anchor. The goal is a largest ratio.
pub(crate) fn line(name: &str, figure: Duration, anchor_name: &str, anchor: Duration, goal: f64) {
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let ratio = ms(figure) / ms(anchor);
    print(name, ms(figure), "ms", anchor_name, ms(anchor), (goal, ratio <= goal));
}

/// Prints a rate: the goal is a smallest ratio.
pub(crate) fn rate(name: &str, figure: f64, anchor_name: &str, anchor: f64, goal: f64) {
    print(name, figure, "1/s", anchor_name, anchor, (goal, figure / anchor >= goal));
}

/// Prints a size in megabytes. The goal is a largest ratio.
pub(crate) fn size(name: &str, figure: f64, anchor_name: &str, anchor: f64, goal: f64) {
    print(name, figure, "MB", anchor_name, anchor, (goal, figure / anchor <= goal));
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn print(name: &str, figure: f64, unit: &str, peer: &str, anchor: f64, (goal, met): (f64, bool)) {
    let (ratio, verdict) = (figure / anchor, if met { "met" } else { "missed" });
    println!(
        "bench {name} {figure:.3} {unit} vs {peer} {anchor:.3} ratio={ratio:.3} goal={goal} {verdict}"
    );
}

/// The value below which `percent` of the samples lie.
pub(crate) fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
