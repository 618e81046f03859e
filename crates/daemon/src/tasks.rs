//! The tasks of a process, none of which may end unnoticed.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::timeout,
};
use tracing::{error, info};

use crate::Shutdown;

/// How long the others get to end once one has, or once the process was told to. Shorter than the
/// 30 seconds after which a kubelet kills.
const GRACE: Duration = Duration::from_secs(25);

/// Tasks that run until a shutdown. The first that fails, panics or just ends takes the others with it.
pub struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
    /// The tasks that have not ended.
    running: Vec<&'static str>,
    /// Those of them that the others stand on.
    support: Vec<&'static str>,
    shutdown: Shutdown,
    last: Shutdown,
}

impl Tasks {
    /// For a process of its own: SIGTERM and SIGINT are the shutdown.
    pub fn until_signalled() -> Self {
        let mut tasks = Self::until(Shutdown::new());
        let shutdown = tasks.shutdown();
        tasks.spawn("signals", signalled(shutdown));
        tasks
    }

    /// For a part of a larger process, which says when to end.
    pub fn until(shutdown: Shutdown) -> Self {
        Self {
            set: JoinSet::new(),
            running: vec![],
            support: vec![],
            shutdown,
            last: Shutdown::new(),
        }
    }

    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Adds a task that the others stand on while they finish what they have begun. The token it is given is cancelled
    /// when they have ended; soon after that it is to end too, with `Ok`.
    pub fn support<T>(&mut self, name: &'static str, task: impl FnOnce(Shutdown) -> T)
    where
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.support.push(name);
        let task = task(self.last.clone());
        self.spawn(name, task);
    }

    /// Adds a task. It is to end, with `Ok`, soon after the shutdown, and not before.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running.push(name);
        self.set.spawn(async move { (name, task.await) });
    }

    /// Waits for the end of all tasks. The first failure is the result.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let Some(first) = self.next().await else { return Ok(()) };
        self.shutdown.cancel();
        let rest = timeout(GRACE, async {
            let mut result = Ok(());
            self.let_support_end();
            while let Some(ended) = self.next().await {
                result = result.and(ended);
                self.let_support_end();
            }
            result
        });
        match rest.await {
            Ok(rest) => first.and(rest),
            // What is left is aborted by dropping the set.
            Err(_) => {
                let left = self.running.join(", ");
                first.and(Err(anyhow!("some tasks did not end in time: {left}")))
            }
        }
    }

    fn let_support_end(&self) {
        if self.running.iter().all(|name| self.support.contains(name)) {
            self.last.cancel();
        }
    }

    /// How the next task ended; nothing when none is left.
    async fn next(&mut self) -> Option<anyhow::Result<()>> {
        let ended = self.set.join_next().await?;
        if let Ok((name, _)) = &ended
            && let Some(at) = self.running.iter().position(|running| running == name)
        {
            self.running.swap_remove(at);
        }
        Some(judge(ended, self.shutdown.is_cancelled()))
    }
}

fn judge(
    ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>,
    expected: bool,
) -> anyhow::Result<()> {
    let result = match ended {
        Ok((_, Ok(()))) if expected => Ok(()),
        Ok((name, Ok(()))) => Err(anyhow!("task {name} ended")),
        Ok((name, Err(e))) => Err(e.context(format!("task {name} failed"))),
        Err(e) => Err(anyhow::Error::new(e).context("a task died")),
    };
    if let Err(e) = &result {
        error!(error = format!("{e:#}"), "Shutting down");
    }
    result
}

async fn signalled(shutdown: Shutdown) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be caught")?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = shutdown.cancelled() => return Ok(()),
    };
    info!(signal = name, "Shutting down");
    shutdown.cancel();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_failure_ends_all() {
        let mut tasks = Tasks::until(Shutdown::new());
        let shutdown = tasks.shutdown();
        tasks.spawn("patient", async move {
            shutdown.cancelled().await;
            Ok(())
        });
        tasks.spawn("broken", async { Err(anyhow!("no socket")) });
        assert_eq!(
            format!("{:#}", tasks.run().await.unwrap_err()),
            "task broken failed: no socket"
        );
    }

    #[tokio::test]
    async fn a_panic_or_an_early_end_is_a_failure() {
        let mut tasks = Tasks::until(Shutdown::new());
        tasks.spawn("early", async { Ok(()) });
        assert_eq!(tasks.run().await.unwrap_err().to_string(), "task early ended");

        let mut tasks = Tasks::until(Shutdown::new());
        tasks.spawn("panicking", async { panic!("oh") });
        assert_eq!(tasks.run().await.unwrap_err().to_string(), "a task died");
    }

    #[tokio::test]
    async fn what_the_others_stand_on_ends_last() {
        let mut tasks = Tasks::until(Shutdown::new());
        let (shutdown, finished) = (tasks.shutdown(), Shutdown::new());
        let seen = finished.clone();
        tasks.support("ground", move |last| async move {
            last.cancelled().await;
            assert!(seen.is_cancelled(), "there is still somebody on it");
            Ok(())
        });
        tasks.shutdown().cancel();
        tasks.spawn("patient", async move {
            shutdown.cancelled().await;
            tokio::task::yield_now().await;
            finished.cancel();
            Ok(())
        });
        tasks.run().await.unwrap();
    }

    #[tokio::test]
    async fn a_shutdown_is_a_good_end() {
        let mut tasks = Tasks::until_signalled();
        let shutdown = tasks.shutdown();
        tasks.shutdown().cancel();
        tasks.spawn("patient", async move {
            shutdown.cancelled().await;
            Ok(())
        });
        tasks.run().await.unwrap();
    }
}
