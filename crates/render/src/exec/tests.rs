use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;

use super::*;

async fn shell(dir: &TempDir, script: &str, limit: Duration) -> Result<String, Failure> {
    run("/bin/sh", dir.path(), dir.path(), May::Read, script, limit).await
}

async fn run(
    shell: &str,
    source: &Path,
    home: &Path,
    may: May<'_>,
    script: &str,
    limit: Duration,
) -> Result<String, Failure> {
    let args = ["-c", script].map(OsString::from);
    let tool = Tool {
        program: Path::new(shell),
        args: &args,
        source,
        dir: source,
        home,
        may,
        deadline: Instant::now() + limit,
        memory: 64 << 20,
        garbage: 100,
    };
    output(&tool).await.map(|out| String::from_utf8(out).unwrap())
}

const LONG: Duration = Duration::from_secs(60);

/// How many processes have `marker` among their arguments.
fn alive(marker: &str) -> usize {
    let running = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|arg| arg == marker)
    };
    std::fs::read_dir("/proc").unwrap().flatten().map(running).filter(|r| *r).count()
}

async fn none_left(marker: &str) {
    for _ in 0..100 {
        if alive(marker) == 0 {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{} left", alive(marker));
}

#[tokio::test]
async fn its_failure_is_told_without_folders_and_values() {
    let dir = TempDir::new().unwrap();
    assert_eq!(
        shell(&dir, "echo $HOME", LONG).await.unwrap(),
        format!("{}\n", dir.path().display())
    );
    let failed = shell(&dir, "echo x; echo \"Error: $HOME/a.yaml: bad\" >&2; exit 3", LONG)
        .await
        .unwrap_err();
    assert_eq!(failed.to_string(), "a.yaml: bad");
    let warned =
        "echo 'warning: (hunter2)' >&2; echo 'Error: parsing \"hunter2\": bad' >&2; exit 3";
    let failed = shell(&dir, warned, LONG).await.unwrap_err();
    assert_eq!(failed.to_string(), "parsing \"…\": bad");
    assert_eq!(shell(&dir, "exit 3", LONG).await.unwrap_err().to_string(), "exit status: 3");
    assert!(matches!(shell(&dir, "exec /nowhere/at/all", LONG).await, Err(Failure::Exit(_))));
}

#[tokio::test]
async fn its_environment_is_what_we_say_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let tool = Tool {
        program: Path::new("/usr/bin/env"),
        args: &[],
        source: dir.path(),
        dir: dir.path(),
        home: dir.path(),
        may: May::Read,
        deadline: Instant::now() + LONG,
        memory: 64 << 20,
        garbage: 100,
    };
    let out = String::from_utf8(output(&tool).await.unwrap()).unwrap();
    let mut names: Vec<&str> = out.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    let known = [
        "ALL_PROXY",
        "GOGC",
        "GOMAXPROCS",
        "GOMEMLIMIT",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "TMPDIR",
    ];
    assert_eq!(names, known, "{out}");
}

#[tokio::test]
async fn what_it_prints_is_bounded() {
    let dir = TempDir::new().unwrap();
    let flood = shell(&dir, "exec /bin/cat /dev/urandom", LONG).await;
    assert!(matches!(flood, Err(Failure::TooMuch)));
    let loud = "i=0; while [ $i -lt 30000 ]; do echo abcdefghij >&2; i=$((i+1)); done; echo $last >&2; exit 1";
    let said = async |last: &str| {
        let script = format!("last='{last}'; {loud}");
        shell(&dir, &script, LONG).await.unwrap_err().to_string()
    };
    assert_eq!(said("Error: last").await, "last");
    // What it is the rest of, nobody knows.
    assert_eq!(said("last").await, "exit status: 1");
    let long = format!("Error: {}last", "x".repeat(3000));
    let text = said(&long).await;
    assert!(text.len() < SHOWN + 10 && text.ends_with("xlast"), "{}", text.len());
}

#[tokio::test]
async fn what_it_and_its_children_allocate_is_bounded() {
    let dir = TempDir::new().unwrap();
    let limits = "while [ $(ulimit -v) = unlimited ]; do :; done; ulimit -v; (ulimit -v)";
    assert_eq!(shell(&dir, limits, LONG).await.unwrap(), "2162688\n2162688\n");
    // What a shell remembers, it takes.
    let more = "b=bbbbbbbb; while [ ${#b} -lt 500000 ]; do b=$b$b; done; while :; do a=$a$b; done";
    let taken = shell(&dir, more, LONG).await.unwrap_err();
    assert!(matches!(taken, Failure::Memory(_)), "{taken}");
    let go = "echo 'fatal error: runtime: out of memory' >&2; echo goroutine 1 >&2; exit 2";
    let text = shell(&dir, go, LONG).await.unwrap_err().to_string();
    assert!(text.contains("more memory than the 64 MiB") && !text.contains("goroutine"), "{text}");
}

#[tokio::test]
async fn the_deadline_takes_everything_it_started_with_it() {
    let dir = TempDir::new().unwrap();
    let script = "/bin/sleep 311.25 & /bin/sleep 311.25 & wait";
    let late = shell(&dir, script, Duration::from_millis(300)).await;
    assert!(matches!(late, Err(Failure::Deadline)));
    none_left("311.25").await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_everything_with_it() {
    let dir = TempDir::new().unwrap();
    {
        let run = shell(&dir, "/bin/sleep 312.25 & /bin/sleep 312.25 & wait", LONG);
        tokio::select! {
            _ = run => panic!("it must not end"),
            () = async { while alive("312.25") < 2 { sleep(Duration::from_millis(5)).await } } => {}
        }
    }
    none_left("312.25").await;
}

#[tokio::test]
async fn a_good_end_leaves_nobody_behind_either() {
    let dir = TempDir::new().unwrap();
    let script = "/bin/sleep 313.25 >/dev/null 2>&1 </dev/null & echo done";
    assert_eq!(shell(&dir, script, LONG).await.unwrap(), "done\n");
    none_left("313.25").await;
}

/// Without it, the tests below would prove nothing.
fn landlock() {
    assert_eq!(
        gaps(),
        Vec::<String>::new(),
        "this machine holds less back from tools than it has to for these tests: they need Linux 6.12 or later with Landlock"
    );
}

#[tokio::test]
async fn it_reads_its_own_files_and_no_others() {
    landlock();
    let (source, home, other) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    for dir in [&source, &home, &other] {
        fs::write(dir.path().join("file"), "there\n").unwrap();
    }
    let read = async |path: &Path| {
        let script = format!("read line < {} && echo $line", path.display());
        run("/bin/sh", source.path(), home.path(), May::Fetch(&[443]), &script, LONG).await
    };
    for own in [&source, &home] {
        assert_eq!(read(&own.path().join("file")).await.unwrap(), "there\n");
    }
    let above = source.path().join("..").join(other.path().file_name().unwrap()).join("file");
    let link = source.path().join("link");
    std::os::unix::fs::symlink(other.path().join("file"), &link).unwrap();
    let foreign = [
        other.path().join("file"),
        above,
        link,
        "/etc/passwd".into(),
        format!("/proc/{}/environ", std::process::id()).into(),
        "/proc/self/status".into(),
    ];
    for foreign in foreign {
        assert!(fs::read(&foreign).is_ok(), "{foreign:?} is readable without");
        let refused = read(&foreign).await.unwrap_err().to_string();
        assert!(refused.contains("ermission denied"), "{foreign:?}: {refused}");
    }
    let listed = format!("exec /bin/ls {}", other.path().display());
    assert!(shell(&source, &listed, LONG).await.is_err());
}

#[tokio::test]
async fn it_writes_at_home_and_elsewhere_only_where_it_is_to() {
    landlock();
    let (source, home, other) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let outside = other.path().join("file");
    let write = async |path: &Path, may: May<'_>| {
        let path = path.display();
        let script = format!("echo x > {path} && /bin/mkdir {path}.d && /bin/mv {path} {path}.d");
        run("/bin/sh", source.path(), home.path(), may, &script, LONG).await
    };
    for may in [May::Read, May::Write, May::Fetch(&[443])] {
        let at_home = home.path().join(format!("{may:?}"));
        write(&home.path().join("file"), may).await.unwrap();
        fs::rename(home.path().join("file.d"), at_home).unwrap();
        let refused = write(&outside, may).await.unwrap_err().to_string();
        assert!(refused.contains("ermission denied") && !outside.exists(), "{refused}");
    }
    assert!(write(&source.path().join("a"), May::Read).await.is_err());
    write(&source.path().join("b"), May::Write).await.unwrap();
    assert!(!source.path().join("a").exists() && source.path().join("b.d/b").exists());
    let program = format!("exec {}", home.path().join("program").display());
    fs::copy("/bin/true", home.path().join("program")).unwrap();
    let refused = run("/bin/sh", source.path(), home.path(), May::Write, &program, LONG).await;
    assert!(refused.unwrap_err().to_string().contains("ermission denied"));
}

#[tokio::test]
async fn it_connects_to_the_ports_that_it_is_given_and_listens_on_none() {
    landlock();
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, other) = (listener.local_addr().unwrap().port(), TcpListener::bind("127.0.0.1:0"));
    let other = other.unwrap().local_addr().unwrap().port();
    let connect = async |may: May<'_>| {
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
        run("/bin/bash", dir.path(), dir.path(), may, &script, LONG).await
    };
    assert_eq!(connect(May::Fetch(&[other, port])).await.unwrap(), "connected\n");
    for may in [May::Read, May::Write, May::Fetch(&[other])] {
        let refused = connect(may).await.unwrap_err().to_string();
        assert!(refused.contains("Permission denied"), "{may:?}: {refused}");
    }
    let script = "exec /usr/bin/perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 6) && bind(S, sockaddr_in(0, INADDR_LOOPBACK)) && listen(S, 1) or die $!'";
    let listen =
        async |may: May<'_>| run("/bin/sh", dir.path(), dir.path(), may, script, LONG).await;
    for may in [May::Read, May::Fetch(&[0, port])] {
        let refused = listen(may).await.unwrap_err().to_string();
        assert!(refused.contains("Permission denied"), "{may:?}: {refused}");
    }
}

