//! `manifests/crds` says what the types say. `BLESS=1 cargo test -p wharfinger-api` writes it anew.

use std::{fs, path::PathBuf};

use wharfinger_api::v1alpha1;

#[test]
fn crds_are_current() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../manifests/crds");
    let mut names = vec![];
    for crd in v1alpha1::crds() {
        let name = format!("{}.yaml", crd.spec.names.plural);
        expect_file(&dir.join(&name), &serde_saphyr::to_string(&crd).unwrap());
        names.push(name);
    }
    let stored = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut extra: Vec<_> =
        stored.filter(|n| n != "kustomization.yaml" && !names.contains(n)).collect();
    extra.sort();
    assert!(extra.is_empty(), "manifests/crds holds files of kinds that are gone: {extra:?}");
}

/// Compares a checked-in file with what the code says now; `BLESS=1` writes it instead.
#[track_caller]
fn expect_file(path: &std::path::Path, fresh: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, fresh).expect("must write");
    }
    let stored = fs::read_to_string(path).unwrap_or_default();
    assert!(stored == fresh, "{} is stale: BLESS=1 cargo test -p wharfinger-api", path.display());
}
