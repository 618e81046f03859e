//! A watch, event by event.

use anyhow::{Context as _, Result, bail, ensure};
use http::Response;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;

use crate::{answer::text, server::PATIENCE};

pub(crate) struct Watch {
    body: Body,
    read: Vec<u8>,
}

impl Watch {
    pub(crate) async fn new(response: Response<Body>) -> Result<Self> {
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let body = body.collect().await?.to_bytes();
            bail!("a watch was answered with {}: {}", head.status, String::from_utf8_lossy(&body));
        }
        Ok(Self { body, read: Vec::new() })
    }

    /// The next event. Nothing when the server ended the watch.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame());
            match frame.await.context("waited for an event")? {
                None => return Ok(None),
                Some(frame) => {
                    if let Some(data) = frame?.data_ref() {
                        self.read.extend_from_slice(data);
                    }
                }
            }
        }
    }

    /// The next event has to be of that type, about the object of that name. Returns the object.
    pub(crate) async fn shows(&mut self, kind: &str, name: &str) -> Result<Value> {
        let event = self.next().await?.with_context(|| format!("no {kind} of {name}"))?;
        let object = &event["object"];
        ensure!(
            event["type"] == kind && (name.is_empty() || text(object, "/metadata/name")? == name),
            "must be {kind} of {name}: {event:#}",
        );
        Ok(object.clone())
    }

    /// Reads on until an event of that type about the object of that name.
    pub(crate) async fn until(&mut self, kind: &str, name: &str) -> Result<Value> {
        while let Some(event) = self.next().await? {
            if event["type"] == kind && event["object"]["metadata"]["name"] == name {
                return Ok(event["object"].clone());
            }
        }
        bail!("the watch ended before {kind} of {name}")
    }
}
