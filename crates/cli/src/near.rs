//! Names that somebody may have meant.

/// How many names are offered.
const OFFERED: usize = 3;
/// How alike two names have to be: a slip of the finger or two in a short name.
const ALIKE: f64 = 0.75;

/// The names that are most like `wanted`, the likeliest first.
pub fn near<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut alike: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    alike.dedup_by(|a, b| a.1 == b.1);
    alike.into_iter().map(|(_, name)| name).take(OFFERED).collect()
}

/// `did you mean dev or dev-eu?`, if anything is near.
pub fn did_you_mean<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let near = near(wanted, names);
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_offered() {
        let names = ["dev", "prod-eu", "prod-us", "staging", "dev"];
        for (wanted, offered) in [
            ("prd-eu", &["prod-eu", "prod-us"][..]),
            ("stagign", &["staging"]),
            ("dve", &[]),
            ("de", &["dev"]),
            ("zzz", &[]),
            ("", &[]),
        ] {
            assert_eq!(near(wanted, names), offered, "{wanted}");
        }
        assert_eq!(did_you_mean("stagin", names).unwrap(), "did you mean staging?");
        assert_eq!(did_you_mean("zzz", names), None);
    }
}
