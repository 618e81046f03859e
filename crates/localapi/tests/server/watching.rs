//! Watches, and the reflectors that live on them.

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::reflector;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use wharfinger_localapi::{LocalApi, Options, User};

use crate::world::{Ask, options, server, server_with, thing, thing_resource, things};

/// Kind and name of an event.
fn said(event: &WatchEvent<DynamicObject>) -> String {
    let name = |object: &DynamicObject| object.metadata.name.clone().unwrap_or_default();
    match event {
        WatchEvent::Added(object) => format!("added {}", name(object)),
        WatchEvent::Modified(object) => format!("modified {}", name(object)),
        WatchEvent::Deleted(object) => format!("deleted {}", name(object)),
        WatchEvent::Bookmark(_) => "bookmark".into(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn create(server: &LocalApi, names: &[&str]) {
    let api = things(server.client(User::admin()));
    for name in names {
        api.create(&PostParams::default(), &thing(name, 1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_watch_tells_what_happens_after_a_version() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    create(&server, &["x"]).await;
    let version = server.version().to_string();
    let stream = api.watch(&WatchParams::default(), &version).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    create(&server, &["y"]).await;
    let patch = Patch::Merge(json!({"spec": {"size": 2}}));
    api.patch("x", &PatchParams::default(), &patch).await.unwrap();
    api.delete("y", &Default::default()).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        let event = stream.try_next().await.unwrap().unwrap();
        heard.push(said(&event));
        if let WatchEvent::Deleted(gone) = event {
            let version = gone.metadata.resource_version.unwrap();
            assert_eq!(version, server.version().to_string());
        }
    }
    assert_eq!(heard, ["added y", "modified x", "deleted y"]);
}

#[tokio::test]
async fn a_selected_watch_sees_objects_come_and_go() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let version = server.version().to_string();
    let params = WatchParams::default().labels("on=yes");
    let stream = api.watch(&params, &version).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    create(&server, &["x"]).await;
    for (label, size) in [("yes", 1), ("yes", 2), ("no", 2), ("yes", 2)] {
        let patch = json!({"metadata": {"labels": {"on": label}}, "spec": {"size": size}});
        api.patch("x", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
    api.delete("x", &Default::default()).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(said(&stream.try_next().await.unwrap().unwrap()));
    }
    assert_eq!(heard, ["added x", "modified x", "deleted x", "added x", "deleted x"]);
}

#[tokio::test]
async fn a_watch_of_what_is_forgotten_expires() {
    let server = server_with(Options { history: 2, ..options() }).await;
    let api = things(server.client(User::admin()));
    let version = server.version().to_string();
    create(&server, &["x", "y", "z"]).await;
    let stream = api.watch(&WatchParams::default(), &version).await.unwrap();
    let heard: Vec<_> = stream.map_ok(|event| said(&event)).try_collect().await.unwrap();
    assert_eq!(heard, ["error 410"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_while_nothing_happens_and_a_watch_ends_in_time() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let params = WatchParams::default().timeout(100);
    let stream = api.watch(&params, &server.version().to_string()).await.unwrap();
    // One after a minute, one at the end.
    let heard: Vec<_> = stream.map_ok(|event| said(&event)).try_collect().await.unwrap();
    assert_eq!(heard, ["bookmark", "bookmark"]);
}

#[tokio::test]
async fn a_reflector_survives_expiry() {
    for strategy in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let server = server().await;
        create(&server, &["x", "y"]).await;
        let writer = reflector::store::Writer::<DynamicObject>::new(thing_resource());
        let reader = writer.as_reader();
        let watch =
            watcher::watcher(things(server.client(User::admin())), strategy).reflect(writer);
        let mut watch = std::pin::pin!(watch);
        // Until the reflector knows it.
        let mut until = async |known: &[&str]| {
            loop {
                let names: Vec<String> = reader
                    .state()
                    .iter()
                    .filter_map(|object| object.metadata.name.clone())
                    .collect();
                let all = known.iter().all(|name| names.iter().any(|n| n == name));
                if all && names.len() == known.len() {
                    return;
                }
                let _event = watch.next().await.unwrap();
            }
        };
        until(&["x", "y"]).await;
        create(&server, &["z"]).await;
        until(&["x", "y", "z"]).await;
        let api = things(server.client(User::admin()));
        api.delete("x", &Default::default()).await.unwrap();
        server.forget();
        create(&server, &["w"]).await;
        until(&["y", "z", "w"]).await;
    }
}

#[tokio::test]
async fn a_streaming_list_ends_with_a_bookmark_that_says_so() {
    let server = server().await;
    create(&server, &["x"]).await;
    let ask = Ask::of(&server, User::admin());
    let path = "/apis/test.io/v1/things?watch=1&timeoutSeconds=1&sendInitialEvents=true";
    let (status, said) = ask.get(path).await;
    assert_eq!((status.as_u16(), &said["reason"]), (422, &json!("Invalid")));
    let path = format!("{path}&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    let lines = ask.client.request_text(request).await.unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["type"], "ADDED");
    assert_eq!(lines[1]["type"], "BOOKMARK");
    let annotations = &lines[1]["object"]["metadata"]["annotations"];
    assert_eq!(annotations, &json!({"k8s.io/initial-events-end": "true"}));
}

#[tokio::test]
async fn a_watch_ends_with_its_kind() {
    let server = server().await;
    create(&server, &["x"]).await;
    let api = things(server.client(User::admin()));
    let version = server.version().to_string();
    let stream = api.watch(&WatchParams::default(), &version).await.unwrap();
    let definitions: kube::Api<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    > = kube::Api::all(server.client(User::admin()));
    definitions.delete("things.test.io", &Default::default()).await.unwrap();
    let heard: Vec<_> = stream.map_ok(|event| said(&event)).try_collect().await.unwrap();
    assert_eq!(heard, ["deleted x"]);
    assert_eq!(crate::world::refusal(api.get("x").await).0, 404);
}
