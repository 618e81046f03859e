//! Freight that carries a commit pins the revision: nothing else is rendered with it.

use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::check::{Check, Code};
use wharfinger_core::url::{normalise_git, shown};

use crate::asked::SourceRef;

/// Refuses another revision than the one that the Freight carries for the source's repository.
pub(crate) fn check(collection: &FreightCollection, source: &SourceRef) -> Result<(), Check> {
    let repo = normalise_git(&source.repo_url);
    let commits = collection.items.values().flat_map(|freight| &freight.commits);
    let wanted: Vec<&str> = commits
        .filter(|c| !c.id.is_empty() && normalise_git(&c.repo_url) == repo)
        .map(|c| c.id.as_str())
        .collect();
    if wanted.is_empty() || wanted.contains(&source.revision.as_str()) {
        return Ok(());
    }
    let SourceRef { repo_url, revision, path: _ } = source;
    let text = format!(
        "the Stage's Freight carries commit {} of {}, but Argo CD asks for {revision}",
        wanted.join(" or "),
        shown(repo_url)
    );
    Err(Check::failed(Code::WrongRevision, text)
        .fix("Wharfinger's controller sets targetRevision; if it stays different, look for who else writes it"))
}

#[cfg(test)]
mod tests {
    use wharfinger_api::v1alpha1::{FreightReference, GitCommit};

    use super::*;

    #[test]
    fn a_commit_of_the_same_repository_is_the_only_one_rendered() {
        let commit = |repo: &str, id: &str| GitCommit {
            repo_url: repo.into(),
            id: id.into(),
            ..GitCommit::default()
        };
        let freight =
            |commits: Vec<GitCommit>| FreightReference { commits, ..FreightReference::default() };
        let items = [
            (
                "Warehouse/a".to_owned(),
                freight(vec![commit("https://git.example.com/shop/config.git", "aaa")]),
            ),
            (
                "Warehouse/b".to_owned(),
                freight(vec![commit("https://git.example.com/other", "bbb")]),
            ),
        ];
        let collection = FreightCollection { items: items.into(), ..FreightCollection::default() };
        let asks = |repo: &str, revision: &str| {
            let (repo_url, revision) = (repo.into(), revision.into());
            check(&collection, &SourceRef { repo_url, revision, path: String::new() })
        };
        assert_eq!(asks("https://git.example.com/shop/config", "aaa"), Ok(()));
        assert_eq!(asks("https://user@git.example.com/Shop/config.git", "aaa"), Ok(()));
        assert_eq!(asks("https://git.example.com/elsewhere", "ccc"), Ok(()));
        for wrong in ["bbb", "", "streamed", "AAA"] {
            let check = asks("https://git.example.com/shop/config", wrong).unwrap_err();
            assert_eq!(check.code, Code::WrongRevision);
            assert!(check.text.contains("commit aaa of"), "{}", check.text);
        }
        let secret = asks("https://user:hunter2@git.example.com/shop/config", "bbb").unwrap_err();
        assert!(secret.text.contains("of https://git.example.com/shop/config,"), "{}", secret.text);
    }
}
