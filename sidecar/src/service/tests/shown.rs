//! What is told of a render besides its objects: metrics, the list on the admin port, provenance.

use wharfinger_core::paths::MANIFEST_GENERATE_PATHS;

use super::*;

#[tokio::test]
async fn freight_that_nothing_uses_is_counted_and_what_is_rendered_says_whose_it_is() {
    let (server, mut client) = Server::ready(&world()).await;
    let claim = format!("2-{B}");
    let said = call("web", Some(&claim))
        .env("ARGOCD_APP_PARAMETERS", r#"[{"name":"provenance","string":"true"}]"#);
    let answer = client.generate_manifest(said.request()).await.unwrap().into_inner();
    let pod: Value = serde_json::from_str(&answer.manifests[0]).unwrap();
    let annotations = json!({
        "wharfinger.dev/collection": B, "wharfinger.dev/freight": B,
        "wharfinger.dev/generation": "2", "wharfinger.dev/stage": "shop:dev",
    });
    assert_eq!(pod["metadata"]["annotations"], annotations);
    let warned = |code: &str| {
        let mut text = String::new();
        encode(&mut text, &server.registry).unwrap();
        text.contains(&format!("wharfinger_sidecar_warnings_total{{code=\"{code}\"}} 1\n"))
    };
    assert!(!warned("ImageUnused") && !warned("ImagePathUnused"));

    let mut other = Call::new(&[("app/pod.yaml", &POD.replace("shop/web", "shop/other"))]).unwrap();
    other.env = call("web", Some(&claim)).env;
    assert_eq!(image(&mut client, &other).await.unwrap(), "shop/other:0");
    assert!(warned("ImageUnused") && !warned("ImagePathUnused"));

    let parameters =
        r#"[{"name":"imagePaths","array":["Pod:.spec.image","Pod:.spec.containers[*].image"]}]"#;
    let elsewhere = call("web", Some(&claim)).env("ARGOCD_APP_PARAMETERS", parameters);
    image(&mut client, &elsewhere).await.unwrap();
    assert!(warned("ImagePathUnused"));
    server.end().await;
}

#[tokio::test]
async fn which_images_a_render_has_is_shown_by_name_and_by_nothing_else() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {web: 'shop/web:0', token: hunter2}\n";
    let more = "apiVersion: v1\nkind: Pod\nmetadata: {name: more}\nspec: {containers: [{image: 'ghcr.io/acme/tool:1'}, {image: 'https://ana:hunter2@git.example/x'}]}\n";
    let files = [("app/secret.yaml", secret), ("app/more.yaml", more)];
    let parameters = r#"[{"name":"imagePaths","array":["Secret:.stringData[*]"]}]"#;
    let made = async |client: &mut Client, generation: u64, collection: &str| {
        let claim = format!("{generation}-{collection}");
        let sent = Call::new(&files).unwrap();
        let env = call("web", Some(&claim)).env("ARGOCD_APP_PARAMETERS", parameters).env;
        let env = Call { env, ..sent }
            .env("ARGOCD_APP_SOURCE_REPO_URL", "https://ana:hunter2@git.example.com/app");
        client.generate_manifest(env.request()).await.unwrap();
    };
    made(&mut client, 2, B).await;
    let renders = server.renders().await;
    assert!(!renders.to_string().contains("hunter2"), "{renders}");
    let shown = &renders[0];
    assert_eq!((&shown["stage"], &shown["collection"]), (&json!("shop:dev"), &json!(B)));
    // Of the Freight, wherever it stands; of the rest, what may be shown.
    let images = json!({ "used": ["shop/web"], "others": ["ghcr.io/acme/tool"], "moreOthers": 1 });
    assert_eq!(shown["images"], images);

    // The last one counts.
    world.put_quietly(stage("dev", Some(3), &[C, B, A]));
    made(&mut client, 3, C).await;
    let renders = server.renders().await;
    assert_eq!((renders.as_array().unwrap().len(), &renders[0]["collection"]), (1, &json!(C)));
    server.end().await;
}

