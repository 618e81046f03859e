//! The store on a file: one line of JSON for each change, rewritten as one line for each object at every start.
//!
//! A crash can tear the last line; that change was never answered for, and is dropped.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tracing::warn;

use crate::store::Key;

/// Reads the file, if there is one, and opens it for more.
pub(crate) fn open(path: &Path, fresh_seed: &str) -> Result<(Kept, Log), Error> {
    let at = |source| Error::Io { path: path.into(), source };
    let mut kept = match std::fs::read_to_string(path) {
        Ok(text) => read(&text).map_err(|line| Error::Line { path: path.into(), line })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
        Err(error) => return Err(at(error)),
    };
    let seed = kept.seed.get_or_insert_with(|| fresh_seed.into()).clone();
    // The one who holds the lock of the old file is still writing to it.
    if let Ok(old) = File::open(path) {
        lock(&old, path)?;
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut fresh =
        tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(at)?;
    let header = json!({"seed": seed, "revision": kept.revision});
    writeln!(fresh, "{header}").map_err(at)?;
    for (key, object) in &kept.objects {
        let line = line(kept.revision, key, Some(object));
        writeln!(fresh, "{line}").map_err(at)?;
    }
    fresh.as_file().sync_all().map_err(at)?;
    let file = fresh.persist(path).map_err(|error| at(error.error))?;
    lock(&file, path)?;
    Ok((kept, Log { file, torn: false }))
}

/// What a file held.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) seed: Option<String>,
    pub(crate) revision: u64,
    pub(crate) objects: BTreeMap<Key, Arc<Value>>,
}

pub(crate) struct Log {
    file: File,
    /// Half a line was written: whatever came after it could not be read again.
    torn: bool,
}

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: line {line} can't be read: repair it, or remove the file", path.display())]
    Line { path: PathBuf, line: usize },
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
}

impl Log {
    pub(crate) fn append(
        &mut self,
        revision: u64,
        key: &Key,
        object: Option<&Value>,
    ) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other("an earlier write failed: restart"));
        }
        let line = format!("{}\n", line(revision, key, object));
        let written = self.file.write_all(line.as_bytes());
        self.torn = written.is_err();
        written
    }
}

fn line(revision: u64, key: &Key, object: Option<&Value>) -> Value {
    json!({"revision": revision, "key": [key.group, key.plural, key.namespace, key.name], "object": object})
}

/// Or the number of the line that can't be read.
fn read(text: &str) -> Result<Kept, usize> {
    let mut kept = Kept::default();
    let lines: Vec<&str> = text.split('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        let last = index + 1 == lines.len();
        if last {
            if !line.is_empty() {
                warn!(line = index + 1, "The last line is torn, and dropped");
            }
            break;
        }
        let value: Value = serde_json::from_str(line).map_err(|_| index + 1)?;
        kept.revision = value["revision"].as_u64().ok_or(index + 1)?.max(kept.revision);
        if let Some(seed) = value["seed"].as_str() {
            kept.seed = Some(seed.into());
            continue;
        }
        let key = key(&value["key"]).ok_or(index + 1)?;
        match &value["object"] {
            Value::Null => kept.objects.remove(&key),
            object => kept.objects.insert(key, Arc::new(object.clone())),
        };
    }
    Ok(kept)
}

fn key(value: &Value) -> Option<Key> {
    let part = |index: usize| value.get(index).and_then(Value::as_str).map(str::to_owned);
    Some(Key { group: part(0)?, plural: part(1)?, namespace: part(2)?, name: part(3)? })
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::InUse { path: path.into() },
        TryLockError::Error(source) => Error::Io { path: path.into(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            group: String::new(),
            plural: "secrets".into(),
            namespace: "n".into(),
            name: name.into(),
        }
    }

    #[test]
    fn what_was_written_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.jsonl");
        let (kept, mut log) = open(&path, "first").unwrap();
        assert_eq!((kept.seed.as_deref(), kept.revision), (Some("first"), 0));
        log.append(1, &key("a"), Some(&json!({"v": 1}))).unwrap();
        log.append(2, &key("a"), Some(&json!({"v": 2}))).unwrap();
        log.append(3, &key("b"), Some(&json!({}))).unwrap();
        log.append(4, &key("b"), None).unwrap();
        drop(log);
        for _ in 0..2 {
            let (kept, _log) = open(&path, "second").unwrap();
            assert_eq!((kept.seed.as_deref(), kept.revision), (Some("first"), 4));
            assert_eq!(kept.objects.len(), 1);
            assert_eq!(kept.objects[&key("a")]["v"], 2);
            // The header and one object.
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        }
    }

    #[test]
    fn only_the_last_line_may_be_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.jsonl");
        let (_, mut log) = open(&path, "s").unwrap();
        log.append(1, &key("a"), Some(&json!({}))).unwrap();
        log.append(2, &key("b"), Some(&json!({}))).unwrap();
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        assert_eq!(open(&path, "s").unwrap().0.objects.len(), 1);
        std::fs::write(&path, text.replacen("\"key\"", "\"", 1)).unwrap();
        assert!(matches!(open(&path, "s"), Err(Error::Line { line: 2, .. })));
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.jsonl");
        let _first = open(&path, "s").unwrap();
        assert!(matches!(open(&path, "s"), Err(Error::InUse { .. })));
    }
}
