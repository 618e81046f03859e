//! Flags of `kustomize build`, as Argo CD takes them from `kustomize.buildOptions`. Few of them are safe here: a sidecar
//! renders what many people write.

use crate::RenderError;

/// The flags that are taken, from a text like that in `argocd-cm`.
pub(super) fn parse(text: &str) -> Result<Vec<String>, RenderError> {
    let mut words = text.split_whitespace();
    let mut taken = Vec::new();
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        let mut value = || value.or_else(|| words.next()).unwrap_or_default();
        match flag {
            "--reorder" => match value() {
                order @ ("none" | "legacy") => taken.push(format!("--reorder={order}")),
                _ => return Err(refused("--reorder", "it is none or legacy")),
            },
            "--load-restrictor" if value() == "LoadRestrictionsRootOnly" => {}
            "--load-restrictor" => {
                return Err(refused(
                    flag,
                    "files above the kustomization's folder would be read, those of the sidecar as well; make the folder that holds them a base, or a component",
                ));
            }
            "--enable-helm" | "--helm-command" | "--helm-api-versions" | "--helm-kube-version" => {
                return Err(refused(
                    flag,
                    "Kustomize would fetch charts; put the rendered chart into the repository, or take the chart as the source",
                ));
            }
            "--enable-exec"
            | "--enable-alpha-plugins"
            | "--enable-star"
            | "--network"
            | "--network-name"
            | "--mount"
            | "--as-current-user"
            | "--env"
            | "-e" => {
                return Err(refused(
                    flag,
                    "programs of the repository would run in the sidecar; keep their output in the repository",
                ));
            }
            _ => return Err(refused(flag, "of all flags only --reorder is taken")),
        }
    }
    Ok(taken)
}

fn refused(flag: &str, why: &str) -> RenderError {
    RenderError::Input(format!("the plugin's parameter \"buildOptions\": {flag}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_is_taken() {
        let all = "--reorder none  --load-restrictor=LoadRestrictionsRootOnly --reorder=legacy";
        assert_eq!(parse(all).unwrap(), ["--reorder=none", "--reorder=legacy"]);
        for (text, part) in [
            ("--enable-helm", "would fetch charts"),
            ("--helm-command /bin/sh", "would fetch charts"),
            ("--load-restrictor LoadRestrictionsNone", "make the folder that holds them a base"),
            ("--load-restrictor", "make the folder that holds them a base"),
            ("--enable-exec", "would run"),
            ("-e A=B", "would run"),
            ("--reorder random", "none or legacy"),
            ("-o /tmp/x", "only --reorder"),
            ("..", "only --reorder"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("buildOptions"), "{text}: {error}");
        }
    }
}
