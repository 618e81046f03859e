//! Callers that go away, wait, or are many.

use super::*;

/// A call that never goes on after its metadata.
fn stalled(call: &Call) -> impl tonic::IntoStreamingRequest<Message = AppStreamRequest> + use<> {
    stream::iter(call.messages().into_iter().take(1)).chain(stream::pending())
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let world = world();
    let server = Server::with(&world, 1).await;
    server.is_ready().await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = call("web", Some(&format!("2-{B}")));
    for _ in 0..3 {
        let gone =
            timeout(Duration::from_millis(100), client.generate_manifest(stalled(&current))).await;
        assert!(gone.is_err());
    }
    // Nor while the cluster is asked.
    world.mood(Mood::Silent);
    let unknown = call("new", Some(&format!("2-{B}")));
    let gone =
        timeout(Duration::from_millis(100), client.generate_manifest(unknown.request())).await;
    assert!(gone.is_err());
    world.mood(Mood::Up);
    // The one slot is free again.
    assert_eq!(image(&mut client, &current).await.unwrap(), "shop/web:b");
    assert_eq!(server.count("Abandoned"), 4);
    server.end().await;
}

#[tokio::test]
async fn a_reason_arrives_before_the_deadline() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    world.mood(Mood::Silent);
    let second = Duration::from_secs(1);
    let silent = Call { limit: second, ..call("new", Some(&format!("2-{B}"))) };
    refused(&mut client, silent, Code::DeadlineExceeded, "took longer than Argo CD waits").await;
    assert_eq!(server.count("TimedOut"), 1);
    server.end().await;
}

#[tokio::test]
async fn too_much_at_once_is_told_and_not_piled_up() {
    let world = world();
    let server = Server::with(&world, 1).await;
    server.is_ready().await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = call("web", Some(&format!("2-{B}")));
    let mut holder = client.clone();
    {
        let holding = holder.generate_manifest(stalled(&current));
        let crowded = async {
            sleep(Duration::from_millis(100)).await;
            let waiting = Call { limit: Duration::from_secs(1), ..current.clone() };
            refused(&mut client, waiting, Code::ResourceExhausted, "too many renders at once")
                .await;
        };
        tokio::select! {
            held = holding => panic!("{held:?}"),
            () = crowded => {}
        }
    }
    assert_eq!(image(&mut client, &current).await.unwrap(), "shop/web:b");
    server.end().await;
}

#[tokio::test]
async fn nobody_elses_repository_is_looked_at() {
    let world = world();
    world.mood(Mood::Down);
    let server = Server::start(&world).await;
    let mut client = dial(&server.socket).await.unwrap();
    let check = client.check_plugin_configuration(()).await.unwrap().into_inner();
    assert!(!check.is_discovery_configured && !check.provide_git_creds);

    let any = Call::of(b"not even an archive".repeat(1000));
    let matched = client.match_repository(any.request()).await.unwrap().into_inner();
    assert!(!matched.is_supported && !matched.is_discovery_enabled);
    assert!(any.taken.load(Ordering::SeqCst));

    let any = Call::of(b"nor here".repeat(1000));
    let announced = client.get_parameters_announcement(any.request()).await.unwrap().into_inner();
    let announced: Vec<_> = announced
        .parameter_announcements
        .iter()
        .map(|a| (a.name.as_str(), a.collection_type.as_str()))
        .collect();
    let expected = Options::PARAMETERS.map(|p| {
        let collection = match p.form {
            Form::Text | Form::Flag => "string",
            Form::List => "array",
            Form::Map => "map",
        };
        (p.name, collection)
    });
    assert_eq!(announced, expected);
    assert!(any.taken.load(Ordering::SeqCst));
    server.end().await;
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let deadline = Deadline::of(&tonic::metadata::MetadataMap::new(), Instant::now());
    let result: Result<(), _> = answer(deadline, async { panic!("oh") }).await;
    let refusal = result.unwrap_err();
    assert_eq!(refusal.code(), Code::Internal);
    assert!(refusal.to_string().contains("a bug in Wharfinger"));
}

#[tokio::test]
async fn many_call_at_once() {
    let world = world();
    let (server, client) = Server::ready(&world).await;
    let calls = (0..40).map(|n| {
        let mut client = client.clone();
        async move {
            let claim = if n % 4 == 0 { format!("9-{B}") } else { format!("2-{B}") };
            let result = image(&mut client, &call("web", Some(&claim))).await;
            assert_eq!(result.is_err(), n % 4 == 0);
        }
    });
    futures::future::join_all(calls).await;
    server.end().await;
}
