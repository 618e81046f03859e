//! The Git repository that the demo makes for itself.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use git2::{ObjectType, Signature, Time, TreeWalkMode, TreeWalkResult};

/// A bare repository with one branch.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
}

const BRANCH: &str = "refs/heads/main";

impl Repository {
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head(BRANCH).external_template(false);
        git2::Repository::init_opts(path, &options)
            .with_context(|| format!("making the repository {}", path.display()))?;
        Ok(Self { path: path.into() })
    }

    /// What Applications have to call it.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Puts these files beside those that are there. Returns the commit, which depends on nothing but them.
    pub fn commit(&self, files: &[(&str, &str)], message: &str) -> Result<String> {
        let git = self.open()?;
        let parent = git.find_reference(BRANCH).and_then(|head| head.peel_to_commit()).ok();
        let base = match &parent {
            Some(commit) => commit.tree()?,
            None => git.find_tree(git.treebuilder(None)?.write()?)?,
        };
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, content) in files {
            update.upsert(*path, git.blob(content.as_bytes())?, git2::FileMode::Blob);
        }
        let tree = git.find_tree(update.create_updated(&git, &base)?)?;
        let author = Signature::new("wharfinger", "demo@wharfinger.dev", &Time::new(0, 0))?;
        let parents: Vec<_> = parent.iter().collect();
        let commit = git.commit(Some(BRANCH), &author, &author, message, &tree, &parents)?;
        Ok(commit.to_string())
    }

    pub fn head(&self) -> Result<String> {
        self.resolve("HEAD")
    }

    /// The commit that a revision stands for.
    pub fn resolve(&self, revision: &str) -> Result<String> {
        let revision = if revision.is_empty() { "HEAD" } else { revision };
        let git = self.open()?;
        let found = git.revparse_single(revision).and_then(|object| object.peel_to_commit());
        Ok(found
            .with_context(|| format!("unable to resolve '{revision}' to a commit"))?
            .id()
            .to_string())
    }

    /// All files of a commit, each with its content.
    pub fn files(&self, commit: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let git = self.open()?;
        let tree = git.find_commit(commit.parse()?)?.tree()?;
        let mut files = vec![];
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(ObjectType::Blob)
                && let (Ok(name), Ok(blob)) = (entry.name(), git.find_blob(entry.id()))
            {
                files.push((format!("{folder}{name}"), blob.content().to_vec()));
            }
            TreeWalkResult::Ok
        })?;
        Ok(files)
    }

    fn open(&self) -> Result<git2::Repository> {
        Ok(git2::Repository::open_bare(&self.path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_keeps_what_was_there() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let repository = Repository::create(&folder.path().join("shop.git"))?;
        assert!(repository.head().is_err(), "nothing was committed yet");
        let first = repository.commit(&[("web/a.yaml", "a"), ("b", "b")], "first")?;
        let second = repository.commit(&[("web/a.yaml", "A")], "second")?;
        assert_eq!(repository.head()?, second);
        assert_eq!(repository.resolve("main")?, second);
        assert_eq!(repository.resolve(&first[..8])?, first);
        let mut files = repository.files(&second)?;
        files.sort();
        assert_eq!(files, [("b".into(), b"b".to_vec()), ("web/a.yaml".into(), b"A".to_vec())]);
        Ok(())
    }
}
