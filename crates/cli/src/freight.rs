//! Freight as people call it: by name, alias or version.

use wharfinger_api::v1alpha1::{
    ALIAS_LABEL, ArtifactReference, Chart, Freight, FreightCollection, FreightReference, GitCommit,
    Image, Stage,
};

use crate::exit::Failure;
use crate::near::did_you_mean;

/// How much of a name or a digest is shown.
const SHORT: usize = 7;
/// How many candidates or versions are listed.
const LISTED: usize = 5;

/// What Freight holds, wherever it is written down.
#[derive(Clone, Copy)]
pub struct Contents<'f> {
    images: &'f [Image],
    charts: &'f [Chart],
    commits: &'f [GitCommit],
    artifacts: &'f [ArtifactReference],
}

impl<'f> From<&'f Freight> for Contents<'f> {
    fn from(f: &'f Freight) -> Self {
        Self { images: &f.images, charts: &f.charts, commits: &f.commits, artifacts: &f.artifacts }
    }
}

impl<'f> From<&'f FreightReference> for Contents<'f> {
    fn from(f: &'f FreightReference) -> Self {
        Self { images: &f.images, charts: &f.charts, commits: &f.commits, artifacts: &f.artifacts }
    }
}

/// The versions that Freight holds, as a person would say them: the tags of images, else the versions of charts and other
/// artifacts, else the tags or SHAs of commits.
pub fn version<'f>(freight: impl Into<Contents<'f>>) -> String {
    let Contents { images, charts, commits, artifacts } = freight.into();
    let images = images.iter().map(|i| match (i.tag.as_str(), i.digest.as_str()) {
        ("", digest) => short(digest.trim_start_matches("sha256:")).to_owned(),
        (tag, _) => tag.to_owned(),
    });
    let others = charts.iter().map(|c| c.version.clone());
    let others = others.chain(artifacts.iter().map(|a| a.version.clone()));
    let commits = commits.iter().map(|c| match c.tag.as_str() {
        "" => short(&c.id).to_owned(),
        tag => tag.to_owned(),
    });
    let kinds: [Vec<String>; 3] = [images.collect(), others.collect(), commits.collect()];
    listed(kinds.into_iter().find(|k| !k.is_empty()).unwrap_or_default())
}

/// What a Stage holds, of all its origins.
pub fn versions(collection: &FreightCollection) -> String {
    listed(collection.items.values().map(version).collect())
}

/// The commits that Freight pins.
pub fn commits(freight: &Freight) -> String {
    listed(freight.commits.iter().map(|c| short(&c.id).to_owned()).collect())
}

/// The beginning of a name.
pub fn short(name: &str) -> &str {
    name.char_indices().nth(SHORT).map_or(name, |(end, _)| &name[..end])
}

pub fn alias(freight: &Freight) -> &str {
    let label = freight.metadata.labels.as_ref().and_then(|l| l.get(ALIAS_LABEL));
    match freight.alias.as_str() {
        "" => label.map_or("", String::as_str),
        alias => alias,
    }
}

pub fn name(freight: &Freight) -> &str {
    freight.metadata.name.as_deref().unwrap_or_default()
}

/// What a line says of Freight: its alias, or the beginning of its name, and its version.
pub fn called(freight: &Freight) -> String {
    let alias = match alias(freight) {
        "" => short(name(freight)),
        alias => alias,
    };
    match version(freight) {
        version if version.is_empty() || version == alias => alias.into(),
        version => format!("{alias} ({version})"),
    }
}

/// The Freight that `wanted` stands for: a name or the beginning of one, an alias, a version (`v1.9.1`, `web:v1.9.1`), or the
/// beginning of a commit's SHA. Where several fit, those decide that `to` requests.
pub fn choose<'f>(
    all: &'f [Freight],
    wanted: &str,
    to: Option<&Stage>,
) -> Result<&'f Freight, Failure> {
    if let Some(found) = all.iter().find(|f| name(f) == wanted) {
        return Ok(found);
    }
    let called: Vec<_> = all.iter().filter(|f| alias(f) == wanted && !wanted.is_empty()).collect();
    let found =
        if called.is_empty() { all.iter().filter(|f| fits(f, wanted)).collect() } else { called };
    match (found.as_slice(), requested(&found, to).as_slice()) {
        ([one], _) | (_, [one]) => Ok(one),
        ([], _) => Err(unknown(all, wanted)),
        (several, _) => Err(ambiguous(several, wanted)),
    }
}

/// Whether a text may be the beginning of a hash, and is long enough not to be one by chance.
fn hash(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn fits(freight: &Freight, wanted: &str) -> bool {
    let tagged = |repository: &str, tag: &str| {
        !tag.is_empty()
            && (tag == wanted
                || wanted
                    .strip_suffix(tag)
                    .and_then(|rest| rest.strip_suffix(':'))
                    .is_some_and(|of| repository == of || repository.ends_with(&format!("/{of}"))))
    };
    let beginning = |id: &str| hash(wanted) && id.starts_with(wanted);
    beginning(name(freight))
        || freight.images.iter().any(|i| tagged(&i.repo_url, &i.tag))
        || freight
            .charts
            .iter()
            .any(|c| tagged(if c.name.is_empty() { &c.repo_url } else { &c.name }, &c.version))
        || freight.commits.iter().any(|c| c.tag == wanted && !wanted.is_empty() || beginning(&c.id))
        || freight.artifacts.iter().any(|a| tagged(&a.subscription_name, &a.version))
}

fn requested<'f>(found: &[&'f Freight], to: Option<&Stage>) -> Vec<&'f Freight> {
    let Some(to) = to else { return vec![] };
    let asked = |f: &&&Freight| to.spec.requested_freight.iter().any(|r| r.origin == f.origin);
    found.iter().filter(asked).copied().collect()
}

