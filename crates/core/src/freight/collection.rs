//! What a Stage holds, and the id of it.

use wharfinger_api::v1alpha1::{Freight, FreightCollection, FreightReference, StageStatus};

use super::digest::sha1;

/// Whether a Stage holds a piece of Freight now.
pub fn holds(stage: &StageStatus, freight: &str) -> bool {
    let now = stage.freight_history.first();
    now.is_some_and(|held| held.items.values().any(|item| item.name == freight))
}

/// Puts Freight into the collection and gives the collection its id.
///
/// A collection has one piece of Freight for each origin: a later one of the same origin takes the
/// place of the earlier. The id is set even when there is nothing to put in.
pub fn push(
    collection: &mut FreightCollection,
    freight: impl IntoIterator<Item = FreightReference>,
) {
    for reference in freight {
        collection.items.insert(reference.origin.to_string(), reference);
    }
    collection.id = collection_id(collection.items.values().map(|reference| &reference.name));
}

/// Freight as a collection holds it.
pub fn reference(freight: &Freight) -> FreightReference {
    FreightReference {
        name: freight.metadata.name.clone().unwrap_or_default(),
        origin: freight.origin.clone(),
        commits: freight.commits.clone(),
        images: freight.images.clone(),
        charts: freight.charts.clone(),
        artifacts: freight.artifacts.clone(),
    }
}

/// The id of the collection that holds Freight of these names, in whatever order they come.
pub fn collection_id<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> String {
    let mut names: Vec<N> = names.into_iter().collect();
    names.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sha1(&names.join(","))
}

#[cfg(test)]
mod tests {
    use wharfinger_api::v1alpha1::FreightOrigin;

    use super::*;

    const A: &str = "b3e7149de5914b1d5400c3b3675d52843f1762b6";
    const B: &str = "c021d5477b24cc671550cfa87f16fb6e4828ad18";

    #[test]
    fn the_order_of_the_names_does_not_matter() {
        let id = "dcf6a825a1eaed50701f3c5fc03602371a2ce145";
        assert_eq!(collection_id([A, B]), id);
        assert_eq!(collection_id([B, A]), id);
    }

    #[test]
    fn the_later_freight_of_an_origin_stays() {
        let mut collection = FreightCollection::default();
        push(&mut collection, [freight("w", A), freight("w", B), freight("x", A)]);
        let items: Vec<_> = collection.items.iter().map(|(k, v)| (&**k, &*v.name)).collect();
        assert_eq!(items, [("Warehouse/w", B), ("Warehouse/x", A)]);
        assert_eq!(collection.id, collection_id([A, B]));
    }

    #[test]
    fn an_empty_push_sets_the_id() {
        let mut collection = FreightCollection::default();
        push(&mut collection, []);
        assert_eq!(collection.id, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }

    fn freight(origin: &str, name: &str) -> FreightReference {
        let origin = FreightOrigin { kind: "Warehouse".into(), name: origin.into() };
        FreightReference { name: name.into(), origin, ..Default::default() }
    }
}
