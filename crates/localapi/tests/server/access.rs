//! Who may do what, and how one says who one is.

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};
use wharfinger_localapi::{LocalApi, Options, User};

use crate::world::{Ask, options, read, refusal, server, server_with, thing, things};

const ROLES: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer, namespace: a}
rules:
- {apiGroups: [test.io], resources: [things], verbs: [get, list]}
- {apiGroups: [""], resources: [secrets], resourceNames: [one], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer, namespace: a}
roleRef: {kind: Role, name: viewer}
subjects:
- {kind: User, name: bob}
- {kind: ServiceAccount, name: robot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: become}
rules:
- {apiGroups: [""], resources: [users], resourceNames: [bob], verbs: [impersonate]}
- {apiGroups: [""], resources: [groups], resourceNames: [testers], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: become}
roleRef: {kind: ClusterRole, name: become}
subjects:
- {kind: User, name: alice}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: a}
"#;

async fn guarded() -> LocalApi {
    let server = server().await;
    server.apply(ROLES).await.unwrap();
    server
}

#[tokio::test]
async fn a_role_lets_in_and_keeps_out() {
    let server = guarded().await;
    let bob = things(server.client(User::new("bob", [])));
    bob.list(&ListParams::default()).await.unwrap();
    let (code, reason, message) = refusal(bob.create(&PostParams::default(), &thing("x", 1)).await);
    assert_eq!((code, reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        message,
        r#"things.test.io is forbidden: User "bob" cannot create resource "things" in API group "test.io" in the namespace "a""#
    );
    let robot = things(server.client(User::service_account("a", "robot")));
    robot.list(&ListParams::default()).await.unwrap();
    let stranger = things(server.client(User::service_account("b", "robot")));
    assert_eq!(refusal(stranger.list(&ListParams::default()).await).0, 403);
    let secrets: Api<Secret> = Api::namespaced(server.client(User::new("bob", [])), "a");
    assert_eq!(refusal(secrets.get("one").await).0, 404);
    assert_eq!(refusal(secrets.get("two").await).0, 403);
    // With the name as the only one that can match, it is that secret alone.
    secrets.list(&ListParams::default().fields("metadata.name=one")).await.unwrap();
    assert_eq!(refusal(secrets.list(&ListParams::default()).await).0, 403);
}

#[tokio::test]
async fn only_who_may_impersonates() {
    let server = guarded().await;
    let alice = Ask::of(&server, User::new("alice", []));
    let become_ = async |user: &str, group: Option<&str>| {
        let mut headers = vec![("impersonate-user", user)];
        headers.extend(group.map(|group| ("impersonate-group", group)));
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let (status, _, body) = alice.send(Method::POST, path, &headers, &review.to_string()).await;
        (status, body)
    };
    let (status, body) = become_("bob", Some("testers")).await;
    assert_eq!(status, StatusCode::CREATED);
    let expected = json!({"username": "bob", "groups": ["testers", "system:authenticated"]});
    assert_eq!(body["status"]["userInfo"], expected);
    assert_eq!(become_("carol", None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(become_("bob", Some("system:masters")).await.0, StatusCode::FORBIDDEN);
    let headers = [("impersonate-group", "testers")];
    let (status, ..) = alice.send(Method::GET, "/version", &headers, "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn reviews_answer_as_requests_are_answered() {
    let server = guarded().await;
    let ask = Ask::of(&server, User::admin());
    let review = async |kind: &str, spec: Value| {
        let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_lowercase());
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        ask.post(&path, &body).await.1["status"].clone()
    };
    let things = |verb: &str| json!({"namespace": "a", "group": "test.io", "resource": "things", "verb": verb});
    let bob = |verb: &str| json!({"user": "bob", "resourceAttributes": things(verb)});
    assert_eq!(review("SubjectAccessReview", bob("list")).await["allowed"], true);
    assert_eq!(review("SubjectAccessReview", bob("delete")).await["allowed"], false);
    let own = json!({"resourceAttributes": things("delete")});
    assert_eq!(review("SelfSubjectAccessReview", own).await["allowed"], true);
    let path = json!({"user": "bob", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/version", "verb": "get"}});
    assert_eq!(review("SubjectAccessReview", path).await["allowed"], true);
    let rules = review("SelfSubjectRulesReview", json!({"namespace": "a"})).await;
    assert_eq!(rules["resourceRules"][0]["verbs"], json!(["*"]));
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let (status, _) = ask.post(path, &json!({"spec": {}})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = ask.get(path).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_of_a_service_account_is_good_while_the_account_is() {
    let server = guarded().await;
    let accounts: Api<ServiceAccount> = Api::namespaced(server.client(User::admin()), "a");
    let request = read(json!({"spec": {"audiences": []}, "metadata": {}}));
    let answer = accounts.create_token_request("robot", &PostParams::default(), &request).await;
    let token = answer.unwrap().status.unwrap().token;
    let ask = Ask::of(&server, User::admin());
    let review = async |token: &str| {
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
        ask.post(path, &body).await.1["status"].clone()
    };
    let good = review(&token).await;
    assert_eq!(
        (&good["authenticated"], &good["user"]["username"]),
        (&json!(true), &json!("system:serviceaccount:a:robot"))
    );
    let mut forged = token.clone();
    forged.pop();
    assert_eq!(review(&forged).await["authenticated"], false);
    // The same name, but another account.
    accounts.delete("robot", &Default::default()).await.unwrap();
    let robot = read(json!({"metadata": {"name": "robot"}}));
    accounts.create(&PostParams::default(), &robot).await.unwrap();
    assert_eq!(review(&token).await["authenticated"], false);
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let now = std::sync::Arc::new(std::sync::Mutex::new(jiff::Timestamp::UNIX_EPOCH));
    let clock = now.clone();
    let server = server_with(Options {
        clock: std::sync::Arc::new(move || *clock.lock().unwrap()),
        ..options()
    })
    .await;
    server.apply(ROLES).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(server.client(User::admin()), "a");
    let request =
        read(json!({"spec": {"audiences": [], "expirationSeconds": 600}, "metadata": {}}));
    let answer = accounts.create_token_request("robot", &PostParams::default(), &request).await;
    let token = answer.unwrap().status.unwrap().token;
    let ask = Ask::of(&server, User::admin());
    for (second, good) in [(599, true), (600, false)] {
        *now.lock().unwrap() = jiff::Timestamp::from_second(second).unwrap();
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let (_, body) = ask.post(path, &json!({"spec": {"token": token}})).await;
        assert_eq!(body["status"]["authenticated"], good, "after {second} s");
    }
}
