use super::*;

#[test]
fn git_repositories_are_compared_without_case_user_and_suffix() {
    for (url, expected) in [
        ("https://github.com/akuity/kargo", "https://github.com/akuity/kargo"),
        ("HTTPS://me:secret@GitHub.com/Akuity/Kargo.git/", "https://github.com/akuity/kargo"),
        ("https://github.com/akuity/kargo/.git", "https://github.com/akuity/kargo/"),
        ("ssh://git@github.com:22/akuity/kargo.git", "ssh://git@github.com:22/akuity/kargo"),
        ("git@github.com:akuity/kargo.git", "ssh://git@github.com/akuity/kargo"),
        ("git@github.com:", "ssh://git@github.com"),
        ("https://github.com/a%2Fb.git", "https://github.com/a/b"),
        ("https://github.com/a%2Fb", "https://github.com/a%2fb"),
        ("https://[fe80::1%25en%200]/x", "https://[fe80::1%25en%200]/x"),
        ("ssh://us%40er:p%2fw@host/x", "ssh://us%40er:p%2Fw@host/x"),
        ("host:a%3ab.git", "ssh://host/./a:b"),
        ("host:*.git", "ssh://host/*"),
        ("host:a:/b", "ssh://host/a:/b"),
    ] {
        assert_eq!(normalise_git(url), expected, "{url:?}");
    }
}

#[test]
fn a_git_url_that_is_not_understood_comes_back_as_given() {
    for url in [
        " Https://github.com/x?a=b ",
        " Https://github.com/%zz ",
        " Https://github.com:80:80/x ",
        " Https://github.com:http/x ",
        " Https://git hub.com/x ",
        " Https://a%41.com/x ",
        " Https://[::1/x ",
        " Https://[1.2.3.4]/x ",
        " Https://[::1%25]/x ",
        " Https://x[::1]/x ",
        " Https://us er@github.com/x ",
        " Https://github.com/x#%z ",
        " Git@github.com/akuity/kargo ",
        " A@b@c:d ",
        " Host:%zz ",
    ] {
        assert_eq!(normalise_git(url), url);
    }
}

#[test]
fn the_name_of_an_image_is_no_url_and_has_no_password() {
    for (text, expected) in [
        ("nginx", true),
        ("shop/web", true),
        ("ghcr.io/shop/web", true),
        ("localhost:5000/web", true),
        ("https://ghcr.io/shop/web", false),
        ("ana@ghcr.io/x", false),
        ("ana:hunter2@ghcr.io/x", false),
        ("ana:hunter/2", false),
        ("two words", false),
        ("", false),
    ] {
        assert_eq!(is_image(text), expected, "{text:?}");
    }
}

#[test]
fn images_are_compared_without_tag_digest_and_docker_hub() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (url, expected) in [
        ("nginx", "nginx"),
        ("docker.io/library/nginx:1.25", "nginx"),
        ("Index.Docker.io/Library/Nginx", "nginx"),
        ("registry-1.docker.io/bitnami/nginx", "bitnami/nginx"),
        ("docker.io:443/nginx", "docker.io:443/nginx"),
        (&format!("ghcr.io/akuity/kargo:v1@{digest}"), "ghcr.io/akuity/kargo"),
        ("localhost:5000/x", "localhost:5000/x"),
        ("localhost:5000", "localhost"),
    ] {
        assert_eq!(normalise_image(url), expected, "{url:?}");
    }
    let no_hash = format!(" Nginx@sha256:{}", "s".repeat(64));
    for url in [
        &*no_hash,
        " A",
        " Localhost/a",
        " Nginx:",
        " Nginx@sha256:0",
        " GHCR.io/é",
        " a%41.io/X",
        " me@x.io/X",
    ] {
        assert_eq!(normalise_image(url), url);
    }
}

#[test]
fn charts_are_compared_without_oci() {
    for (url, expected) in [
        (" OCI://GHCR.io/Akuity/Charts ", "ghcr.io/akuity/charts"),
        ("oci://docker.io/library/nginx", "nginx"),
        ("https://Charts.Example.com/X/", "https://charts.example.com/x/"),
        ("https://h:8080", "https://h"),
        ("oci://GHCR.io/é ", "ghcr.io/é"),
        ("oci:// GHCR.io/x ", "oci:// GHCR.io/x "),
        ("https://X/%ZZ", "https://X/%ZZ"),
        ("HTTPS://h:1:2/x", "HTTPS://h:1:2/x"),
        ("https://userİ@x.y", "https://userİ@x.y"),
    ] {
        assert_eq!(normalise_chart(url), expected, "{url:?}");
    }
}

#[test]
fn lower_case_is_per_character() {
    assert_eq!(normalise_chart("https://x.y/ΣΑΣ"), "https://x.y/σασ");
    assert_eq!(normalise_chart("https://x.y/İ"), "https://x.y/i");
}

/// Every text of up to three pieces that mean something somewhere in a URL, and a few long ones.
#[test]
fn any_text_is_answered() {
    let pieces = [
        "", "https://", "ssh://", "A.b", "/", ":", "@", "?", "#", "[", "]", "::1", "%", "%25",
        "%2f", "%ff", "*", ".git", "\0", "\u{feff}", "İ", "😀", " ",
    ];
    let mut texts = vec![String::new()];
    for _ in 0..3 {
        let longer = |text: &String| pieces.map(|piece| format!("{text}{piece}"));
        texts = texts.iter().flat_map(longer).collect();
    }
    texts.extend(pieces.map(|piece| format!("https://{}", piece.repeat(10_000))));
    texts.extend(pieces.map(|piece| piece.repeat(10_000)));
    for text in texts {
        let cleaned = sanitise(&text);
        assert_eq!(sanitise(&cleaned), cleaned, "{text:?}");
        for normalise in [normalise_git, normalise_image, normalise_chart] {
            let once = normalise(&text);
            assert!(once == text || once.chars().all(printable::is_printable), "{text:?}");
        }
    }
}

#[test]
fn a_url_is_shown_without_what_may_be_secret() {
    for (url, expected) in [
        ("https://git.example/shop/web.git", "https://git.example/shop/web.git"),
        ("https://user:hunter2@git.example:8443/web", "https://git.example:8443/web"),
        ("https://hunter2@git.example", "https://git.example"),
        ("https://a:hunter2@b:hunter2@git.example/x", "https://git.example/x"),
        ("https://git.example/web?access_token=hunter2&ref=v1#hunter2", "https://git.example/web"),
        ("https://git.example?t=hunter2", "https://git.example"),
        ("https://git.example?t=hunter2@x", "https://…"),
        ("https://user:hun/ter2@git.example/web", "https://…"),
        ("https://user:hun?ter2@git.example/web", "https://…"),
        ("https://user:12/34@git.example/web", "https://…"),
        ("ssh://git:hunter2@[fe80::1]:22/web", "ssh://[fe80::1]:22/web"),
        ("ssh://git@[fe80::1]/web", "ssh://[fe80::1]/web"),
        ("git::https://user:hunter2@git.example/base?ref=v1", "git::https://git.example/base"),
        ("git@git.example:shop/web.git", "git.example:shop/web.git"),
        ("git.example/shop/base?ref=v1", "git.example/shop/base"),
        ("file://../lib", "file://../lib"),
        ("reg.example/charts", "reg.example/charts"),
        ("@alias", "@alias"),
        ("", ""),
    ] {
        assert_eq!(shown(url), expected, "{url}");
    }
}
