//! What every event about a Promotion says in its annotations, as Kargo's do.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{CREATE_ACTOR, EVENT_PREFIX, Promotion};

use super::annotation;

pub fn details(promotion: &Promotion) -> BTreeMap<String, String> {
    let meta = &promotion.metadata;
    let details = [
        ("actor", annotation(promotion, CREATE_ACTOR)),
        ("project", meta.namespace.as_deref()),
        ("stage-name", Some(&*promotion.spec.stage)),
        ("promotion-name", meta.name.as_deref()),
        ("freight-name", promotion.spec.freight.as_deref()),
    ];
    let details = details.into_iter();
    details
        .filter_map(|(key, value)| Some((format!("{EVENT_PREFIX}{key}"), value?.into())))
        .collect()
}
