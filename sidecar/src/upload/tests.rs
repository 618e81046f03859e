use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tar::{Builder, Header};

use super::*;

fn archive(fill: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    fill(&mut builder);
    gzip(&builder.into_inner().unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// An entry whose name nobody looked at.
fn raw(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, target: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn file(builder: &mut Builder<Vec<u8>>, name: &str, content: &str) {
    raw(builder, EntryType::Regular, name, "", content.as_bytes());
}

const LIMITS: Limits = Limits { files: 100, bytes: 10_000 };

fn names(archive: &[u8]) -> Result<Vec<String>, String> {
    let files = unpack(archive, LIMITS).map_err(|e| e.to_string())?;
    Ok(files.iter().map(|(name, _)| name.to_owned()).collect())
}

#[test]
fn a_repository_is_unpacked_without_git() {
    let long = format!("{}/{}.yaml", "d".repeat(90), "f".repeat(120));
    let archive = archive(|a| {
        raw(a, EntryType::Directory, "app/", "", b"");
        file(a, "app/a.yaml", "a");
        file(a, "./b.yaml", "b");
        file(a, ".git/config", "c");
        file(a, "sub/.git", "gitdir: ..");
        raw(a, EntryType::Symlink, "app/link.yaml", "../b.yaml", b"");
        raw(a, EntryType::Link, "app/hard.yaml", "app/a.yaml", b"");
        let mut header = Header::new_gnu();
        header.set_size(1);
        a.append_data(&mut header, &long, b"x".as_slice()).unwrap();
    });
    assert_eq!(
        names(&archive).unwrap(),
        ["app/a.yaml", "app/hard.yaml", "app/link.yaml", "b.yaml", &long]
    );
    let files = unpack(&archive, LIMITS).unwrap();
    assert_eq!(
        (files.get("app/link.yaml"), files.get("app/hard.yaml")),
        (Some(b"b".as_slice()), Some(b"a".as_slice()))
    );
}

#[test]
fn what_is_hostile_is_refused_by_name() {
    let check = |fill: fn(&mut Builder<Vec<u8>>), part: &str| {
        let error = names(&archive(fill)).unwrap_err();
        assert!(
            error.starts_with("wharfinger: the upload is refused: ") && error.contains(part),
            "{error}"
        );
    };
    check(|a| file(a, "../evil", "x"), "\"../evil\" is not the name of a file below the root");
    check(|a| file(a, "a/../../evil", "x"), "\"a/../../evil\"");
    check(|a| file(a, "/etc/passwd", "x"), "\"/etc/passwd\"");
    check(
        |a| raw(a, EntryType::Symlink, "l", "../../etc/passwd", b""),
        "link \"l\" leaves the root: it leads to \"../../etc/passwd\"",
    );
    check(|a| raw(a, EntryType::Symlink, "l", "/etc/passwd", b""), "link \"l\" leaves the root");
    check(|a| raw(a, EntryType::Link, "l", "../x", b""), "link \"l\" leaves the root");
    check(|a| raw(a, EntryType::Char, "tty", "", b""), "\"tty\" is neither a file");
    check(|a| raw(a, EntryType::Fifo, "pipe", "", b""), "\"pipe\" is neither a file");
    check(
        |a| file(a, "big", &"x".repeat(10_001)),
        "more than 10000 bytes together. Set the annotation",
    );
    check(
        |a| (0..2).for_each(|n| file(a, &n.to_string(), &"x".repeat(6000))),
        "more than 10000 bytes",
    );
    check(|a| (0..101).for_each(|n| file(a, &n.to_string(), "")), "more than 100 files");
}

#[test]
fn an_archive_that_inflates_without_end_is_stopped() {
    // Headers that say little, bytes that are many: a gigabyte of nothing after the end of the archive.
    let mut tar = Builder::new(Vec::new());
    file(&mut tar, "a", "x");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| gzip.write_all(&zeros).unwrap());
    let error = names(&gzip.finish().unwrap()).unwrap_err();
    assert!(error.contains("more than 10000 bytes"), "{error}");
}

#[test]
fn what_is_no_archive_says_so() {
    let good = archive(|a| file(a, "a.yaml", &"content ".repeat(500)));
    let check = |bytes: &[u8]| {
        let error = names(bytes).unwrap_err();
        assert!(error.contains("not a gzipped tar archive: "), "{error}");
    };
    check(b"");
    check(b"PK\x03\x04 not gzip at all");
    check(&gzip(&[b'x'; 2000]));
    check(&gzip(b"short"));
    for cut in [1, 12, good.len() / 2, good.len() - 9, good.len() - 1] {
        check(&good[..cut]);
    }
    let mut flipped = good.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    check(&flipped);
}
