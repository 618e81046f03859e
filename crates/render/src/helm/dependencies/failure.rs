//! Why a dependency could not be fetched, by what to do about it.

use super::Published;
use crate::RenderError;

pub(super) const VENDOR: &str = "Run helm dependency build and commit what it puts into charts";

/// What passes by itself. Go's words, and the codes of HTTP.
const PASSING: [&str; 12] = [
    "dial tcp",
    "i/o timeout",
    "connection reset",
    "no such host",
    "TLS handshake timeout",
    "context deadline exceeded",
    "EOF",
    " 429 ",
    " 500 ",
    " 502 ",
    " 503 ",
    " 504 ",
];
const CREDENTIALS: [&str; 6] =
    [" 401 ", " 403 ", "unauthorized", "denied:", "basic credential not found", "no basic auth"];

/// The failure of a run that was to bring these.
pub(super) fn told(published: &[&Published], error: RenderError) -> RenderError {
    let text = match error {
        _ if published.is_empty() => return error,
        RenderError::Tool { text, .. } => text,
        RenderError::Deadline => "no answer in time: i/o timeout".into(),
        error => return error,
    };
    let all: Vec<String> = published.iter().map(ToString::to_string).collect();
    let all = all.join(", ");
    // With room around codes, wherever they stand.
    let spaced = format!("{} ", text.replace([':', '\n'], " "));
    let says = |part: &&str| text.contains(*part) || spaced.contains(*part);
    if text.contains("connect: permission denied") {
        RenderError::Input(format!(
            "can't fetch {all}: it leads to a port that is neither its repository's own nor 443 or 80. {VENDOR}"
        ))
    } else if CREDENTIALS.iter().any(says) {
        RenderError::Input(format!(
            "can't fetch {all} anonymously, and the plugin has no credentials. {VENDOR}. Helm says: {text}"
        ))
    } else if PASSING.iter().any(says) {
        // Only the cause: what stands before it has addresses.
        let cause = text.rsplit(": ").next().unwrap_or(&text);
        RenderError::Unavailable(format!("can't fetch {all}: {cause}"))
    } else {
        RenderError::Tool { tool: "helm", text: format!("can't fetch {all}: {text}") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dependencies;
    use super::*;
    use crate::Files;

    #[test]
    fn a_failure_says_what_to_do() {
        let chart = "dependencies: [{name: db, version: 1.0.0, repository: 'https://x.example'}]";
        let files: Files = [("Chart.yaml", chart)].into_iter().collect();
        let found = Dependencies::of(&files, crate::source::Place { folder: "", above: "" });
        let all: Vec<&Published> = found.published.iter().collect();
        let told = |text: &str| told(&all, RenderError::Tool { tool: "helm", text: text.into() });
        let index =
            "looks like \"https://x.example\" is not a valid chart repository or cannot be reached";
        let passes = |text: &str, cause: &str| {
            let expected = format!("can't fetch db of https://x.example: {cause}");
            assert_eq!(told(text), RenderError::Unavailable(expected));
        };
        passes(
            &format!(
                "{index}: Get \"https://x.example/index.yaml\": dial tcp: lookup x.example on 10.0.0.10:53: no such host"
            ),
            "no such host",
        );
        passes(
            &format!(
                "{index}: Get \"https://x.example/index.yaml\": read tcp 10.0.0.1:4242->10.0.0.2:443: read: connection reset by peer"
            ),
            "connection reset by peer",
        );
        passes(
            &format!(
                "{index}: failed to fetch https://x.example/index.yaml : 503 Service Unavailable"
            ),
            "503 Service Unavailable",
        );
        assert_eq!(
            super::told(&all, RenderError::Deadline),
            RenderError::Unavailable("can't fetch db of https://x.example: i/o timeout".into())
        );

        for words in [
            "failed to fetch https://x.example/index.yaml : 401 Unauthorized",
            "GET \"https://x.example/v2/token\": response status code 403: denied: no",
        ] {
            let error = told(words);
            let RenderError::Input(text) = &error else { panic!("{error:?}") };
            assert!(
                text.contains("db of https://x.example anonymously") && text.contains(words),
                "{text}"
            );
        }
        let port = told(
            "Get \"https://y.example:8443/db-1.0.0.tgz\": dial tcp 10.0.0.2:8443: connect: permission denied",
        );
        assert!(
            matches!(&port, RenderError::Input(text) if text.contains("neither its repository's own")),
            "{port}"
        );
        let lock = "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the dependencies";
        let text = format!("can't fetch db of https://x.example: {lock}");
        assert_eq!(told(lock), RenderError::Tool { tool: "helm", text });
        let internal = RenderError::Internal("x".into());
        assert_eq!(super::told(&all, internal.clone()), internal);
        assert_eq!(super::told(&[], RenderError::Deadline), RenderError::Deadline);
    }
}
