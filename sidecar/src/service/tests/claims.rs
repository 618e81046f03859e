//! Which claims are rendered, and with what; the others with their reasons.

use super::*;

#[tokio::test]
async fn an_application_is_rendered_with_what_its_stage_holds() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let current = format!("2-{B}");
    assert_eq!(image(&mut client, &call("web", Some(&current))).await.unwrap(), "shop/web:b");
    assert_eq!(
        image(&mut client, &call("argocd_web", Some(&current))).await.unwrap(),
        "shop/web:b"
    );
    assert_eq!(world.calls(), [""; 0], "the watches know it all");
    assert_eq!(server.count("Rendered"), 2);

    // The next assignment is claimed before the watch has heard of it.
    world.put_quietly(stage("dev", Some(3), &[C, B, A]));
    assert_eq!(
        image(&mut client, &call("web", Some(&format!("3-{C}")))).await.unwrap(),
        "shop/web:c"
    );
    assert_eq!(world.calls(), ["stages/dev"]);
    server.end().await;
}

#[tokio::test]
async fn a_claim_that_does_not_hold_is_refused_with_its_reason() {
    let world = world();
    world.put(app("loose", None));
    world.put(app("many", Some("shop:dev,shop:prod")));
    world.put(app("ahead", Some("shop:nowhere")));
    world.put(app("new", Some("shop:new")));
    world.put(app("moved", Some("shop:prod")));
    world.put(stage("new", None, &[]));
    world.put(stage("prod", Some(1), &[B]));
    let (server, mut client) = Server::ready(&world).await;
    let precondition = Code::FailedPrecondition;
    let current = format!("2-{B}");

    refused(&mut client, call("web", None), precondition, "carries no claim").await;
    refused(
        &mut client,
        call("web", Some(&format!("9-{B}"))),
        precondition,
        "never made the assignment 9-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("2-{C}"))),
        precondition,
        "never made the assignment 2-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{A}"))),
        precondition,
        "no longer holds the assignment 1-",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{C}"))),
        precondition,
        "nor is it in its history",
    )
    .await;
    refused(&mut client, call("web", Some("latest")), precondition, "can't be read").await;
    refused(
        &mut client,
        call("loose", Some(&current)),
        precondition,
        "no annotation kargo.akuity.io/authorized-stage",
    )
    .await;
    refused(&mut client, call("many", Some(&current)), precondition, "names 2 Stages").await;
    refused(&mut client, call("moved", Some(&current)), precondition, "belongs to Stage shop:prod")
        .await;
    refused(
        &mut client,
        call("gone", Some(&current)),
        Code::NotFound,
        "no Application gone in the namespace argocd",
    )
    .await;
    refused(
        &mut client,
        call("team_web", Some(&current)),
        Code::NotFound,
        "no Application web in the namespace team",
    )
    .await;
    refused(
        &mut client,
        call("", Some(&current)),
        Code::InvalidArgument,
        "not the name of an Application",
    )
    .await;
    let at = |stage: &str, app: &str| {
        let mut call = call(app, None);
        call.env.push(("ARGOCD_ENV_WHARFINGER_STAGE".into(), stage.into()));
        call.env.push(("ARGOCD_ENV_WHARFINGER_FREIGHT".into(), format!("1-{A}")));
        call
    };
    refused(
        &mut client,
        at("shop:nowhere", "ahead"),
        precondition,
        "there is no Stage nowhere in Project shop",
    )
    .await;
    refused(&mut client, at("shop:new", "new"), precondition, "holds no Freight yet").await;
    // More than fits into windows and buffers: it is read all the same.
    let large = Call { env: call("web", None).env, ..Call::of(vec![7; 6 << 20]) };
    refused(&mut client, large, precondition, "carries no claim").await;
    assert_eq!(server.count("Rendered"), 0);
    assert_eq!(image(&mut client, &call("web", Some(&current))).await.unwrap(), "shop/web:b");
    server.end().await;
}

