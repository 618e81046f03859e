//! Whether Argo CD sends what a render needs, and not much more: as the sidecars saw it at their last renders.

use wharfinger_core::check::{Check, Code};
use wharfinger_core::usage::Place;

use super::passed;
use super::renders::{Render, Renders};

pub(super) fn judge(renders: &Renders) -> Vec<Check> {
    let about = |(place, render): (&Place, &Render)| {
        let Place { namespace, application, path, .. } = place;
        let of = format!("{namespace}/{application}, {path}");
        let about =
            |check: &Check| Check { text: format!("{of}: {}", check.text), ..check.clone() };
        render.checks.iter().map(about).collect::<Vec<_>>()
    };
    let wrong: Vec<Check> = renders.iter().flat_map(about).collect();
    match (renders.len(), wrong.is_empty()) {
        (0, _) => vec![],
        (sources, true) => vec![passed(
            Code::UploadLarge,
            format!(
                "{sources} sources were rendered, and what was sent for them is what is needed"
            ),
        )],
        _ => wrong,
    }
}

#[cfg(test)]
mod tests {
    use wharfinger_core::check::State;

    use super::super::warning;
    use super::*;

    #[test]
    fn what_is_wrong_is_told_of_its_source() {
        let render = |application: &str, checks: Vec<Check>| {
            let place = Place {
                namespace: "argocd".into(),
                application: application.into(),
                repository: "https://git.example/x".into(),
                path: "apps/web".into(),
            };
            let time = "2026-11-21T10:00:00Z".parse().unwrap();
            (place, Render { checks, rendered: None, time })
        };
        assert_eq!(judge(&Renders::new()), []);
        let well = judge(&Renders::from([render("web", vec![])]));
        assert_eq!(well.iter().map(|c| c.state).collect::<Vec<_>>(), [State::Passed]);
        let check = |text: &str| warning(Code::UploadLarge, text).fix("annotate");
        let wrong = render("web", vec![check("too much")]);
        let wrong = judge(&Renders::from([render("db", vec![]), wrong]));
        assert_eq!(wrong, [check("argocd/web, apps/web: too much")]);
    }
}
