//! The flags that every program has.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

/// To be flattened into a program's arguments.
#[derive(Clone, Debug, Args)]
pub struct AdminArgs {
    /// Address of the admin server: /healthz, /readyz and /metrics
    // Reachable from outside the pod only where the manifests say so.
    #[arg(
        long,
        env = "WHARFINGER_ADMIN_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9440"
    )]
    pub admin_address: SocketAddr,

    /// Form of the log, which goes to stderr. RUST_LOG filters it
    #[arg(long, env = "WHARFINGER_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        admin: AdminArgs,
    }

    #[test]
    fn the_flags_are_sound() {
        Program::command().debug_assert();
        let program =
            Program::parse_from(["x", "--admin-address", "0.0.0.0:1", "--log-format", "json"]);
        assert_eq!(program.admin.admin_address.port(), 1);
        assert_eq!(program.admin.log_format, LogFormat::Json);
    }
}
