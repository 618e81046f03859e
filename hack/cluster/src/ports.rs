//! Free ports on loopback.
//!
//! A port comes from below the range the kernel gives to outgoing connections. Asking the kernel
//! for any free port (bind to 0) would give one from inside that range, and then, while a test has
//! a part of the cluster down, another process' outgoing connection may be given its port; a
//! client that retries against a closed port of that range can even connect to itself.
//!
//! Clusters side by side take whole blocks of ports, each held by a lock on a file, so they cannot
//! take each other's while a part is down either. Strangers may: then the start is tried again.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};

use crate::run_folder;

const LOWEST: u16 = 10_240;
const BLOCK: u16 = 64;

pub(crate) struct Ports {
    next: Mutex<std::ops::Range<u16>>,
    _block: File,
}

impl Ports {
    /// Takes a block that no other live cluster has.
    pub(crate) fn new(base: &Path) -> Result<Self> {
        let folder = run_folder::common(base)?.join("ports");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let blocks = (lowest_outgoing().saturating_sub(LOWEST)) / BLOCK;
        // Not everyone starts at the first: a port just released may still be lingering.
        let first = if blocks == 0 { 0 } else { (std::process::id() % u32::from(blocks)) as u16 };
        for block in (0..blocks).map(|number| (first + number) % blocks) {
            let file = File::create(folder.join(block.to_string()))?;
            if file.try_lock().is_ok() {
                let from = LOWEST + block * BLOCK;
                return Ok(Self { next: Mutex::new(from..from + BLOCK), _block: file });
            }
        }
        bail!(
            "all {blocks} blocks of ports between {LOWEST} and /proc/sys/net/ipv4/ip_local_port_range \
             are taken (locks in {})",
            folder.display()
        )
    }

    /// A port nobody listens on now, and that is not given out a second time.
    pub(crate) fn take(&self) -> Result<u16> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.by_ref()
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .context("the cluster's block of ports is used up")
    }
}

fn lowest_outgoing() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_clusters_and_one_stranger_get_different_ports() {
        let base = std::env::temp_dir();
        let (one, two) = (Ports::new(&base).unwrap(), Ports::new(&base).unwrap());
        let first = one.take().unwrap();
        let _stranger = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
        let mut seen = BTreeSet::from([first, first + 1]);
        for _ in 0..30 {
            assert!(seen.insert(one.take().unwrap()));
            assert!(seen.insert(two.take().unwrap()));
        }
        assert!(seen.iter().all(|port| *port < lowest_outgoing()));
    }

    #[test]
    fn a_block_is_free_again_when_its_cluster_is_gone() {
        let base = std::env::temp_dir().join(format!("ports-{}", std::process::id()));
        fs::create_dir_all(&base).unwrap();
        let first = Ports::new(&base).unwrap().take().unwrap();
        assert_eq!(Ports::new(&base).unwrap().take().unwrap(), first);
        fs::remove_dir_all(base).unwrap();
    }
}
