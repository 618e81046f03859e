//! A set of files, in memory.
//!
//! Names are relative to a root that nothing leaves: every name is made of plain components, and links are resolved
//! while the set is put together. Whoever writes a set to a disk need not look at names again.

mod disk;
mod link;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use wharfinger_core::paths::lies_in;

pub use link::Tree;
use link::{Links, To};
pub use wharfinger_core::paths::join;

/// Files by their name below the root, with `/` between components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    files: BTreeMap<String, Bytes>,
    /// Directories that are links. Argo CD reads what lies behind them, but does not walk into them.
    linked: BTreeSet<String>,
    /// Names that lead to what was not handed over.
    outside: BTreeSet<String>,
    links: Links,
}

/// How much a set may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub files: usize,
    /// Of all files together.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 100_000, bytes: 512 << 20 }
    }
}

/// Why a set of files was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0:?} is not the name of a file below the root")]
    Name(String),
    #[error("the link {name:?} leaves the root: it leads to {target:?}")]
    Escape { name: String, target: String },
    #[error("the link {0:?} leads through too many links")]
    Loop(String),
    #[error("{0:?} is neither a file, a directory nor a link")]
    Special(String),
    #[error("there are more than {0} files")]
    TooMany(usize),
    #[error("the files have more than {0} bytes together")]
    TooLarge(u64),
    #[error("can't read {0}")]
    Unreadable(String),
}

impl Files {
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(AsRef::as_ref)
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All files, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, content)| (name.as_str(), content.as_ref()))
    }

    /// The files below `folder`, each with its whole name. The root is the empty name.
    pub fn within<'f>(
        &'f self,
        folder: &str,
    ) -> impl Iterator<Item = (&'f str, &'f [u8])> + use<'f> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let all = self.files.range(prefix.clone()..);
        let inside = all.take_while(move |(name, _)| name.starts_with(&prefix));
        inside.map(|(name, content)| (name.as_str(), content.as_ref()))
    }

    /// The same, each with its name from there.
    pub fn below<'f>(
        &'f self,
        folder: &str,
    ) -> impl Iterator<Item = (&'f str, &'f [u8])> + use<'f> {
        let from = folder.len() + usize::from(!folder.is_empty());
        self.within(folder).map(move |(name, content)| (&name[from..], content))
    }

    pub fn has_folder(&self, folder: &str) -> bool {
        self.below(folder).next().is_some()
    }

    /// The same files, but for one with another content.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, content: &str) -> Self {
        self.files.insert(name.to_owned(), Bytes::copy_from_slice(content.as_bytes()));
        self
    }

    /// The same files without those that are called so, or lie in a folder that is.
    #[must_use]
    pub(crate) fn without(mut self, names: &[String]) -> Self {
        self.files.retain(|file, _| !names.iter().any(|name| lies_in(file, name)));
        self
    }

    /// Whether a file in `folder` is reached from there through a directory that is a link.
    pub(crate) fn is_linked(&self, folder: &str, name: &str) -> bool {
        let mut below = name.match_indices('/').filter(|(end, _)| *end > folder.len());
        !self.linked.is_empty() && below.any(|(end, _)| self.linked.contains(&name[..end]))
    }

    /// The names below `folder` that lead to what was not handed over.
    pub(crate) fn outside_in<'f>(&'f self, folder: &'f str) -> impl Iterator<Item = &'f str> {
        let from = self.outside.range(folder.to_owned()..).map(String::as_str);
        from.take_while(move |name| name.starts_with(folder))
            .filter(move |name| lies_in(name, folder))
    }

    /// Where a name leads, from the root of the repository, if that was not handed over.
    pub(crate) fn leads_out(&self, name: &str) -> Option<String> {
        let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
        if self.outside.is_empty()
            || !ends.into_iter().any(|end| self.outside.contains(&name[..end]))
        {
            return None;
        }
        match self.links.follow(name).ok()?.to {
            To::Outside(path) => Some(path),
            To::Inside(_) => None,
        }
    }

    /// What else has to be as it is for a name to mean what it means: the links on the way, and where they lead.
    pub(crate) fn led_to(&self, name: &str) -> impl Iterator<Item = String> + use<> {
        let way = (!self.links.is_empty()).then(|| self.links.follow(name).ok()).flatten();
        let led = way.and_then(|way| match way.to {
            To::Inside(path) if !way.links.is_empty() => Some(way.links.into_iter().chain([path])),
            _ => None,
        });
        led.into_iter().flatten()
    }
}

impl<'a, C: AsRef<[u8]>> FromIterator<(&'a str, C)> for Files {
    /// For tests and examples; names have to be plain.
    fn from_iter<I: IntoIterator<Item = (&'a str, C)>>(files: I) -> Self {
        let content = |content: C| Bytes::copy_from_slice(content.as_ref());
        let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), content(bytes)));
        Self { files: files.collect(), ..Self::default() }
    }
}

/// The folder that a file or a folder lies in.
pub(crate) fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}
