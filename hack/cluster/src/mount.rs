//! A Secret as files: what a kubelet keeps in the folder that a Pod mounts.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;

use crate::api::Api;

/// A kubelet may take a minute. Nobody waits for that here.
const LOOK: Duration = Duration::from_millis(250);

type Files = BTreeMap<String, Vec<u8>>;

/// Follows the Secret until it is dropped. The files of a Secret that is deleted stay, as a kubelet leaves them.
pub(crate) struct Mount {
    folder: PathBuf,
    _end: Sender<()>,
}

impl Mount {
    /// Fails while there is no such Secret: its Pod would not start.
    pub(crate) fn new(api: &Api, namespace: &str, secret: &str, folder: &Path) -> Result<Self> {
        let (api, path) = (api.clone(), format!("/api/v1/namespaces/{namespace}/secrets/{secret}"));
        let mut shown = files(&api.get(&path)?)?;
        show(folder, &shown)?;
        let (end, ended) = mpsc::channel();
        let into = folder.to_owned();
        thread::Builder::new().name(format!("mount {secret}")).spawn(move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                // Neither the Secret's absence nor that of the API server ends it.
                let Ok(now) = api.get(&path).and_then(|text| files(&text)) else { continue };
                if now != shown && show(&into, &now).is_ok() {
                    shown = now;
                }
            }
        })?;
        Ok(Self { folder: folder.to_owned(), _end: end })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn files(secret: &str) -> Result<Files> {
    let secret: Value = serde_json::from_str(secret)?;
    let data = secret["data"].as_object().context("the Secret is empty")?;
    data.iter()
        .map(|(name, value)| {
            let value = value.as_str().context("a Secret holds strings")?;
            Ok((name.clone(), BASE64.decode(value)?))
        })
        .collect()
}

/// Every file is a link through the link `..data`. That one is replaced at once, so whoever reads finds files that belong together.
fn show(folder: &Path, files: &Files) -> Result<()> {
    let data = folder.join("..data");
    let before = fs::read_link(&data).ok();
    let now = tempfile::Builder::new().prefix("..").tempdir_in(folder)?.keep();
    for (name, content) in files {
        fs::write(now.join(name), content)?;
    }
    let next = folder.join("..data_tmp");
    symlink(now.file_name().context("a folder has a name")?, &next)?;
    fs::rename(&next, &data)?;
    for name in files.keys() {
        match symlink(Path::new("..data").join(name), folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    if let Some(before) = before {
        fs::remove_dir_all(folder.join(before))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_together_and_what_was_there_before_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        let pair = |of: &str| {
            let secret = serde_json::json!({ "data": {
                "tls.crt": BASE64.encode(format!("certificate of {of}")),
                "tls.key": BASE64.encode(format!("key of {of}")),
            } });
            files(&secret.to_string()).unwrap()
        };
        for of in ["a", "b"] {
            show(folder.path(), &pair(of)).unwrap();
            assert_eq!(read("tls.crt"), format!("certificate of {of}"));
            assert_eq!(read("tls.key"), format!("key of {of}"));
        }
        // One folder, the link to it, and one link for each file.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        assert_eq!(
            fs::read_link(folder.path().join("tls.key")).unwrap(),
            Path::new("..data/tls.key")
        );
    }

    #[test]
    fn an_empty_secret_is_no_files() {
        assert!(files("{}").is_err());
    }
}
