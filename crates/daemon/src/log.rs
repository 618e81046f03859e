//! Where the log goes: to stderr, so that stdout stays free for a program's result.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

use crate::{AdminArgs, LogFormat};

/// What is said when `RUST_LOG` says nothing.
const DEFAULT: &str = "info";

impl AdminArgs {
    /// Starts the log. The first call in a process decides; a second is an error.
    pub fn init_log(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(DEFAULT))?;
        let log = fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        let started = match self.log_format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        };
        started.map_err(anyhow::Error::from_boxed)
    }
}