#[tokio::test]
async fn it_signals_nobody_but_its_own() {
    landlock();
    let dir = TempDir::new().unwrap();
    let own = "/bin/sleep 20 & kill $! && wait $!; [ $? = 143 ] && echo killed";
    assert_eq!(shell(&dir, own, LONG).await.unwrap(), "killed\n");
    // The signal 0 does nothing, if it may be sent.
    let foreign = format!("kill -0 {}", std::process::id());
    let refused = shell(&dir, &foreign, LONG).await.unwrap_err().to_string();
    assert!(refused.contains("ot permitted"), "{refused}");
}

#[tokio::test]
async fn a_file_that_it_writes_is_bounded() {
    let dir = TempDir::new().unwrap();
    let begun = "while [ $(ulimit -f) = unlimited ]; do :; done";
    let script = |more: u64| format!("{begun}; exec /usr/bin/truncate -s {} big", FILE + more);
    let write =
        async |script: &str| run("/bin/sh", dir.path(), dir.path(), May::Write, script, LONG).await;
    assert_eq!(write(&script(0)).await.unwrap(), "");
    let refused = write(&script(1)).await.unwrap_err();
    assert!(matches!(refused, Failure::TooLarge), "{refused}");
    let go = "echo 'SIGXFSZ: file size limit exceeded' >&2; echo goroutine 1 >&2; exit 2";
    let refused = write(go).await.unwrap_err().to_string();
    assert_eq!(refused, "it wrote a file of more than 128 MiB");
}

#[tokio::test]
async fn proxies_lead_nowhere_unless_it_is_to_fetch() {
    let dir = TempDir::new().unwrap();
    let proxy = async |may: May<'_>| {
        run("/bin/sh", dir.path(), dir.path(), may, "echo $HTTPS_PROXY", LONG).await.unwrap()
    };
    assert_eq!(proxy(May::Read).await, "http://127.0.0.1:9\n");
    assert_eq!(proxy(May::Write).await, "http://127.0.0.1:9\n");
    assert_eq!(proxy(May::Fetch(&[443])).await, "\n");
}
