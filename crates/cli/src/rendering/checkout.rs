//! The files of a source: from a checkout that is here, or fetched with the user's own git, which has the credentials.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::spawn_blocking;
use wharfinger_api::argocd::Source;
use wharfinger_core::url::normalise_git;
use wharfinger_render::Files;
use wharfinger_render::files::Limits;

use crate::exit::{Exit, Failure};

/// Which revision of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Exactly this one, wherever the files come from.
    Exactly(String),
    /// A checkout as it lies there; else this one.
    Here(String),
}

/// The files, and a line that says where they are from.
pub(super) async fn files(
    repo: Option<&Path>,
    source: &Source,
    wanted: &Wanted,
) -> Result<(Files, String), Failure> {
    let here = match repo {
        Some(repo) => Some(repo.to_owned()),
        None => here(source).await,
    };
    if !source.chart().is_empty() || source.repo_url().starts_with("oci://") {
        let Some(here) = repo else { return Err(chart(source)) };
        return Ok((
            read(here.to_owned()).await?,
            format!("chart as it lies in {}", here.display()),
        ));
    }
    match (here, wanted) {
        (Some(here), Wanted::Here(_)) => {
            let files = read(here.clone()).await?;
            Ok((files, format!("files as they lie in {}{}", here.display(), state(&here).await)))
        }
        (Some(here), Wanted::Exactly(revision)) => {
            let url = here.display().to_string();
            match fetch(&url, revision).await {
                Ok(fetched) => Ok(fetched),
                Err(_) => fetch(source.repo_url(), revision).await,
            }
        }
        (None, Wanted::Exactly(revision) | Wanted::Here(revision)) => {
            fetch(source.repo_url(), revision).await
        }
    }
}

/// The checkout that this folder is in, if it is of the source's repository.
async fn here(source: &Source) -> Option<PathBuf> {
    let root = git(Path::new("."), ["rev-parse", "--show-toplevel"]).await.ok()?;
    let root = PathBuf::from(root.trim_end());
    let remotes = git(&root, ["config", "--get-regexp", r"^remote\..*\.url$"]).await.ok()?;
    let wanted = normalise_git(source.repo_url());
    let mut urls = remotes.lines().filter_map(|line| line.split_once(' ')).map(|(_, url)| url);
    urls.any(|url| normalise_git(url) == wanted).then_some(root)
}

/// What git says of a checkout: ` (commit ab12f3e, with changes)`.
async fn state(repo: &Path) -> String {
    let Ok(commit) = git(repo, ["rev-parse", "--short", "HEAD"]).await else {
        return String::new();
    };
    let changed = git(repo, ["status", "--porcelain"]).await.is_ok_and(|s| !s.trim().is_empty());
    format!(" (commit {}{})", commit.trim(), if changed { ", with changes" } else { "" })
}

async fn fetch(url: &str, revision: &str) -> Result<(Files, String), Failure> {
    let folder = TempDir::new().map_err(|e| Failure::new("can't make a folder").because(&e))?;
    let revision = if revision.is_empty() { "HEAD" } else { revision };
    let dir = folder.path();
    git(dir, ["init", "--quiet"]).await?;
    // After `--`, nothing is taken for a flag.
    let fetched = git(dir, ["fetch", "--quiet", "--depth=1", "--", url, revision]).await;
    fetched.map_err(|failure| failure.next("Use a checkout of your own: --repo DIR"))?;
    git(dir, ["checkout", "--quiet", "FETCH_HEAD"]).await?;
    let commit = git(dir, ["rev-parse", "HEAD"]).await?;
    let files = read(dir.to_owned()).await?;
    Ok((files, format!("revision {} of {url}", commit.trim())))
}

async fn read(root: PathBuf) -> Result<Files, Failure> {
    let shown = root.display().to_string();
    let failed = |e: &dyn std::error::Error| {
        Failure::new(format!("can't read the files in {shown}")).because(e).exit(Exit::Usage)
    };
    let read = spawn_blocking(move || Files::read(&root, "", Limits::default())).await;
    let files = read.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
    if files.is_empty() {
        return Err(Failure::usage(format!("there are no files in {shown}")));
    }
    Ok(files)
}

