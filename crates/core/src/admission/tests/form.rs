//! Mutating webhooks are asked before a schema has seen the object.

use super::*;

#[test]
fn a_list_is_no_object() {
    let metadata = json!({ "namespace": "shop" });
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    // serde takes a struct's fields in their order, too.
    for sent in [
        json!([app(source(&claim(3)))["metadata"], { "source": unclaimed() }]),
        json!("web"),
        json!(["x", "Freight", metadata, "", null, origin]),
    ] {
        assert!(sent.to_string().parse::<Object>().is_err(), "{sent}");
    }
    let world = World::default().may("alice", Verb::Promote, "shop:prod");
    let promotion = json!({ "metadata": metadata, "spec": ["prod", "1"] });
    let review = review(Kind::Promotion, "alice", None, Some(&promotion));
    denied(world.mutate(&review), "mutate");
    denied(world.validate(&review), "validate");
}

#[test]
fn a_record_of_an_operation_may_be_a_list_before_and_after() {
    let world = World::default();
    let record = json!({ "status": { "operationState": [{}, "Running"] } });
    let old = with(app(source(&claim(3))), record);
    for state in [json!([{}, "Terminating"]), json!({ "phase": "Terminating" })] {
        let mut new = old.clone();
        new["status"]["operationState"] = state;
        let review = review(Kind::Application, "alice", Some(&old), Some(&new));
        assert_eq!(denied(world.validate(&review), "").code, Code::OperationState);
    }
}
