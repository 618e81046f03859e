//! How one sees from outside that a process is up.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use crate::api::Api;

// On loopback an answer is there at once or not at all; a paused process must not hold us up.
const LIMIT: Duration = Duration::from_secs(2);

pub(crate) enum Ready {
    Tcp(u16),
    Http { port: u16, path: &'static str },
    KubeApiserver(Api),
    Unix(PathBuf),
}

impl Ready {
    pub(crate) fn check(&self) -> bool {
        match self {
            Self::Tcp(port) => connect(*port).is_ok(),
            Self::Http { port, path } => http_ok(*port, path).unwrap_or(false),
            Self::KubeApiserver(api) => api.get("/readyz").is_ok(),
            Self::Unix(socket) => UnixStream::connect(socket).is_ok(),
        }
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "127.0.0.1:{port}"),
            Self::Http { port, path } => write!(f, "http://127.0.0.1:{port}{path}"),
            Self::KubeApiserver(api) => write!(f, "{}/readyz", api.url()),
            Self::Unix(socket) => write!(f, "{}", socket.display()),
        }
    }
}

pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn http_ok(port: u16, path: &str) -> std::io::Result<bool> {
    let mut stream = connect(port)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}
