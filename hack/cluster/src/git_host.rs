//! Git over HTTP: lighttpd in front of `git http-backend`, with an adjustable delay if asked for.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    cluster::Cluster, delay::Delay, handle::Spec, process::Program, ready::Ready, role::Role,
    run::Run, tool,
};

const LIMIT: Duration = Duration::from_secs(60);

/// The Git host of a cluster. Branch `main` everywhere, everyone may push.
pub struct Git {
    folder: PathBuf,
    program: Program,
    base: String,
    delay: Option<Delay>,
    // One commit at a time: each builds on the head it reads.
    turn: Mutex<()>,
}

impl Git {
    /// Makes an empty repository and gives its URL.
    pub fn create(&self, repository: &str) -> Result<String> {
        let folder = self.bare(repository);
        if folder.exists() {
            bail!("repository {repository} exists already");
        }
        let path = folder.display().to_string();
        self.git(&["init", "--quiet", "--bare", "--initial-branch=main", &path], b"")?;
        Ok(self.url(repository))
    }

    /// Adds or changes files on `main` and gives the SHA of the commit.
    pub fn commit(
        &self,
        repository: &str,
        files: &[(&str, &str)],
        message: &str,
    ) -> Result<String> {
        let changes = files
            .iter()
            .map(|(path, content)| format!("M 100644 inline {}\n{}", quoted(path), data(content)));
        self.import(repository, &changes.collect::<String>(), message)
    }

    /// Makes `main` what a folder holds, links included, and gives the SHA of the commit.
    pub fn commit_folder(&self, repository: &str, folder: &Path, message: &str) -> Result<String> {
        {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let bare = format!("--git-dir={}", self.bare(repository).display());
            let tree = format!("--work-tree={}", folder.display());
            self.git(&[&bare, &tree, "add", "--all", "--force"], b"")?;
            let who = ["-c", "user.name=Cluster", "-c", "user.email=cluster@wharfinger.dev"];
            let commit = [&bare, &tree, "commit", "--quiet", "--message", message];
            self.git(&[&who[..], &commit].concat(), b"")?;
        }
        self.head(repository)
    }

    /// Removes files from `main` and gives the SHA of the commit.
    pub fn remove(&self, repository: &str, paths: &[&str], message: &str) -> Result<String> {
        let changes = paths.iter().map(|path| format!("D {}\n", quoted(path)));
        self.import(repository, &changes.collect::<String>(), message)
    }

    /// The SHA of `main`.
    pub fn head(&self, repository: &str) -> Result<String> {
        let path = self.bare(repository).display().to_string();
        let head = self.git(&["-C", &path, "rev-parse", "refs/heads/main"], b"")?;
        Ok(head.trim().to_owned())
    }

    pub fn url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.base)
    }

    /// What every repository's URL begins with.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// How long the first byte of each request waits from now on.
    ///
    /// # Errors
    /// If the cluster was started without `Options::git_delay`.
    pub fn set_delay(&self, delay: Duration) -> Result<()> {
        self.delay.as_ref().context("start the cluster with Options::git_delay")?.set(delay);
        Ok(())
    }

    // One process instead of a clone, an index, a commit and a push.
    fn import(&self, repository: &str, changes: &str, message: &str) -> Result<String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.bare(repository).display().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let parent = match self.head(repository) {
            Ok(_) => "from refs/heads/main^0\n",
            Err(_) if Path::new(&path).exists() => "",
            Err(error) => return Err(error),
        };
        let stream = format!(
            "commit refs/heads/main\ncommitter Cluster <cluster@wharfinger.dev> {now} +0000\n{}{parent}{changes}\n",
            data(message)
        );
        self.git(&["-C", &path, "fast-import", "--quiet"], stream.as_bytes())?;
        self.head(repository)
    }

    fn git(&self, args: &[&str], input: &[u8]) -> Result<String> {
        tool::run(&self.program.clone().args(args.iter().copied()), input, LIMIT)?.ok()
    }

    fn bare(&self, repository: &str) -> PathBuf {
        self.folder.join(format!("{repository}.git"))
    }
}

impl Cluster {
    pub(crate) fn start_git(&self) -> Result<Git> {
        let folder = self.file("git");
        fs::create_dir(&folder)?;
        write_git_config(&self.run)?;
        let process = self.launch(Role::Git, || {
            let port = self.port()?;
            let config = self.file("lighttpd.conf");
            fs::write(
                &config,
                lighttpd(&folder, &self.file("gitconfig"), &self.file("tmp"), port),
            )?;
            let program = self.program("lighttpd").args(["-D", "-f", &config.to_string_lossy()]);
            Ok(Spec { program, ready: Ready::Tcp(port), ports: [("http", port)].into() })
        })?;
        let host = process.port("http")?;
        let (delay, port) = match self.options.git_delay {
            None => (None, host),
            Some(delay) => {
                let port = self.port()?;
                (Some(Delay::listen(port, host, delay)?), port)
            }
        };
        Ok(Git {
            program: self.program("git"),
            base: format!("http://127.0.0.1:{port}/git"),
            folder,
            delay,
            turn: Mutex::new(()),
        })
    }
}

fn write_git_config(run: &Run) -> Result<()> {
    let text = "[safe]\n\tdirectory = *\n[protocol \"file\"]\n\tallow = always\n[http]\n\treceivepack = true\n\
                [uploadpack]\n\tallowAnySHA1InWant = true\n[gc]\n\tauto = 0\n";
    fs::write(run.path().join("gitconfig"), text).context("writing the git configuration")
}

// lighttpd hands a CGI program nothing of its own environment.
fn lighttpd(folder: &Path, config: &Path, temporary: &Path, port: u16) -> String {
    let (folder, config, temporary) = (folder.display(), config.display(), temporary.display());
    format!(
        r#"server.modules = ("mod_alias", "mod_setenv", "mod_cgi")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.upload-dirs = ("{temporary}")
server.max-request-size = 0
alias.url = ("/git" => "/usr/lib/git-core/git-http-backend")
$HTTP["url"] =~ "^/git" {{
  cgi.assign = ("" => "")
  setenv.set-environment = (
    "GIT_PROJECT_ROOT" => "{folder}",
    "GIT_HTTP_EXPORT_ALL" => "1",
    "GIT_CONFIG_GLOBAL" => "{config}",
    "REMOTE_USER" => "anyone"
  )
}}
"#
    )
}

fn data(text: &str) -> String {
    format!("data {}\n{text}\n", text.len())
}

fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}
