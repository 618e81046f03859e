//! The name of a Promotion. It sorts by time, and its queue is in that order.

use sha2::{Digest as _, Sha256};
use wharfinger_api::v1alpha1::PromotionSpec;

/// `<stage>.<ulid>.<beginning of the Freight's name>`, with the Target after the Stage where there is one.
pub(super) fn name(spec: &PromotionSpec, ulid: &str) -> String {
    let PromotionSpec { stage, target, freight, .. } = spec;
    let place = if target.is_empty() { stage.clone() } else { format!("{stage}.{target}") };
    let short: String = freight.iter().flat_map(|f| f.chars()).take(SHORT).collect();
    let place: String = place.chars().take(NAME - 1 - ULID - 1 - SHORT).collect();
    let place = place.trim_end_matches(['.', '-']);
    format!("{place}.{ulid}.{short}").to_lowercase()
}

/// Whether a name is one that is made here.
pub(super) fn is_name(text: &str, spec: &PromotionSpec) -> bool {
    let mut parts = text.rsplit('.');
    let ulid = parts.nth(1).unwrap_or_default();
    let crockford = |b: u8| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"ilou".contains(&b));
    ulid.len() == ULID && ulid.bytes().all(crockford) && text == name(spec, ulid)
}

/// The value of a label: as it is, or cut and made unique again, as Kargo does it.
pub(super) fn label(value: &str) -> String {
    if value.len() <= LABEL {
        return value.into();
    }
    let hash: String = Sha256::digest(value).iter().take(4).map(|b| format!("{b:02x}")).collect();
    let kept: String = value.chars().take(LABEL - 1 - hash.len()).collect();
    format!("{kept}-{hash}")
}

/// The longest name of an object, and the longest value of a label.
const NAME: usize = 253;
const LABEL: usize = 63;
const ULID: usize = 26;
/// How much of the Freight's name is shown.
const SHORT: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "01kaj6v5b2m8q3w7x9ytz4rghd";

    fn spec(stage: &str, target: &str) -> PromotionSpec {
        let freight = Some("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".into());
        PromotionSpec {
            stage: stage.into(),
            target: target.into(),
            freight,
            ..PromotionSpec::default()
        }
    }

    #[test]
    fn a_name_is_stage_time_and_freight() {
        let long = format!("{}.-b", "a".repeat(217));
        for (stage, target, expected) in [
            ("prod", "", format!("prod.{NOW}.da39a3e")),
            ("prod", "eu", format!("prod.eu.{NOW}.da39a3e")),
            ("dev.eu-1", "", format!("dev.eu-1.{NOW}.da39a3e")),
            (&*long, "", format!("{}.{NOW}.da39a3e", "a".repeat(217))),
        ] {
            let spec = spec(stage, target);
            let name = name(&spec, &NOW.to_uppercase());
            assert_eq!(name, expected);
            assert!(name.len() <= NAME && is_name(&name, &spec), "{name}");
        }
    }

    #[test]
    fn a_name_of_ones_own_is_none() {
        let prod = spec("prod", "");
        for bad in [
            "",
            "prod",
            "prod..da39a3e",
            &format!("dev.{NOW}.da39a3e"),
            &format!("prod.{NOW}.0000000"),
            &format!("prod.{}.da39a3e", NOW.replace('k', "l")),
        ] {
            assert!(!is_name(bad, &prod), "{bad}");
        }
    }

    #[test]
    fn a_long_label_is_cut_and_stays_unique() {
        assert_eq!(label(&"a".repeat(63)), "a".repeat(63));
        // printf 'a%.0s' {1..64} | sha256sum
        assert_eq!(label(&"a".repeat(64)), format!("{}-ffe054fe", "a".repeat(54)));
    }
}
