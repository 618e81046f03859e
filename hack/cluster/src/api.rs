//! The few calls to kube-apiserver for which starting a kubectl would be slow: readiness, and the
//! requests for ServiceAccount tokens.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(10);

/// A caller with a bearer token.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) port: u16,
    pub(crate) trust: Arc<ClientConfig>,
    pub(crate) token: Arc<str>,
}

impl Api {
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn get(&self, path: &str) -> Result<String> {
        self.call("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let text = self.call("POST", path, &body.to_string())?;
        serde_json::from_str(&text).with_context(|| format!("the answer to POST {path}"))
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let socket = TcpStream::connect_timeout(&address, LIMIT)?;
        socket.set_read_timeout(Some(LIMIT))?;
        socket.set_write_timeout(Some(LIMIT))?;
        let name = ServerName::IpAddress(address.ip().into());
        let mut stream =
            StreamOwned::new(ClientConnection::new(Arc::clone(&self.trust), name)?, socket);
        // HTTP/1.0: the answer is neither chunked nor kept alive, so it ends with the connection.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("half an answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path}: {status} {body}");
        }
        Ok(body.to_owned())
    }
}
