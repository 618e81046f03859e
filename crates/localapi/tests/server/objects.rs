//! Creating, reading and changing objects.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret};
use k8s_openapi::api::events::v1::Event as NewerEvent;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};
use wharfinger_localapi::{LocalApi, Options, User};

use crate::world::{Ask, options, read, refusal, server, server_with, thing, things};

#[tokio::test]
async fn an_object_gets_what_the_server_gives_and_what_its_schema_says() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let mut sent = thing("x", 1);
    sent.data["status"] = json!({"phase": "mine"});
    sent.metadata.generation = Some(7);
    let created = api.create(&PostParams::default(), &sent).await.unwrap();
    assert!(created.metadata.uid.as_ref().is_some_and(|uid| uid.len() == 36));
    assert!(created.metadata.creation_timestamp.is_some());
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.metadata.namespace.as_deref(), Some("a"));
    assert_eq!(created.data["spec"], json!({"size": 1, "colour": "red"}));
    assert_eq!(created.data.get("status"), None);
    assert_eq!(api.get("x").await.unwrap(), created);
    let again = api.create(&PostParams::default(), &thing("x", 1)).await;
    assert_eq!(
        refusal(again),
        (409, "AlreadyExists".into(), r#"things.test.io "x" already exists"#.into())
    );
    assert_eq!(
        refusal(api.get("y").await),
        (404, "NotFound".into(), r#"things.test.io "y" not found"#.into())
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_object_is_said_by_field() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let rows = [
        (thing("x", 0), 422, "spec.size: Invalid value: 0"),
        (thing("X", 1), 422, "metadata.name: Invalid value: \"X\""),
        (thing("", 1), 422, "metadata.name: Required value: name or generateName is required"),
    ];
    for (object, code, message) in rows {
        let (found, _, said) = refusal(api.create(&PostParams::default(), &object).await);
        assert!(found == code && said.contains(message), "{found} {said}");
    }
    let mut elsewhere = thing("x", 1);
    elsewhere.metadata.namespace = Some("b".into());
    let (code, _, said) = refusal(api.create(&PostParams::default(), &elsewhere).await);
    assert!(code == 400 && said.contains("does not match the namespace"), "{said}");

    let ask = Ask::of(&server, User::admin());
    let nowhere = json!({"metadata": {"name": "x"}});
    let (status, said) = ask.post("/api/v1/namespaces/nowhere/secrets", &nowhere).await;
    assert_eq!(
        (status, &said["message"]),
        (StatusCode::NOT_FOUND, &json!("namespaces \"nowhere\" not found"))
    );
    for wrong in [
        json!([]),
        json!("text"),
        json!({"metadata": "text"}),
        json!({"metadata": {"labels": []}}),
        json!({"metadata": {"name": 1}}),
        json!({"metadata": {"name": "x"}, "data": "text"}),
        json!({"metadata": {"name": "x"}, "data": {"a": "not base64!"}}),
        json!({"metadata": {"name": "x"}, "kind": "ConfigMap"}),
    ] {
        let (status, said) = ask.post("/api/v1/namespaces/a/secrets", &wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {said}");
    }
    let big = json!({"metadata": {"name": "x"}, "data": {"a": "A".repeat(4 * 1024 * 1024)}});
    let (status, _) = ask.post("/api/v1/namespaces/a/secrets", &big).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn fields_that_nobody_knows_are_dropped_or_refused_as_the_client_wants() {
    let server = server().await;
    let ask = Ask::of(&server, User::admin());
    let mut object = serde_json::to_value(thing("x", 1)).unwrap();
    object["spec"]["shape"] = "round".into();
    let post = async |validation: &str| {
        let path =
            format!("/apis/test.io/v1/namespaces/a/things?dryRun=All&fieldValidation={validation}");
        ask.send(Method::POST, &path, &[], &object.to_string()).await
    };
    let (status, headers, body) = post("Warn").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["warning"], r#"299 - "unknown field \"spec.shape\"""#);
    assert_eq!(body["spec"], json!({"size": 1, "colour": "red"}));
    let (status, headers, _) = post("Ignore").await;
    assert_eq!((status, headers.get("warning")), (StatusCode::CREATED, None));
    let (status, _, body) = post("Strict").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        body["message"],
        r#"Thing in version "v1" cannot be handled as a Thing: strict decoding error: unknown field "spec.shape""#
    );
}

#[tokio::test]
async fn a_write_on_an_older_version_is_a_conflict() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let first = api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let mut second = first.clone();
    second.data["spec"]["size"] = 2.into();
    api.replace("x", &PostParams::default(), &second).await.unwrap();
    let (code, reason, message) = refusal(api.replace("x", &PostParams::default(), &second).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    assert_eq!(
        message,
        r#"Operation cannot be fulfilled on things.test.io "x": the object has been modified; please apply your changes to the latest version and try again"#
    );
    let version = first.metadata.resource_version.clone();
    let patch =
        Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": {"size": 3}}));
    assert_eq!(refusal(api.patch("x", &PatchParams::default(), &patch).await).0, 409);
    // Which version a custom resource replaces has to be said; a ConfigMap may be replaced blindly.
    let (code, _, message) =
        refusal(api.replace("x", &PostParams::default(), &thing("x", 4)).await);
    assert!(code == 422 && message.contains("must be specified for an update"), "{message}");
    let maps: Api<ConfigMap> = Api::namespaced(server.client(User::admin()), "a");
    let map = read(json!({"metadata": {"name": "m"}}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    maps.replace("m", &PostParams::default(), &map).await.unwrap();
    second.metadata.uid = Some("another".into());
    let (code, _, message) = refusal(api.replace("x", &PostParams::default(), &second).await);
    assert!(code == 409 && message.contains("UID in precondition: another"), "{message}");
    let missing = api.replace("y", &PostParams::default(), &thing("y", 1)).await;
    assert_eq!(refusal(missing).0, 404);
    let misnamed = api.replace("x", &PostParams::default(), &thing("y", 1)).await;
    assert_eq!(refusal(misnamed).0, 400);
}

#[tokio::test]
async fn writes_at_the_same_time_all_happen() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let patches = (0..8).map(|n| {
        let api = api.clone();
        async move {
            let patch = json!({"metadata": {"labels": {format!("l{n}"): "x"}}});
            api.patch("x", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        }
    });
    futures::future::join_all(patches).await;
    assert_eq!(api.get("x").await.unwrap().metadata.labels.unwrap().len(), 8);
}

#[tokio::test]
async fn spec_and_status_are_written_apart() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let both = Patch::Merge(json!({
        "metadata": {"labels": {"l": "x"}}, "spec": {"size": 2}, "status": {"phase": "Up"},
    }));
    let status = api.patch_status("x", &PatchParams::default(), &both).await.unwrap();
    assert_eq!(status.data["status"], json!({"phase": "Up"}));
    assert_eq!(status.data["spec"]["size"], 1);
    assert_eq!((&status.metadata.labels, status.metadata.generation), (&None, Some(1)));

    let other = Patch::Merge(json!({"spec": {"size": 2}, "status": {"phase": "Down"}}));
    let main = api.patch("x", &PatchParams::default(), &other).await.unwrap();
    assert_eq!(
        (&main.data["spec"]["size"], &main.data["status"]["phase"]),
        (&json!(2), &json!("Up"))
    );
    assert_eq!(main.metadata.generation, Some(2));

    let labels = Patch::Merge(json!({"metadata": {"labels": {"l": "x"}}}));
    let labelled = api.patch("x", &PatchParams::default(), &labels).await.unwrap();
    assert_eq!(labelled.metadata.generation, Some(2));
    let wrong = Patch::Merge(json!({"status": {"phase": 3}}));
    assert_eq!(refusal(api.patch_status("x", &PatchParams::default(), &wrong).await).0, 422);
    // Nothing new: nothing happens.
    let before = server.version();
    let same = api.patch("x", &PatchParams::default(), &labels).await.unwrap();
    assert_eq!((server.version(), same), (before, labelled));
}

#[tokio::test]
async fn patches_are_of_the_kinds_that_kubernetes_knows() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let maps: Api<ConfigMap> = Api::namespaced(server.client(User::admin()), "a");
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let map = read(json!({"metadata": {"name": "m"}, "data": {"a": "1"}}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    let params = PatchParams::default();

    let ops = |ops: Value| Patch::<Value>::Json(read(ops));
    let growing = ops(json!([
        {"op": "test", "path": "/spec/size", "value": 1},
        {"op": "replace", "path": "/spec/size", "value": 2},
    ]));
    let grown = api.patch("x", &params, &growing).await.unwrap();
    assert_eq!(grown.data["spec"]["size"], 2);
    let failing = ops(json!([{"op": "test", "path": "/spec/size", "value": 1}]));
    assert_eq!(refusal(api.patch("x", &params, &failing).await).0, 422);
    let to_a_text = ops(json!([{"op": "replace", "path": "/metadata", "value": "text"}]));
    assert_eq!(refusal(api.patch("x", &params, &to_a_text).await).0, 400);

    let strategic = Patch::Strategic(json!({"data": {"b": "2"}}));
    let merged = maps.patch("m", &params, &strategic).await.unwrap().data.unwrap();
    assert_eq!(merged.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    let strategic = Patch::Strategic(json!({"spec": {"size": 3}}));
    assert_eq!(refusal(api.patch("x", &params, &strategic).await).0, 415);
    let apply = Patch::Apply(thing("x", 3));
    let (code, reason, message) = refusal(api.patch("x", &PatchParams::apply("me"), &apply).await);
    assert_eq!((code, reason.as_str()), (415, "UnsupportedMediaType"));
    assert!(message.contains("can't do server-side apply"), "{message}");
    assert_eq!(refusal(api.patch("y", &params, &Patch::Merge(json!({}))).await).0, 404);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    let mut grown = api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let before = server.version();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    assert_eq!(api.create(&dry, &thing("y", 1)).await.unwrap().data["spec"]["colour"], "red");
    grown.data["spec"]["size"] = 5.into();
    let replaced = api.replace("x", &dry, &grown).await.unwrap();
    assert_eq!(replaced.data["spec"]["size"], 5);
    let patch = PatchParams { dry_run: true, ..PatchParams::default() };
    api.patch("x", &patch, &Patch::Merge(json!({"spec": {"size": 6}}))).await.unwrap();
    let delete = kube::api::DeleteParams { dry_run: true, ..Default::default() };
    api.delete("x", &delete).await.unwrap();
    assert_eq!(server.version(), before);
    assert_eq!(api.get("x").await.unwrap().data["spec"]["size"], 1);
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let unknown = Patch::Merge(json!({"spec": {"shape": "round"}}));
    assert_eq!(refusal(api.patch("x", &strict, &unknown).await).0, 400);
}

#[tokio::test]
async fn names_are_generated_and_follow_from_the_seed() {
    let mut made = BTreeSet::new();
    for _ in 0..2 {
        let server = server().await;
        let api = things(server.client(User::admin()));
        let mut object = thing("", 1);
        object.metadata.name = None;
        object.metadata.generate_name = Some("x-".into());
        for _ in 0..3 {
            let created = api.create(&PostParams::default(), &object).await.unwrap();
            let name = created.metadata.name.unwrap();
            assert!(name.len() == 7 && name.starts_with("x-"), "{name}");
            made.insert((name, created.metadata.uid.unwrap()));
        }
    }
    assert_eq!(made.len(), 3);
    let other = server_with(Options { seed: None, ..options() }).await;
    let api = things(other.client(User::admin()));
    let created = api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    assert!(!made.iter().any(|(_, uid)| Some(uid) == created.metadata.uid.as_ref()));
}

#[tokio::test]
async fn lists_are_selected_and_paged_as_they_were_at_the_first_page() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    for n in 0..5 {
        let mut object = thing(&format!("x{n}"), 1);
        object.metadata.labels = Some([("odd".to_owned(), (n % 2 == 1).to_string())].into());
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let names = |list: &kube::core::ObjectList<kube::api::DynamicObject>| -> Vec<String> {
        list.items.iter().filter_map(|item| item.metadata.name.clone()).collect()
    };
    let odd = api.list(&ListParams::default().labels("odd=true")).await.unwrap();
    assert_eq!(names(&odd), ["x1", "x3"]);
    let one = api.list(&ListParams::default().fields("metadata.name=x2")).await.unwrap();
    assert_eq!(names(&one), ["x2"]);
    assert_eq!(refusal(api.list(&ListParams::default().fields("spec.size=1")).await).0, 400);

    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first), ["x0", "x1"]);
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    api.delete("x2", &Default::default()).await.unwrap();
    api.create(&PostParams::default(), &thing("x22", 1)).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    let second = api.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    assert_eq!(names(&second), ["x2", "x3"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    let token = second.metadata.continue_.unwrap();
    let third = api.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    assert_eq!((names(&third), third.metadata.continue_), (vec!["x4".to_owned()], None));

    server.forget();
    let late = api.list(&ListParams::default().continue_token(&token)).await;
    assert_eq!(refusal(late).0, 410);
    assert_eq!(refusal(api.list(&ListParams::default().continue_token("x")).await).0, 400);
    let ask = Ask::of(&server, User::admin());
    let (status, _) = ask.get("/apis/test.io/v1/things?resourceVersion=100000").await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn secrets_take_plain_text_and_events_have_two_shapes() {
    let server = server().await;
    let client = server.client(User::admin());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "a");
    let secret = read(json!({"metadata": {"name": "s"}, "stringData": {"key": "value"}}));
    let created = secrets.create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(created.data.unwrap()["key"].0, b"value");
    assert_eq!((created.type_.as_deref(), created.string_data), (Some("Opaque"), None));
    assert_eq!(created.metadata.generation, None);

    let newer: Api<NewerEvent> = Api::namespaced(client.clone(), "a");
    let event = read(json!({
        "metadata": {"name": "e"}, "eventTime": null, "note": "it happened",
        "regarding": {"kind": "Thing", "name": "x", "namespace": "a"}, "reportingController": "test",
    }));
    newer.create(&PostParams::default(), &event).await.unwrap();
    let older: Api<Event> = Api::namespaced(client, "a");
    let selected = ListParams::default().fields("involvedObject.name=x");
    let found = older.list(&selected).await.unwrap().items.remove(0);
    assert_eq!(found.message.as_deref(), Some("it happened"));
    assert_eq!(newer.get("e").await.unwrap().note.as_deref(), Some("it happened"));
}

#[tokio::test]
async fn objects_are_shown_as_the_client_accepts_them() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let metadata = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(metadata.items[0].metadata.name.as_deref(), Some("x"));
    let ask = Ask::of(&server, User::admin());
    let path = "/apis/test.io/v1/namespaces/a/things/x";
    let get = async |accept: &str| ask.send(Method::GET, path, &[("accept", accept)], "").await;
    let (_, _, table) = get("application/json;as=Table;v=v1;g=meta.k8s.io,application/json").await;
    assert_eq!((&table["kind"], &table["rows"][0]["cells"][0]), (&json!("Table"), &json!("x")));
    assert_eq!(get("application/vnd.kubernetes.protobuf").await.0, StatusCode::NOT_ACCEPTABLE);
    let (status, said) = ask.get("/api/v1/namespaces/a/nothings").await;
    assert_eq!((status, &said["kind"]), (StatusCode::NOT_FOUND, &json!("Status")));
    let (status, _, _) = ask.send(Method::POST, path, &[], "{}").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let (status, _, _) = ask.send(Method::PUT, path, &[("content-type", "text/plain")], "x").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn a_file_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api.jsonl");
    let open = || Options { file: Some(file.clone()), ..options() };
    // With its own runtime everything of the first server ends before the second begins.
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (created, version) = run().block_on(async {
        let server = server_with(open()).await;
        let api = things(server.client(User::admin()));
        let created = api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
        (created, server.version())
    });
    run().block_on(async {
        let server = LocalApi::new(open()).unwrap();
        assert_eq!(server.version(), version);
        let api = things(server.client(User::admin()));
        assert_eq!(api.get("x").await.unwrap(), created);
        let next = api.create(&PostParams::default(), &thing("y", 1)).await.unwrap();
        assert!(next.metadata.uid != created.metadata.uid);
        // A watch from before the restart has to list again.
        let ask = Ask::of(&server, User::admin());
        let path = "/apis/test.io/v1/things?watch=1&timeoutSeconds=1&resourceVersion";
        let (_, event) = ask.get(&format!("{path}={}", version - 1)).await;
        assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    });
}
