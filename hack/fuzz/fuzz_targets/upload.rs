//! A tar archive, as repo-server sends the files of a source.
#![no_main]

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use wharfinger_render::Files;
use wharfinger_render::files::Limits;
use wharfinger_sidecar::upload::unpack;

const LIMITS: Limits = Limits { files: 50, bytes: 64 << 10 };

fuzz_target!(|archive: &[u8]| {
    // As it came, and packed: no mutation finds gzip's checksum.
    unpack(archive, "", LIMITS).ok();
    let mut gzip = GzEncoder::new(vec![], Compression::none());
    let packed = gzip.write_all(archive).and_then(|()| gzip.finish());
    let packed = packed.expect("memory takes what is written");
    // All of a repository, and a folder of it: out of that, links may lead.
    for above in ["", "teams/a"] {
        if let Ok(files) = unpack(&packed, above, LIMITS) {
            check(&files);
        }
    }
});

fn check(files: &Files) {
    let mut bytes = 0;
    for (name, content) in files.iter() {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        assert!(name.split('/').all(plain), "{name:?}");
        bytes += content.len() as u64;
    }
    assert!(files.iter().count() <= LIMITS.files);
    // Links share what they lead to, so the names may show more than is held.
    assert!(bytes <= LIMITS.bytes * LIMITS.files as u64);
}
