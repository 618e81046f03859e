//! What uploads take, and who waits for whom.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::*;
use crate::proto::File;
use crate::proto::app_stream_request::Request as Message;

fn current(call: Call) -> Call {
    Call { env: self::call("web", Some(&format!("2-{B}"))).env, ..call }
}

#[tokio::test]
async fn what_is_known_must_be_what_comes() {
    let (server, mut client) = Server::ready(&world()).await;
    let known = call("web", Some(&format!("2-{B}")));
    assert_eq!(image(&mut client, &known).await.unwrap(), "shop/web:b");

    let mut archive = known.archive.clone();
    archive[known.archive.len() / 2] ^= 1;
    let other = Call { archive, ..known.clone() };
    refused(&mut client, other, Code::InvalidArgument, "does not have the checksum").await;
    let mut archive = known.archive.clone();
    archive.push(0);
    let more = Call { archive: archive.clone(), ..known.clone() };
    refused(&mut client, more, Code::InvalidArgument, "larger than what was announced").await;
    // Nor is it taken where it is not known.
    let more = current(Call { size: known.size, ..Call::of(archive) });
    refused(&mut client, more, Code::InvalidArgument, "larger than what was announced").await;
    let part = Call { archive: known.archive[..known.archive.len() - 1].into(), ..known.clone() };
    let error = image(&mut client, &part).await.unwrap_err();
    assert!(error.message().contains("ended before all that was announced"), "{error}");

    // Digits may be of either case, but whatever else is no checksum is known to nobody.
    let upper = Call { checksum: known.checksum.to_uppercase(), ..known.clone() };
    assert_eq!(image(&mut client, &upper).await.unwrap(), "shop/web:b");
    for checksum in [String::new(), "x".repeat(64), known.checksum[2..].into()] {
        let none = Call { checksum, ..known.clone() };
        refused(&mut client, none, Code::InvalidArgument, "does not have the checksum").await;
    }
    server.end().await;
}

/// A call that announces much, of which it sends more than waits anywhere unread, and then nothing. It tells when.
fn held() -> (tonic::Request<impl stream::Stream<Item = AppStreamRequest>>, oneshot::Receiver<()>) {
    let call = current(Call { size: 8 << 20, ..Call::of(Vec::new()) });
    let chunk = || Message::File(File { chunk: Bytes::from_static(&[7; 64 << 10]) });
    let chunks = (0..64).map(move |_| AppStreamRequest { request: Some(chunk()) });
    let (tell, told) = oneshot::channel();
    let stalled = stream::once(async move {
        tell.send(()).ok();
        std::future::pending().await
    });
    (Request::new(stream::iter(call.messages()).chain(stream::iter(chunks)).chain(stalled)), told)
}

#[tokio::test]
async fn large_uploads_wait_for_each_other_and_nothing_else_waits_for_them() {
    let settings = Settings {
        argocd_namespace: "argocd".into(),
        max_upload: 16 << 20,
        limits: Limits { files: 1000, bytes: 1 << 20 },
        small: Small { sent: 10_000, unpacked: Limits { files: 10, bytes: 20_000 } },
        concurrency: 3,
    };
    let server = Server::of(&world(), settings, Tools::default()).await;
    server.is_ready().await;
    let dialled = async || dial(&server.socket).await.unwrap();
    let (mut a, mut b, mut client) = (dialled().await, dialled().await, dialled().await);
    let with = |rest: &[u8]| {
        current(Call::new(&[("app/pod.yaml", POD.as_bytes()), ("rest", rest)]).unwrap())
    };
    let (small, known, large) = (with(&[]), with(&[1; 20_000]), with(&[2; 20_000]));
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let archive = with(&[3; 30_000]).archive;
        std::io::copy(&mut flate2::read::GzDecoder::new(&archive[..]), &mut gzip).unwrap();
        current(Call::of(gzip.finish().unwrap()))
    };
    assert!(bomb.size < 10_000);
    assert_eq!(image(&mut client, &known).await.unwrap(), "shop/web:b");

    let ((one, one_held), (two, two_held)) = (held(), held());
    let holding = async { tokio::join!(a.generate_manifest(one), b.generate_manifest(two)) };
    let others = async {
        one_held.await.unwrap();
        two_held.await.unwrap();
        for waits in [&large, &bomb] {
            let waits = Call { limit: Duration::from_secs(2), ..waits.clone() };
            let busy = "too many renders at once";
            refused(&mut client, waits, Code::ResourceExhausted, busy).await;
        }
        for passes in [&small, &known] {
            assert_eq!(image(&mut client, passes).await.unwrap(), "shop/web:b");
        }
    };
    tokio::select! {
        held = holding => panic!("{held:?}"),
        () = others => {}
    }
    for waited in [&large, &bomb] {
        assert_eq!(image(&mut client, waited).await.unwrap(), "shop/web:b");
    }
    server.end().await;
}

#[tokio::test]
async fn a_bad_upload_is_refused_and_the_process_goes_on() {
    let world = world();
    let (server, mut client) = Server::ready(&world).await;
    let invalid = Code::InvalidArgument;
    let files = |files: &[(&str, &str)]| current(Call::new(files).unwrap());

    refused(
        &mut client,
        current(Call { checksum: "0".repeat(64), ..Call::new(&[("app/a.yaml", POD)]).unwrap() }),
        invalid,
        "checksum",
    )
    .await;
    refused(
        &mut client,
        current(Call::of(b"not gzip".repeat(500))),
        invalid,
        "not a gzipped tar archive",
    )
    .await;
    let good = Call::new(&[("app/pod.yaml", POD)]).unwrap();
    refused(
        &mut client,
        current(Call::of(good.archive[..good.archive.len() - 20].into())),
        invalid,
        "not a gzipped tar archive",
    )
    .await;
    refused(
        &mut client,
        current(Call { size: 200_001, ..good.clone() }),
        invalid,
        "larger than 200000 bytes",
    )
    .await;
    let large = Call { size: 10, ..files(&[("app/a.yaml", &"x".repeat(300_000))]) };
    refused(&mut client, large, invalid, "larger than 200000 bytes").await;
    refused(&mut client, files(&[("app/README.md", "nothing")]), invalid, "rendered no objects")
        .await;
    refused(&mut client, files(&[]), invalid, "no folder \"app\"").await;
    refused(
        &mut client,
        files(&[("app/a.yaml", "apiVersion: v1\nkind: X\n---\nkind: Y\n")]),
        invalid,
        "a.yaml, document 2",
    )
    .await;
    refused(
        &mut client,
        Call { path: "../app".into(), ..current(good.clone()) },
        invalid,
        "leaves the repository",
    )
    .await;
    let parameters = current(good.clone())
        .env("ARGOCD_APP_PARAMETERS", r#"[{"name":"kustomizeOptions","string":"x"}]"#);
    refused(&mut client, parameters, invalid, "no parameter \"kustomizeOptions\"").await;

    for (kind, name, target, part) in [
        (tar::EntryType::Regular, "app/../../evil", "", "is not the name of a file below the root"),
        (tar::EntryType::Symlink, "app/link.yaml", "../../../etc/passwd", "leaves the root"),
        (tar::EntryType::Symlink, "app/link.yaml", "/etc/passwd", "leaves the root"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, std::io::empty()).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar.into_inner().unwrap()).unwrap();
        refused(&mut client, current(Call::of(gzip.finish().unwrap())), invalid, part).await;
    }
    assert_eq!(server.count("Rendered"), 0);
    assert_eq!(image(&mut client, &current(good)).await.unwrap(), "shop/web:b");
    server.end().await;
}
