//! What the log says of renders.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// What all tests log. Every server begins it: a line that was passed before anybody listened may never be heard.
pub(super) static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    tracing::subscriber::set_global_default(log).unwrap();
    lines
});

#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A stand-in for Kustomize that fails and says this.
async fn failing(dir: &TempDir, words: &str) -> Tools {
    let program = dir.path().join("kustomize");
    let script = format!(
        "#!/bin/sh\n[ $1 = version ] && echo v1 && exit\necho 'Error: {words}' >&2\nexit 1\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Tools::find(dir.path().as_os_str()).await
}

#[tokio::test]
async fn the_log_names_the_application_and_nothing_that_a_tool_said() {
    let dir = TempDir::new().unwrap();
    let tools = failing(&dir, "no way, hunter3").await;
    let world = world();
    world.put(app("logged", Some("shop:dev")));
    let server = Server::rendering(&world, 4, tools).await;
    server.is_ready().await;
    let mut client = dial(&server.socket).await.unwrap();
    let all = || String::from_utf8_lossy(&LINES.0.lock().unwrap()).into_owned();
    // The last line about the Application, which only this test has.
    let logged = || {
        let all = all();
        let mut ours = all.lines().filter(|line| line.contains("application=logged "));
        ours.next_back().unwrap_or_default().to_owned()
    };

    let mut overlay = Call::new(&[("app/kustomization.yaml", "resources: []")]).unwrap();
    overlay.env = call("logged", Some(&format!("2-{B}"))).env;
    refused(&mut client, overlay, Code::InvalidArgument, "no way, hunter3").await;
    let line = logged();
    assert!(line.contains("namespace=argocd application=logged code=InvalidArgument"), "{line}");
    assert!(!line.contains("hunter3"), "{line}");

    // What can't even be read names its Application as well.
    let mut unreadable = call("team_logged", Some(&format!("2-{B}")));
    unreadable = unreadable.env("ARGOCD_APP_PARAMETERS", r#"[{"name":"hunter3"}]"#);
    refused(&mut client, unreadable, Code::InvalidArgument, "hunter3").await;
    let line = logged();
    assert!(line.contains("namespace=team application=logged code=InvalidArgument"), "{line}");
    assert!(!line.contains("hunter3"), "{line}");

    // A judgement says what it says.
    refused(&mut client, call("logged", None), Code::FailedPrecondition, "carries no claim").await;
    let line = logged();
    assert!(line.contains("application=logged code=FailedPrecondition"), "{line}");
    assert!(line.contains("carries no claim"), "{line}");

    // Nor is there anything of a Secret in any line.
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: hunter3}\n";
    let mut held = Call::new(&[("app/secret.yaml", secret)]).unwrap();
    held.env = call("logged", Some(&format!("2-{B}"))).env;
    client.generate_manifest(held.request()).await.unwrap();
    assert!(logged().contains("Rendered without an image of the Freight"), "{}", logged());
    assert!(!all().contains("hunter3"), "{}", all());
    server.end().await;
}
