//! Over a socket: tokens, discovery, browsers.

use std::future::IntoFuture as _;

use futures::TryStreamExt as _;
use http::{Method, StatusCode};
use kube::api::{PostParams, WatchParams};
use kube::config::AuthInfo;
use kube::{Client, Config};
use wharfinger_localapi::{LocalApi, Options, User};

use crate::world::{Ask, options, refusal, server_with, thing, things};

/// Runs the story while the server listens.
async fn listening<F: Future<Output = ()>>(server: &LocalApi, story: impl FnOnce(String) -> F) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        ended = axum::serve(listener, server.router()).into_future() => panic!("{ended:?}"),
        () = story(url) => {}
    }
}

fn client(url: &str, token: Option<&str>) -> Client {
    let mut config = Config::new(url.parse().unwrap());
    config.auth_info =
        AuthInfo { token: token.map(|token| token.to_owned().into()), ..AuthInfo::default() };
    Client::try_from(config).unwrap()
}

async fn with_tokens() -> LocalApi {
    server_with(Options {
        tokens: [("let-me-in".to_owned(), User::admin())].into(),
        origins: vec!["http://console.test".into()],
        ..options()
    })
    .await
}

#[tokio::test]
async fn a_token_says_who_asks() {
    let server = with_tokens().await;
    listening(&server, async |url| {
        let admin = things(client(&url, Some("let-me-in")));
        let stream = admin.watch(&WatchParams::default(), &server.version().to_string()).await;
        let mut stream = std::pin::pin!(stream.unwrap());
        admin.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
        assert!(stream.try_next().await.unwrap().is_some());
        let stranger = things(client(&url, Some("let-me-out")));
        assert_eq!(refusal(stranger.get("x").await).0, 401);
        let nobody = things(client(&url, None));
        let (code, _, message) = refusal(nobody.get("x").await);
        assert!(code == 403 && message.contains("system:anonymous"), "{message}");
        let version = client(&url, None).apiserver_version().await.unwrap();
        assert_eq!(version.major, "1");
    })
    .await;
}

#[tokio::test]
async fn what_is_served_can_be_found_out() {
    let server = with_tokens().await;
    listening(&server, async |url| {
        let client = client(&url, Some("let-me-in"));
        let kind = kube::api::GroupVersionKind::gvk("test.io", "v1", "Thing");
        let (resource, _) = kube::discovery::pinned_kind(&client, &kind).await.unwrap();
        assert_eq!(resource.plural, "things");
        let all = kube::Discovery::new(client.clone()).run().await.unwrap();
        assert!(all.has_group("test.io") && all.has_group("rbac.authorization.k8s.io"));
        let ask = Ask { client };
        for path in ["/healthz", "/livez", "/readyz", "/openapi/v3", "/openapi/v3/apis/test.io/v1"]
        {
            assert_eq!(ask.get(path).await.0, StatusCode::OK, "{path}");
        }
        assert_eq!(ask.get("/openapi/v2").await.0, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn pages_of_the_named_origins_may_read() {
    let server = with_tokens().await;
    listening(&server, async |url| {
        let ask = Ask { client: client(&url, None) };
        let origin = async |method: Method, origin: &str| {
            let (status, headers, _) =
                ask.send(method, "/version", &[("origin", origin)], "").await;
            (status, headers.get("access-control-allow-origin").cloned())
        };
        let named = Some("http://console.test".to_owned());
        assert_eq!(
            origin(Method::GET, "http://console.test").await,
            (StatusCode::OK, named.clone())
        );
        assert_eq!(
            origin(Method::OPTIONS, "http://console.test").await,
            (StatusCode::NO_CONTENT, named)
        );
        assert_eq!(origin(Method::GET, "http://other.test").await, (StatusCode::OK, None));
    })
    .await;
}
