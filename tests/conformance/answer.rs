//! What an API server answered, and what a case expects of it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use http::{header, response::Parts};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked.
    what: String,
    pub(crate) code: u16,
    pub(crate) content: String,
    /// The texts of the `Warning` headers.
    pub(crate) warnings: Vec<String>,
    /// A text, if it is not JSON.
    pub(crate) body: Value,
    ns: Arc<str>,
}

impl Answer {
    pub(crate) fn new(what: String, head: &Parts, body: &[u8], ns: Arc<str>) -> Self {
        let text = |name| -> Vec<String> {
            let values = head.headers.get_all(name).iter();
            values.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect()
        };
        // 299 - "text"
        let warning = |header: String| {
            let text = header.split_once('"').map_or(&*header, |(_, text)| text);
            text.strip_suffix('"').unwrap_or(text).replace("\\\"", "\"")
        };
        Self {
            what,
            code: head.status.as_u16(),
            content: text(header::CONTENT_TYPE).concat(),
            warnings: text(header::WARNING).into_iter().map(warning).collect(),
            body: serde_json::from_slice(body)
                .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
            ns,
        }
    }

    /// What was made, read or changed.
    pub(crate) fn done(self) -> Result<Value> {
        ensure!((200..300).contains(&self.code), "{} must succeed: {self:#?}", self.what);
        Ok(self.body)
    }

    /// A Status with exactly that code, reason and message.
    pub(crate) fn refused(self, code: u16, reason: &str, message: &str) -> Result<Value> {
        let message = message.replace("{ns}", &self.ns);
        let said = self.body["message"].as_str().unwrap_or_default();
        ensure!(
            self.code == code
                && self.content == "application/json"
                && self.body["kind"] == "Status"
                && self.body["apiVersion"] == "v1"
                && self.body["status"] == "Failure"
                && self.body["code"] == code
                && self.body["reason"].as_str().unwrap_or_default() == reason
                && said == message,
            "{}\nmust be refused with {code} {reason}: {message}\n{self:#?}",
            self.what,
        );
        Ok(self.body)
    }

    /// Invalid, for exactly these causes (`field: message`), in whatever order and as often as it likes.
    pub(crate) fn invalid(self, object: &str, causes: &[&str]) -> Result<Value> {
        let found = self.body["details"]["causes"].as_array().cloned().unwrap_or_default();
        let text =
            |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<String> = found
            .iter()
            .map(|cause| format!("{}: {}", text(cause, "field"), text(cause, "message")))
            .collect();
        found.sort();
        found.dedup();
        let mut wanted: Vec<String> = causes.iter().map(|&cause| cause.to_owned()).collect();
        wanted.sort();
        let start = format!("{object} is invalid: ");
        let message = self.body["message"].as_str().unwrap_or_default();
        ensure!(
            self.code == 422 && self.body["reason"] == "Invalid" && message.starts_with(&start),
            "{} must find {object} invalid: {self:#?}",
            self.what,
        );
        ensure!(found == wanted, "{}\nfound  {found:#?}\nwanted {wanted:#?}", self.what);
        Ok(self.body)
    }
}

/// A text in an object, which has to be there.
pub(crate) fn text<'v>(object: &'v Value, pointer: &str) -> Result<&'v str> {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("{pointer} must be a text in {object:#}"))
}

/// The names of a List's items.
pub(crate) fn names(list: &Value) -> Result<Vec<&str>> {
    let items = list["items"].as_array().with_context(|| format!("no List: {list:#}"))?;
    items.iter().map(|item| text(item, "/metadata/name")).collect()
}
