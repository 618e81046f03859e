//! The fault points that our processes have when they are built for these tests.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Result, ensure};
use wharfinger_cluster::{Cluster, Role};

/// Asks a process for a fault, or to end one: `hold-cache`, `release-cache`, `stop-applications`, …
pub fn fault(cluster: &Cluster, role: Role, what: &str) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.process(role)?.port("admin")?))?;
    write!(
        stream,
        "POST /fault/{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 2"), "{role} has no fault point {what}: {answer}");
    Ok(())
}
