//! Who is there, as the kernel sees it.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Every process, however it came to be, that has `folder` in its environment or its command line.
pub(crate) fn mentioning(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    let ours = std::process::id().to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != ours)
        .filter_map(|pid| {
            let text = |file: &str| {
                let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let command = text("cmdline");
            // A zombie has neither.
            (command.contains(&needle) || text("environ").contains(&needle))
                .then(|| format!("{pid} {command}"))
        })
        .collect()
}

/// Asks what is left until nothing is, or the time is up; gives what is left then.
pub(crate) fn gone_within(limit: Duration, left: impl Fn() -> Vec<String>) -> Vec<String> {
    let deadline = Instant::now() + limit;
    loop {
        let left = left();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