fn unknown(all: &[Freight], wanted: &str) -> Failure {
    let failure = Failure::new(format!("there is no Freight {wanted:?}"));
    let versions: Vec<String> = all.iter().map(version).collect();
    let known = all.iter().map(alias).chain(versions.iter().map(String::as_str));
    let failure = match did_you_mean(wanted, known) {
        Some(meant) => failure.next(meant),
        None => failure,
    };
    failure.next("List them: wharf get freight")
}

fn ambiguous(several: &[&Freight], wanted: &str) -> Failure {
    let failure =
        Failure::new(format!("{wanted:?} may be any of {} pieces of Freight", several.len()));
    several.iter().take(LISTED).fold(failure, |failure, f| {
        failure.next(format!("{}: {}, of {}", name(f), called(f), f.origin))
    })
}

fn listed(mut versions: Vec<String>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    versions.retain(|v| !v.is_empty() && seen.insert(v.clone()));
    let more = versions.len().saturating_sub(LISTED);
    versions.truncate(LISTED);
    let listed = versions.join(",");
    if more > 0 { format!("{listed},+{more}") } else { listed }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const A: &str = "b3e7149de5914b1d5400c3b3675d52843f1762b6";
    const B: &str = "b3e7149000000b1d5400c3b3675d52843f1762b6";
    const C: &str = "c021d5477b24cc671550cfa87f16fb6e4828ad18";

    fn freight(value: Value) -> Freight {
        serde_json::from_value(value).unwrap()
    }

    fn all() -> Vec<Freight> {
        let origin = |name: &str| json!({ "kind": "Warehouse", "name": name });
        vec![
            freight(json!({
                "metadata": { "name": A }, "alias": "brave-otter", "origin": origin("web"),
                "images": [{ "repoURL": "ghcr.io/acme/web", "tag": "v1.9.1" }],
                "commits": [{ "repoURL": "https://git/shop", "id": "ab12f3e0000" }],
            })),
            freight(json!({
                "metadata": { "name": B, "labels": { "kargo.akuity.io/alias": "calm-heron" } }, "origin": origin("api"),
                "images": [{ "repoURL": "ghcr.io/acme/api", "tag": "v1.9.1" }],
            })),
            freight(json!({
                "metadata": { "name": C }, "alias": "v1.9.1-rc", "origin": origin("charts"),
                "charts": [{ "repoURL": "https://charts", "name": "web", "version": "2.0.0" }],
            })),
        ]
    }

    fn stage(origin: &str) -> Stage {
        serde_json::from_value(json!({
            "metadata": { "name": "prod" },
            "spec": { "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": origin }, "sources": {} }] },
        }))
        .unwrap()
    }

    #[test]
    fn freight_is_found_as_people_call_it() {
        let all = all();
        for (wanted, found) in [
            (A, A),
            (&A[..8], A),
            ("c021", C),
            ("brave-otter", A),
            ("calm-heron", B),
            ("web:v1.9.1", A),
            ("ghcr.io/acme/api:v1.9.1", B),
            ("v1.9.1-rc", C),
            ("2.0.0", C),
            ("web:2.0.0", C),
            ("ab12f3e", A),
        ] {
            assert_eq!(name(choose(&all, wanted, None).unwrap()), found, "{wanted}");
        }
    }

    #[test]
    fn the_stage_decides_where_several_fit() {
        let all = all();
        assert_eq!(name(choose(&all, "v1.9.1", Some(&stage("api"))).unwrap()), B);
        let failure = choose(&all, "v1.9.1", Some(&stage("charts"))).unwrap_err();
        assert_eq!(failure.what, "\"v1.9.1\" may be any of 2 pieces of Freight");
        assert_eq!(failure.next[0], format!("{A}: brave-otter (v1.9.1), of Warehouse/web"));
        assert_eq!(failure.next.len(), 2);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let all = all();
        for wanted in ["", "b3e", "v2", "eb:v1.9.1", ":v1.9.1", "b3E7149de"] {
            let failure = choose(&all, wanted, None).unwrap_err();
            assert_eq!(failure.what, format!("there is no Freight {wanted:?}"));
        }
        let failure = choose(&all, "brave-oter", None).unwrap_err();
        assert_eq!(failure.next[0], "did you mean brave-otter?");
    }

    #[test]
    fn versions_are_short_and_named_once() {
        let several = freight(json!({
            "origin": {}, "images": [
                { "repoURL": "a", "tag": "v1" }, { "repoURL": "b", "tag": "v1" },
                { "repoURL": "c", "digest": "sha256:0123456789" }, { "repoURL": "d", "tag": "v2" },
                { "repoURL": "e", "tag": "v3" }, { "repoURL": "f", "tag": "v4" }, { "repoURL": "g", "tag": "v5" },
            ],
        }));
        assert_eq!(version(&several), "v1,0123456,v2,v3,v4,+1");
        assert_eq!(
            version(&freight(json!({ "origin": {}, "commits": [{ "id": "0123456789" }] }))),
            "0123456"
        );
        assert_eq!(version(&freight(json!({ "origin": {} }))), "");
        assert_eq!(called(&all()[0]), "brave-otter (v1.9.1)");
        assert_eq!(called(&freight(json!({ "metadata": { "name": A }, "origin": {} }))), "b3e7149");
    }
}
