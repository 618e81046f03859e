//! Which Freight is in an object, written on the object.

use wharfinger_api::additions::{COLLECTION, FREIGHT, GENERATION, STAGE};
use wharfinger_api::v1alpha1::FreightCollection;

use crate::claim::{Claim, StageName};

/// What a render with provenance says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The names of the Freight, in the order of their origins.
    freight: Vec<String>,
    collection: String,
    stage: StageName,
    generation: u64,
}

impl Provenance {
    /// The annotations that say it, by name.
    pub const ANNOTATIONS: [&str; 4] = [COLLECTION, FREIGHT, GENERATION, STAGE];

    /// Of what `stage` holds since the generation.
    pub fn of(stage: &StageName, generation: u64, collection: &FreightCollection) -> Self {
        Self {
            freight: collection.items.values().map(|freight| freight.name.clone()).collect(),
            collection: collection.id.clone(),
            stage: stage.clone(),
            generation,
        }
    }

    /// Of what `stage` would hold if it were promoted, where it is not what it holds already: `claim`.
    pub fn next(stage: &StageName, claim: Option<&Claim>, collection: &FreightCollection) -> Self {
        let generation = match claim {
            Some(claim) if claim.collection == collection.id => claim.generation,
            Some(claim) => claim.generation.saturating_add(1),
            None => 1,
        };
        Self::of(stage, generation, collection)
    }

    /// Names and values of the annotations.
    pub fn annotations(&self) -> [(&'static str, String); 4] {
        let Self { freight, collection, stage, generation } = self;
        [
            (COLLECTION, collection.clone()),
            (FREIGHT, freight.join(",")),
            (GENERATION, generation.to_string()),
            (STAGE, stage.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_render_says_which_assignment_it_is_of() {
        let stage = "shop:dev".parse().unwrap();
        let collection = json!({ "id": "c", "items": {
            "Warehouse/web": { "name": "f2" }, "Warehouse/db": { "name": "f1" } } });
        let collection = serde_json::from_value(collection).unwrap();
        let names = |p: Provenance| p.annotations().map(|(name, value)| format!("{name}={value}"));
        let expected = |generation: u64| {
            [
                "wharfinger.dev/collection=c".to_owned(),
                "wharfinger.dev/freight=f1,f2".to_owned(),
                format!("wharfinger.dev/generation={generation}"),
                "wharfinger.dev/stage=shop:dev".to_owned(),
            ]
        };
        let claim = |collection: &str| Claim { generation: 7, collection: collection.into() };
        assert_eq!(names(Provenance::of(&stage, 3, &collection)), expected(3));
        for (claim, generation) in [(Some(claim("c")), 7), (Some(claim("d")), 8), (None, 1)] {
            assert_eq!(
                names(Provenance::next(&stage, claim.as_ref(), &collection)),
                expected(generation)
            );
        }
        let all = Provenance::of(&stage, 1, &collection).annotations().map(|(name, _)| name);
        assert_eq!(all, Provenance::ANNOTATIONS);
    }
}
