//! What goes with what.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use serde_json::{Value, json};
use wharfinger_localapi::{LocalApi, User};

use crate::world::{Ask, read, refusal, server, thing, things};

fn finalizers(list: &[&str]) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"finalizers": list}}))
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let params = PatchParams::default();
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    api.patch("x", &params, &finalizers(&["t.io/one", "t.io/two"])).await.unwrap();
    let held = api.delete("x", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert!(held.metadata.deletion_timestamp.is_some());
    assert_eq!(held.metadata.generation, Some(2));
    let again = api.delete("x", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(again.metadata.deletion_timestamp, held.metadata.deletion_timestamp);
    let (code, _, said) =
        refusal(api.patch("x", &params, &finalizers(&["t.io/one", "t.io/three"])).await);
    assert!(code == 422 && said.contains("no new finalizers can be added"), "{said}");
    api.patch("x", &params, &finalizers(&["t.io/one"])).await.unwrap();
    api.get("x").await.unwrap();
    api.patch("x", &params, &finalizers(&[])).await.unwrap();
    assert_eq!(refusal(api.get("x").await).0, 404);
}

#[tokio::test]
async fn preconditions_hold() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let created = api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let with = |uid: Option<&str>, version: Option<&str>| DeleteParams {
        preconditions: Some(Preconditions {
            uid: uid.map(Into::into),
            resource_version: version.map(Into::into),
        }),
        ..DeleteParams::default()
    };
    assert_eq!(refusal(api.delete("x", &with(Some("other"), None)).await).0, 409);
    assert_eq!(refusal(api.delete("x", &with(None, Some("1"))).await).0, 409);
    let version = created.metadata.resource_version.as_deref();
    let right = with(created.metadata.uid.as_deref(), version);
    let status = api.delete("x", &right).await.unwrap().right().unwrap();
    assert_eq!(status.details.unwrap().uid, created.metadata.uid.unwrap());
}

/// x owns y, y owns z.
async fn owned() -> LocalApi {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let mut owner: Option<(String, String)> = None;
    for name in ["x", "y", "z"] {
        let mut object = thing(name, 1);
        if let Some((name, uid)) = owner {
            let reference =
                json!([{"apiVersion": "test.io/v1", "kind": "Thing", "name": name, "uid": uid}]);
            object.metadata.owner_references = Some(read(reference));
        }
        let created = api.create(&PostParams::default(), &object).await.unwrap();
        owner = Some((name.into(), created.metadata.uid.unwrap()));
    }
    server
}

async fn names(server: &LocalApi) -> Vec<String> {
    let list = things(server.client(User::admin())).list(&ListParams::default()).await.unwrap();
    list.items.into_iter().filter_map(|item| item.metadata.name).collect()
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let server = owned().await;
    let api = things(server.client(User::admin()));
    api.delete("x", &DeleteParams::background()).await.unwrap();
    assert!(names(&server).await.is_empty());

    let server = owned().await;
    let api = things(server.client(User::admin()));
    api.patch("y", &PatchParams::default(), &finalizers(&["t.io/one"])).await.unwrap();
    api.delete("x", &DeleteParams::default()).await.unwrap();
    assert_eq!(names(&server).await, ["y", "z"]);
    api.patch("y", &PatchParams::default(), &finalizers(&[])).await.unwrap();
    assert!(names(&server).await.is_empty());

    let server = owned().await;
    let api = things(server.client(User::admin()));
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    api.delete("x", &orphan).await.unwrap();
    assert_eq!(names(&server).await, ["y", "z"]);
    assert_eq!(api.get("y").await.unwrap().metadata.owner_references, None);
}

#[tokio::test]
async fn a_namespace_goes_when_it_is_empty() {
    let server = server().await;
    let client = server.client(User::admin());
    let api = things(client.clone());
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "a");
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "b");
    let namespaces: Api<Namespace> = Api::all(client);
    let map = read(json!({"metadata": {"name": "m"}}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    elsewhere.create(&PostParams::default(), &map).await.unwrap();
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    api.patch("x", &PatchParams::default(), &finalizers(&["t.io/one"])).await.unwrap();

    namespaces.delete("a", &DeleteParams::default()).await.unwrap().left().unwrap();
    let phase = namespaces.get("a").await.unwrap().status.unwrap().phase;
    assert_eq!(phase.as_deref(), Some("Terminating"));
    assert_eq!(refusal(maps.get("m").await).0, 404);
    let (code, _, said) = refusal(api.create(&PostParams::default(), &thing("y", 1)).await);
    assert!(code == 403 && said.contains("because it is being terminated"), "{said}");

    api.patch("x", &PatchParams::default(), &finalizers(&[])).await.unwrap();
    assert_eq!(refusal(namespaces.get("a").await).0, 404);
    elsewhere.get("m").await.unwrap();
}

#[tokio::test]
async fn what_is_selected_is_deleted_together() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    for name in ["x", "y", "z"] {
        let mut object = thing(name, 1);
        object.metadata.labels = Some([("of".to_owned(), name.to_owned())].into());
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let some = ListParams::default().labels("of in (x, z)");
    api.delete_collection(&DeleteParams::default(), &some).await.unwrap();
    assert_eq!(names(&server).await, ["y"]);
    let ask = Ask::of(&server, User::admin());
    let path = "/apis/test.io/v1/things";
    let (status, ..) = ask.send(http::Method::DELETE, path, &[], "").await;
    assert_eq!(status.as_u16(), 405);
}