#[tokio::test]
async fn what_was_sent_and_what_was_read_is_shown_in_both_layouts() {
    let declared = |paths: Option<&str>| {
        let world = world();
        let mut app = app("web", Some("shop:dev"));
        if let Some(paths) = paths {
            app["metadata"]["annotations"][MANIFEST_GENERATE_PATHS] = paths.into();
        }
        world.put(app);
        world
    };
    let claim = format!("2-{B}");
    let rest = "x".repeat(100_000);
    let rendered_of = async |paths: Option<&str>, folder: &str, mut sent: Call| {
        let (server, mut client) = Server::ready(&declared(paths)).await;
        sent.path = folder.into();
        sent.env = call("web", Some(&claim)).env("ARGOCD_APP_SOURCE_PATH", "teams/a/app").env;
        // Twice: what is remembered says the same.
        for _ in 0..2 {
            image(&mut client, &sent).await.unwrap();
        }
        let renders = server.renders().await;
        let mut text = String::new();
        encode(&mut text, &server.registry).unwrap();
        for (name, bytes) in [("uploads", sent.archive.len()), ("reads", POD.len())] {
            let total = format!("wharfinger_sidecar_{name}_bytes_total {}\n", 2 * bytes);
            assert!(text.contains(&total), "{total}{text}");
        }
        let warned =
            text.lines().filter(|line| line.starts_with("wharfinger_sidecar_warnings_total"));
        let warned =
            warned.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
        server.end().await;
        (renders, sent.size, warned)
    };
    let rendered = async |paths: Option<&str>, folder: &str, files: &[(&str, &str)]| {
        rendered_of(paths, folder, Call::new(files).unwrap()).await
    };

    let whole = [("teams/a/app/pod.yaml", POD), ("docs/all", &rest)];
    let (renders, size, warned) = rendered(None, "teams/a/app", &whole).await;
    assert_eq!(renders[0]["checks"][0]["code"], "upload-large");
    let mut shown = renders[0].clone();
    shown.as_object_mut().unwrap().shift_remove("checks");
    let expected = json!({
        "namespace": "argocd", "application": "web", "repository": "https://git.example.com/app", "path": "teams/a/app", "sent": "",
        "stage": "shop:dev", "collection": B, "images": { "used": ["shop/web"], "others": [] },
        "bytesReceived": size, "bytesRead": POD.len(), "pathsRead": ["teams/a/app"], "manifestGeneratePaths": ".",
    });
    assert_eq!((shown, warned), (expected, vec!["UploadLarge".into()]));

    let (renders, size, warned) = rendered(Some("."), "", &[("pod.yaml", POD)]).await;
    let expected = json!([{
        "namespace": "argocd", "application": "web", "repository": "https://git.example.com/app", "path": "teams/a/app", "sent": "teams/a/app", "checks": [],
        "stage": "shop:dev", "collection": B, "images": { "used": ["shop/web"], "others": [] },
        "bytesReceived": size, "bytesRead": POD.len(), "pathsRead": ["teams/a/app"], "manifestGeneratePaths": ".",
    }]);
    assert_eq!((renders, warned), (expected, vec![]));

    let part = [("a/app/pod.yaml", POD), ("b/x", "")];
    let (renders, _, warned) = rendered(Some("../../b"), "a/app", &part).await;
    assert_eq!(renders[0]["sent"], "teams");
    assert_eq!(renders[0]["checks"][0]["code"], "paths-undeclared");
    assert_eq!(warned, ["PathsUndeclared"]);

    // A link to what was sent as well, and one to what was not, which nobody reads.
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::none()));
    for (name, content, target) in [
        ("a/pod.yaml", POD, ""),
        ("a/app/pod.yaml", "", "../pod.yaml"),
        ("a/app/README.md", "", "../../../README.md"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        if target.is_empty() {
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        } else {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, name, target).unwrap();
        }
    }
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let (renders, _, warned) = rendered_of(Some(".;../../b"), "a/app", Call::of(archive)).await;
    assert_eq!(renders[0]["pathsRead"], json!(["teams/a/app", "teams/a/pod.yaml"]));
    assert_eq!(renders[0]["manifestGeneratePaths"], ".;../pod.yaml");
    assert_eq!(warned, ["PathsUndeclared"]);
}
