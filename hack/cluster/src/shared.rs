//! One cluster for all tests of a process.
//!
//! Most tests only use it, side by side. A test that kills parts of it waits until it is alone; when
//! it is done, everything is brought up again before others go on.

use std::{
    ops::Deref,
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use anyhow::{Result, anyhow, bail};

use crate::{Cluster, Options};

/// The cluster of this process, with Wharfinger installed, started by whoever asks first. It goes
/// when the process ends; its folder with the logs stays until the next start of any cluster.
pub fn shared() -> Result<&'static Shared> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let start = || {
        let cluster = Cluster::start(Options { fault_points: true, ..Options::default() })?;
        cluster.install_wharfinger()?;
        Ok(Shared { cluster, gate: Mutex::default(), opened: Condvar::new() })
    };
    SHARED
        .get_or_init(|| start().map_err(|error: anyhow::Error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("the shared cluster did not start: {error}"))
}

pub struct Shared {
    cluster: Cluster,
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    users: usize,
    alone: bool,
    // Who wants to be alone goes before later users, or would wait for ever.
    waiting: usize,
    broken: Option<String>,
}

impl Shared {
    /// For a test that changes nothing but its own objects. Waits while another is alone.
    pub fn use_it(&'static self) -> Result<InUse> {
        let mut gate = self.gate();
        while gate.alone || gate.waiting > 0 {
            gate = self.opened.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.check()?;
        gate.users += 1;
        Ok(InUse(self))
    }

    /// For a test that kills, pauses or restarts processes. Waits until nobody else uses them.
    pub fn alone(&'static self) -> Result<Alone> {
        let mut gate = self.gate();
        gate.waiting += 1;
        while gate.alone || gate.users > 0 {
            gate = self.opened.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.waiting -= 1;
        let checked = gate.check();
        gate.alone = checked.is_ok();
        drop(gate);
        self.opened.notify_all();
        checked.map(|()| Alone(self))
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn check(&self) -> Result<()> {
        match &self.broken {
            Some(why) => bail!("a test left the shared cluster broken: {why}"),
            None => Ok(()),
        }
    }
}

/// The shared cluster, beside others.
pub struct InUse(&'static Shared);

/// The shared cluster, without others.
pub struct Alone(&'static Shared);

impl Deref for InUse {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.0.cluster
    }
}

impl Deref for Alone {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.0.cluster
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.gate().users -= 1;
        self.0.opened.notify_all();
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let up = self.0.cluster.all_up();
        let mut gate = self.0.gate();
        gate.alone = false;
        gate.broken = up.err().map(|error| format!("{error:#}"));
        drop(gate);
        self.0.opened.notify_all();
    }
}
