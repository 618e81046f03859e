//! A set of files as it lies on a disk.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Files, Limits, Refused, Tree};

impl Files {
    /// Reads everything below `root` but `.git`. `above` is the folder of the repository that this is. Blocks.
    pub fn read(root: &Path, above: &str, limits: Limits) -> Result<Self, Refused> {
        let mut tree = Tree::new(limits);
        let mut folders = vec![root.to_owned()];
        let unreadable = |path: &Path| {
            let path = path.strip_prefix(root).unwrap_or(path).display().to_string();
            move |e| Refused::Unreadable(format!("{path}: {e}"))
        };
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
                let entry = entry.map_err(unreadable(&folder))?;
                let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable(&folder))?);
                if entry.file_name() == ".git" {
                    continue;
                }
                let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_symlink() {
                    let target = fs::read_link(&path).map_err(unreadable(&path))?;
                    tree.link(name, target.as_os_str().as_bytes())?;
                } else if kind.is_file() {
                    if entry.metadata().map_err(unreadable(&path))?.len() > tree.room() {
                        return Err(Refused::TooLarge(limits.bytes));
                    }
                    tree.file(name, fs::read(&path).map_err(unreadable(&path))?)?;
                } else {
                    return Err(Refused::Special(String::from_utf8_lossy(name).into()));
                }
            }
        }
        tree.finish(above)
    }
}
