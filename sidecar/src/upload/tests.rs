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
    let files = unpack(archive, "", LIMITS).map_err(|e| e.to_string())?;
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
    let files = unpack(&archive, "", LIMITS).unwrap();
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

#[test]
fn contents_are_what_was_read_however_they_are_cut() {
    let sizes = [0, 1, BLOCK / 4, BLOCK / 4 + 1, BLOCK, 3, BLOCK * 2 + 1, 0, 700];
    // Enough that several do not fit into what is left of a block.
    let sizes: Vec<usize> = sizes.into_iter().chain([BLOCK / 5; 12]).collect();
    let bytes: Vec<u8> = (0..251).cycle().take(sizes.iter().sum()).collect();
    let (mut from, mut contents) = (bytes.as_slice(), Contents::default());
    let read: Vec<Bytes> =
        sizes.iter().map(|size| contents.read(&mut from, *size).unwrap()).collect();
    let lengths: Vec<usize> = read.iter().map(Bytes::len).collect();
    assert!(lengths == sizes && read.concat() == bytes);
    assert!(contents.read(&mut from, 1).is_err());
}

#[test]
fn what_is_in_parts_is_put_together_and_git_counts_for_nothing() {
    let archive = archive(|a| {
        sparse(a, "sparse", &[(512, &[1; 512]), (2048, &[2; 512])], 3000);
        (0..9).for_each(|_| raw(a, EntryType::Regular, ".git/pack", "", &[3; 6000]));
        file(a, "after", "4");
    });
    let files = unpack(&archive, "", LIMITS).unwrap();
    let mut expected = vec![0; 3000];
    expected[512..1024].fill(1);
    expected[2048..2560].fill(2);
    let all: Vec<_> = files.iter().collect();
    assert_eq!(all, [("after", b"4".as_slice()), ("sparse", &expected)]);
}

/// A file of so many bytes, of which only some parts are in the archive.
fn sparse(builder: &mut Builder<Vec<u8>>, name: &str, parts: &[(usize, &[u8])], size: usize) {
    let mut header = Header::new_gnu();
    let gnu = header.as_gnu_mut().unwrap();
    gnu.name[..name.len()].copy_from_slice(name.as_bytes());
    let octal = |field: &mut [u8; 12], n: usize| {
        field.copy_from_slice(format!("{n:011o}\0").as_bytes());
    };
    let mut stored = Vec::new();
    for (field, (at, part)) in gnu.sparse.iter_mut().zip(parts) {
        octal(&mut field.offset, *at);
        octal(&mut field.numbytes, part.len());
        stored.resize(stored.len().next_multiple_of(512), 0);
        stored.extend_from_slice(part);
    }
    // Where the last part ends is where the file ends, so an empty one stands there.
    octal(&mut gnu.sparse[parts.len()].offset, size);
    octal(&mut gnu.sparse[parts.len()].numbytes, 0);
    octal(&mut gnu.realsize, size);
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(stored.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, stored.as_slice()).unwrap();
}

#[test]
fn what_is_announced_for_a_file_and_does_not_come_is_missed() {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[0] = b'a';
    header.set_entry_type(EntryType::Regular);
    header.set_size(5000);
    header.set_cksum();
    for after in [0, 4999] {
        let mut tar = header.as_bytes().to_vec();
        tar.resize(tar.len() + after, b'x');
        let error = names(&gzip(&tar)).unwrap_err();
        assert!(error.contains("not a gzipped tar archive: "), "{error}");
        // Nor is it skipped.
        tar[..5].copy_from_slice(b".git/");
        header_sum(&mut tar);
        let error = names(&gzip(&tar)).unwrap_err();
        assert!(error.contains("not a gzipped tar archive: "), "{error}");
    }
}

/// The checksum of a header that was changed.
fn header_sum(tar: &mut [u8]) {
    let mut header = Header::from_byte_slice(&tar[..512]).clone();
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
}

#[tokio::test]
async fn what_is_small_when_sent_and_not_when_unpacked_is_not_taken_for_small() {
    let small = Small { sent: 0, unpacked: Limits { files: 10, bytes: 1000 } };
    let files = async |archive: Vec<u8>| small.files(archive.into(), "", LIMITS).await.unwrap();
    let many = |n: u32| archive(|a| (0..n).for_each(|n| file(a, &n.to_string(), "")));
    let one = |name: &str, n| archive(|a| raw(a, EntryType::Regular, name, "", &vec![0; n]));
    assert!(files(many(10)).await.is_some() && files(many(11)).await.is_none());
    assert!(files(one("a", 1000)).await.is_some() && files(one("a", 1001)).await.is_none());
    // What is not kept has to be inflated as well.
    assert!(files(one(".git/pack", 2 << 20)).await.is_none());
    // Where no more is allowed, that is told.
    let told = small.files(many(11).into(), "", small.unpacked).await.unwrap_err().to_string();
    assert!(told.contains("more than 10 files"), "{told}");
}
