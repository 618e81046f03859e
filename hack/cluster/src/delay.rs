//! A stretch of wire between a client and the Git host: each request's first byte arrives late.
//!
//! This is what a round trip to a Git host in another place costs, without changing anything else.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

pub(crate) struct Delay {
    millis: Arc<AtomicU64>,
}

impl Delay {
    /// Listens on `port` until the process ends, and passes everything on to `target`.
    pub(crate) fn listen(port: u16, target: u16, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("listening on 127.0.0.1:{port} for delayed Git requests"))?;
        let this = Self { millis: Arc::new(AtomicU64::new(0)) };
        this.set(delay);
        let millis = Arc::clone(&this.millis);
        thread::Builder::new().name("git delay".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                let millis = Arc::clone(&millis);
                // A connection that fails ends; the client sees it as it would see a lost host.
                thread::spawn(move || drop(relay(&client, target, &millis)));
            }
        })?;
        Ok(this)
    }

    pub(crate) fn set(&self, delay: Duration) {
        self.millis.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn relay(client: &TcpStream, target: u16, millis: &AtomicU64) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", target))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // Connections are kept alive: what the client says after an answer is a new request.
    let next_is_new = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| copy(&server, client, || next_is_new.store(true, Ordering::Relaxed)));
        copy(client, &server, || {
            if next_is_new.swap(false, Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(millis.load(Ordering::Relaxed)));
            }
        })
    })
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, before: impl Fn()) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let passed_on = match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(length) => {
                before();
                to.write_all(&buffer[..length])
            }
            Err(error) => Err(error),
        };
        if passed_on.is_err() {
            // One side is lost: the other direction must not wait for it.
            drop(from.shutdown(Shutdown::Both));
            return to.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn each_request_of_a_connection_is_late_and_answers_are_not() {
        let host = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = host.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = host.accept().unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                stream.write_all(&byte).unwrap();
            }
        });
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let delay = Delay::listen(free, target, Duration::from_millis(60)).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", free)).unwrap();
        let mut ask = || {
            let start = Instant::now();
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
            start.elapsed()
        };
        assert!(ask() >= Duration::from_millis(60));
        assert!(ask() >= Duration::from_millis(60));
        delay.set(Duration::ZERO);
        assert!(ask() < Duration::from_millis(60));
    }
}
