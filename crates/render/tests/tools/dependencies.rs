//! Dependencies of charts that are fetched: from an HTTP repository, and from Debian's registry, both on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use serde_json::json;
use wharfinger_render::files::Limits;

use super::*;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {version: {{ .Chart.Version }}}\n";

/// A chart in the making, and where others are published.
struct Site {
    folder: TempDir,
    repository: String,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["app/templates", "home", "published"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let repository = serve(folder.path().join("published"));
        Self { folder, repository }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The real Helm, as its user runs it.
    #[expect(clippy::disallowed_methods, reason = "what Helm's users do is done by Helm")]
    fn helm(&self, args: &[&str]) {
        let out = Command::new(parts().join("helm"))
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .output()
            .unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Packs a chart that renders its name and version.
    fn pack(&self, name: &str, version: &str) -> PathBuf {
        let chart = self.path(name);
        fs::create_dir_all(chart.join("templates")).unwrap();
        let meta = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        fs::write(chart.join("Chart.yaml"), meta).unwrap();
        fs::write(chart.join("templates/map.yaml"), MAP).unwrap();
        self.helm(&["package", name, "-d", "packed"]);
        self.path("packed").join(format!("{name}-{version}.tgz"))
    }

    fn publish(&self, name: &str, version: &str) {
        let packed = self.pack(name, version);
        fs::rename(&packed, self.path("published").join(packed.file_name().unwrap())).unwrap();
        self.helm(&["repo", "index", "published"]);
    }

    /// Says what the chart needs: in YAML, each with `HERE` for the repository.
    fn needs(&self, dependencies: &[&str]) {
        let dependencies = dependencies.join(", ").replace("HERE", &self.repository);
        let meta =
            format!("apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{dependencies}]\n");
        fs::write(self.path("app/Chart.yaml"), meta).unwrap();
    }

    /// What Helm writes down when its user updates the dependencies, without what it fetches.
    fn lock(&self) {
        self.helm(&["dependency", "update", "app"]);
        fs::remove_dir_all(self.path("app/charts")).unwrap();
    }

    /// The names and versions of the charts that are rendered, each twice.
    async fn rendered(&self, freight: Charts) -> Result<String, RenderError> {
        let render = async || {
            let files = Files::read(self.folder.path(), "", Limits::default()).unwrap();
            let inputs = Inputs { charts: freight.clone(), ..inputs("app") };
            let renderer = renderer().await;
            let made = renderer.base(&inputs, files, None, Instant::now() + LONG).await?;
            let maps = made.base.with(&Images::default()).unwrap();
            let map = |text: &String| {
                let map: serde_json::Value = serde_json::from_str(text).unwrap();
                format!("{} {}", map["metadata"]["name"], map["data"]["version"]).replace('"', "")
            };
            Ok(maps.iter().map(map).collect::<Vec<_>>().join(", "))
        };
        let first = render().await;
        assert_eq!(first, render().await);
        first
    }
}

/// Serves the files of a folder over HTTP. What is below `private` takes credentials.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|to| answer(to.unwrap(), &folder)));
    url
}

fn answer(mut to: TcpStream, folder: &Path) {
    let mut lines = BufReader::new(&to).lines().map(Result::unwrap);
    let request = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        _ if path.starts_with("private") => ("401 Unauthorized", Vec::new()),
        _ if path.starts_with("broken") => ("503 Service Unavailable", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    to.write_all(head.as_bytes()).and_then(|()| to.write_all(&body)).ok();
}

fn freight(repository: &str, name: &str, version: &str) -> Charts {
    let chart = json!({ "repoURL": repository, "name": name, "version": version });
    let items = json!({ "items": { "Warehouse/w": { "name": "f", "charts": [chart] } } });
    Charts::of(&serde_json::from_value(items).unwrap())
}

#[tokio::test]
async fn what_is_locked_is_fetched_whatever_else_is_published() {
    let site = Site::new();
    site.publish("web", "1.1.0");
    site.publish("web", "1.2.0");
    site.publish("db", "2.0.0");
    site.needs(&[
        "{name: web, version: ^1, repository: HERE}",
        "{name: db, version: 2.x, repository: HERE/}",
    ]);
    site.lock();
    site.publish("web", "1.3.0");
    site.publish("db", "2.1.0");
    let none = Charts::default;
    assert_eq!(site.rendered(none()).await.unwrap(), "db 2.0.0, web 1.2.0");

    // Freight exchanges what it holds, and nothing else.
    let held = |version: &str| freight(&site.repository, "web", version);
    assert_eq!(site.rendered(held("1.1.0")).await.unwrap(), "db 2.0.0, web 1.1.0");
    assert_eq!(site.rendered(held("1.3.0")).await.unwrap(), "db 2.0.0, web 1.3.0");
    let absent = site.rendered(held("1.9.9")).await.unwrap_err().to_string();
    assert!(absent.contains("can't fetch") && absent.contains("1.9.9"), "{absent}");

    // One that lies there does not spare the other, and is fetched with it.
    let vendored = site.pack("web", "1.1.0");
    fs::create_dir(site.path("app/charts")).unwrap();
    fs::rename(vendored, site.path("app/charts/web-1.1.0.tgz")).unwrap();
    assert_eq!(site.rendered(held("1.1.0")).await.unwrap(), "db 2.0.0, web 1.1.0");
    assert_eq!(site.rendered(held("1.2.0")).await.unwrap(), "db 2.0.0, web 1.2.0");

    // The lock has to fit.
    fs::remove_dir_all(site.path("app/charts")).unwrap();
    site.needs(&["{name: web, version: ^1.1.0, repository: HERE}"]);
    let stale = site.rendered(none()).await.unwrap_err();
    let RenderError::Tool { text, .. } = &stale else { panic!("{stale:?}") };
    assert!(text.contains("(Chart.lock) is out of sync"), "{text}");
}

#[tokio::test]
async fn one_version_needs_no_lock() {
    let site = Site::new();
    site.publish("web", "1.1.0");
    site.publish("web", "1.2.0");
    site.publish("lib", "0.1.0");
    fs::rename(site.path("lib"), site.path("beside")).unwrap();
    site.needs(&[
        "{name: web, version: 1.1.0, repository: HERE}",
        "{name: web, version: 1.2.0, repository: HERE, alias: front}",
        "{name: web, version: 1.2.0, repository: HERE, alias: back, condition: back.enabled}",
        "{name: lib, version: '>=0.1', repository: 'file://../beside'}",
    ]);
    fs::write(site.path("app/values.yaml"), "back: {enabled: false}").unwrap();
    let rendered = site.rendered(Charts::default()).await.unwrap();
    assert_eq!(rendered, "front 1.2.0, lib 0.1.0, web 1.1.0");
}

#[tokio::test]
async fn what_cant_be_fetched_is_told_by_its_name_and_what_to_do() {
    let site = Site::new();
    site.publish("web", "1.1.0");
    let refused = async |repository: &str| {
        site.needs(&[&format!("{{name: web, version: 1.1.0, repository: '{repository}'}}")]);
        let error = site.rendered(Charts::default()).await.unwrap_err();
        let (told, repository) = (error.to_string(), repository.replace("HERE", &site.repository));
        assert!(told.contains(&format!("can't fetch web of {repository}")), "{told}");
        let hidden = ["/tmp", "wharfinger-", ".cache", "->"];
        assert!(hidden.iter().all(|part| !told.contains(part)), "{told}");
        error
    };
    let private = refused("HERE/private").await;
    assert!(
        matches!(&private, RenderError::Input(t) if t.contains("401 Unauthorized") && t.contains("Run helm dependency build")),
        "{private:?}"
    );
    let broken = refused("HERE/broken").await;
    assert!(
        matches!(&broken, RenderError::Unavailable(t) if t.ends_with(": 503 Service Unavailable")),
        "{broken:?}"
    );
    let nowhere = refused("HERE/nowhere").await;
    assert!(
        matches!(&nowhere, RenderError::Tool { text, .. } if text.contains("404 Not Found")),
        "{nowhere:?}"
    );
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = refused(&format!("http://{closed}")).await;
    assert!(
        matches!(&down, RenderError::Unavailable(t) if t.ends_with(": connection refused")),
        "{down:?}"
    );

    // An index may lead to the usual ports of another host, but to no others.
    let elsewhere = Site::new();
    let packed = site.path("published/web-1.1.0.tgz");
    fs::copy(packed, elsewhere.path("published/web-1.1.0.tgz")).unwrap();
    site.helm(&["repo", "index", "published", "--url", &elsewhere.repository]);
    let port = refused("HERE").await;
    assert!(
        matches!(&port, RenderError::Input(t) if t.contains("neither its repository's own nor 443 or 80")),
        "{port:?}"
    );
}

/// A registry that ends with this.
struct Registry(Child, String);

impl Registry {
    #[expect(clippy::disallowed_methods, reason = "a test starts what it asks")]
    fn start(site: &Site) -> Self {
        let config = site.path("registry.yaml");
        let data = site.path("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {data:?}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n"
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("docker-registry, which hack/build-parts installs");
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the registry ended");
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                let port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
                break format!("127.0.0.1:{port}");
            }
        };
        // Else it would wait for somebody to read.
        thread::spawn(move || log.read_to_string(&mut String::new()));
        Self(child, address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_registry_is_a_repository_too() {
    let mut site = Site::new();
    let registry = Registry::start(&site);
    site.repository = format!("oci://{}/charts", registry.1);
    let push = |name: &str, version: &str| {
        let packed = site.pack(name, version);
        site.helm(&["push", "--plain-http", &packed.display().to_string(), &site.repository]);
    };
    push("web", "1.1.0");
    push("web", "1.2.0+7");
    push("db", "2.0.0");
    site.needs(&[
        "{name: web, version: 1.x, repository: HERE}",
        "{name: db, version: ^2, repository: HERE}",
    ]);
    site.lock();
    push("web", "1.3.0");
    push("db", "2.1.0");
    let held = |version: &str| freight(&format!("{}/web", site.repository), "", version);
    assert_eq!(site.rendered(Charts::default()).await.unwrap(), "db 2.0.0, web 1.2.0+7");
    assert_eq!(site.rendered(held("1.1.0")).await.unwrap(), "db 2.0.0, web 1.1.0");
    assert_eq!(site.rendered(held("1.2.0_7")).await.unwrap(), "db 2.0.0, web 1.2.0+7");
    let absent = site.rendered(held("1.9.9")).await.unwrap_err();
    let text = absent.to_string();
    assert!(text.contains(&format!("can't fetch web of {}", site.repository)), "{text}");
    assert!(matches!(&absent, RenderError::Tool { .. }), "{absent:?}");
}