fn chart(source: &Source) -> Failure {
    let (repo, version) = (source.repo_url(), source.target_revision());
    let (chart, pull) = match (source.chart(), repo.strip_prefix("oci://")) {
        ("", _) => (repo.rsplit('/').next().unwrap_or(repo), format!("helm pull {repo}")),
        (chart, Some(repo)) => (chart, format!("helm pull oci://{repo}/{chart}")),
        (chart, None) if repo.contains("://") => {
            (chart, format!("helm pull {chart} --repo {repo}"))
        }
        (chart, None) => (chart, format!("helm pull oci://{repo}/{chart}")),
    };
    let pull = format!("{pull} --version {version} --untar");
    Failure::usage(format!("the source is the chart {chart}, which has to be here"))
        .next(pull)
        .next(format!("then again with --repo {chart}"))
}

/// The one place that starts a process: the user's git, with the user's configuration and credentials.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
async fn git<A: AsRef<OsStr>>(
    dir: &Path,
    args: impl IntoIterator<Item = A>,
) -> Result<String, Failure> {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    // The URL is whoever's who writes Applications: none that starts a program of its own.
    command.env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    let out = command.kill_on_drop(true).output().await;
    let out = out.map_err(|e| Failure::usage("git can't be started").because(&e))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(Failure::usage(format!("git: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(url: &str) -> Source {
        serde_json::from_value(json!({ "repoURL": url, "path": "web" })).unwrap()
    }

    async fn repository() -> (TempDir, String) {
        let dir = TempDir::new().unwrap();
        let run = async |args: &[&str]| git(dir.path(), args).await.unwrap();
        run(&["init", "--quiet", "--initial-branch=main"]).await;
        std::fs::create_dir(dir.path().join("web")).unwrap();
        std::fs::write(dir.path().join("web/a.yaml"), "a: 1").unwrap();
        run(&["add", "."]).await;
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        run(&[&who[..], &["commit", "--quiet", "-m", "one"]].concat()).await;
        let commit = run(&["rev-parse", "HEAD"]).await.trim().to_owned();
        (dir, commit)
    }

    #[tokio::test]
    async fn files_come_from_where_they_are_said_to() {
        let (dir, first) = repository().await;
        std::fs::write(dir.path().join("web/a.yaml"), "a: 2").unwrap();
        let url = dir.path().display().to_string();
        let content =
            |files: &Files| String::from_utf8_lossy(files.get("web/a.yaml").unwrap()).into_owned();

        let wanted = Wanted::Here("main".into());
        let (read, said) =
            files(Some(dir.path()), &source("https://git.example/x"), &wanted).await.unwrap();
        assert_eq!(content(&read), "a: 2");
        assert!(said.contains(&first[..7]) && said.contains("with changes"), "{said}");

        let wanted = Wanted::Exactly(first.clone());
        let (read, said) =
            files(Some(dir.path()), &source("https://git.example/x"), &wanted).await.unwrap();
        assert_eq!(content(&read), "a: 1");
        assert!(said.contains(&first), "{said}");

        let wanted = Wanted::Here("main".into());
        let (read, said) = files(None, &source(&url), &wanted).await.unwrap();
        assert_eq!(content(&read), "a: 1");
        assert!(said.contains(&first), "{said}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_told() {
        let (dir, _) = repository().await;
        let url = dir.path().display().to_string();
        let failure =
            files(None, &source(&url), &Wanted::Here("nowhere".into())).await.unwrap_err();
        assert!(
            failure.what.contains("nowhere") && failure.next[0].contains("--repo"),
            "{failure:?}"
        );
        assert_eq!(failure.exit, Exit::Usage);
        let harmful = source("ext::sh -c 'touch pwned'");
        let failure = files(None, &harmful, &Wanted::Here("main".into())).await.unwrap_err();
        assert!(failure.what.contains("not allowed"), "{failure:?}");
        let mut chart = source("https://charts.example");
        chart.0.insert("chart".into(), "web".into());
        chart.0.insert("targetRevision".into(), "1.2.3".into());
        let failure = files(None, &chart, &Wanted::Here(String::new())).await.unwrap_err();
        assert!(
            failure.next[0]
                .starts_with("helm pull web --repo https://charts.example --version 1.2.3")
        );
    }
}