#[tokio::test]
async fn every_no_is_looked_at_live_first() {
    let world = world();
    world.put(app("late", None));
    let (server, mut client) = Server::ready(&world).await;
    let current = format!("2-{B}");
    // Annotated, moved and created a moment ago: the watch has not heard of it.
    world.put_quietly(app("late", Some("shop:dev")));
    assert_eq!(image(&mut client, &call("late", Some(&current))).await.unwrap(), "shop/web:b");
    world.put_quietly(app("fresh", Some("shop:dev")));
    assert_eq!(image(&mut client, &call("fresh", Some(&current))).await.unwrap(), "shop/web:b");
    world.put_quietly(app("web", Some("shop:prod")));
    world.put_quietly(stage("prod", Some(1), &[A]));
    let mut moved = call("web", None);
    moved.env.push(("ARGOCD_ENV_WHARFINGER_STAGE".into(), "shop:prod".into()));
    moved.env.push(("ARGOCD_ENV_WHARFINGER_FREIGHT".into(), format!("1-{A}")));
    assert_eq!(image(&mut client, &moved).await.unwrap(), "shop/web:a");
    server.end().await;
}

#[tokio::test]
async fn what_began_with_an_older_assignment_may_end() {
    let world = world();
    let source = json!({
        "repoURL": "https://git.example.com/app", "path": "app",
        "plugin": {"name": "wharfinger", "env": [
            {"name": "WHARFINGER_STAGE", "value": "shop:dev"}, {"name": "WHARFINGER_FREIGHT", "value": format!("1-{A}")},
        ]},
    });
    let (server, mut client) = Server::ready(&world).await;
    let older = || call("web", Some(&format!("1-{A}")));

    let mut running = app("web", Some("shop:dev"));
    running["status"]["operationState"] = json!({
        "phase": "Running", "startedAt": "2026-01-02T03:04:00Z", "operation": {"sync": {"source": source}},
    });
    world.put_quietly(running.clone());
    assert_eq!(image(&mut client, &older()).await.unwrap(), "shop/web:a");
    running["status"]["operationState"]["phase"] = json!("Succeeded");
    world.put_quietly(running);
    refused(&mut client, older(), Code::FailedPrecondition, "no longer holds").await;

    // Between commit and patch.
    let mut moving = app("web", Some("shop:dev"));
    moving["spec"]["source"] = source;
    world.put_quietly(moving);
    refused(&mut client, older(), Code::FailedPrecondition, "no longer holds").await;
    world.put_quietly(promotion("Running"));
    assert_eq!(image(&mut client, &older()).await.unwrap(), "shop/web:a");
    server.end().await;
}

#[tokio::test]
async fn freight_that_carries_a_commit_pins_the_revision() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let at = |revision: &str| {
        let call = call("web", Some(&format!("2-{B}")));
        call.env("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/config.git")
            .env("ARGOCD_APP_REVISION", revision)
    };
    assert_eq!(image(&mut client, &at("commit-b")).await.unwrap(), "shop/web:b");
    refused(&mut client, at("commit-a"), Code::FailedPrecondition, "carries commit commit-b").await;
    server.end().await;
}

#[tokio::test]
async fn without_the_kubernetes_api_it_waits_and_says_so() {
    let world = world();
    world.mood(Mood::Down);
    let server = Server::start(&world).await;
    let mut client = dial(&server.socket).await.unwrap();
    let current = || call("web", Some(&format!("2-{B}")));
    let part = "can't reach the Kubernetes API to read the Application";
    refused(&mut client, current(), Code::Unavailable, part).await;
    refused(
        &mut client,
        current(),
        Code::Unavailable,
        "Nothing was changed; Argo CD tries again [unavailable]",
    )
    .await;
    assert_eq!(server.readiness.missing(), ["applications", "stages"]);

    world.mood(Mood::Up);
    server.is_ready().await;
    assert_eq!(image(&mut client, &current()).await.unwrap(), "shop/web:b");

    // What the watches know goes on being served; what they don't is not guessed.
    world.mood(Mood::Down);
    assert_eq!(image(&mut client, &current()).await.unwrap(), "shop/web:b");
    refused(
        &mut client,
        call("web", Some(&format!("3-{C}"))),
        Code::Unavailable,
        "to read the Stage",
    )
    .await;
    refused(
        &mut client,
        call("web", Some(&format!("1-{A}"))),
        Code::Unavailable,
        "to read the Stage",
    )
    .await;
    refused(
        &mut client,
        call("new", Some(&format!("2-{B}"))),
        Code::Unavailable,
        "to read the Application",
    )
    .await;
    server.end().await;
}
