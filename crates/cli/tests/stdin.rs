//! What is piped into `wharf`.

use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
#[expect(clippy::disallowed_methods, reason = "only a process of its own has a stdin of its own")]
fn a_denial_is_read_from_stdin() {
    for (said, code, out) in [
        (&b"denied the request: wharfinger: \xff x [soak]\n"[..], 0, "soak: "),
        (b"nothing of ours", 2, ""),
    ] {
        let mut wharf = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .arg("why")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wharf.stdin.take().unwrap().write_all(said).unwrap();
        let ran = wharf.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stdout).starts_with(out), "{ran:?}");
    }
}
