//! What an Application's folder is: chosen as Argo CD chooses.

use crate::{Files, Options, RenderError, files};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kustomize,
    Helm,
    /// A folder of YAML and JSON files.
    Plain,
}

pub(crate) const KUSTOMIZATIONS: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

impl Kind {
    /// What `folder` is. With both, Kustomize wins: Argo CD walks the folder by name, and the last one counts.
    pub fn of(files: &Files, folder: &str) -> Result<Self, RenderError> {
        let has =
            |name: &str| files::join(folder, name).is_some_and(|path| files.get(&path).is_some());
        if KUSTOMIZATIONS.into_iter().any(has) {
            Ok(Self::Kustomize)
        } else if has("Chart.yaml") {
            Ok(Self::Helm)
        } else if files.has_folder(folder) {
            Ok(Self::Plain)
        } else {
            Err(RenderError::input(format!(
                "there is no folder {folder:?} among the files of the source. {UPLOADED}"
            )))
        }
    }

    /// What `folder` is taken for. One that is a kustomization as well as a chart is what the options speak of.
    pub fn chosen(files: &Files, folder: &str, options: &Options) -> Result<Self, RenderError> {
        let found = Self::of(files, folder)?;
        let chart =
            files::join(folder, "Chart.yaml").is_some_and(|path| files.get(&path).is_some());
        match options.check(found) {
            Err(_) if chart && options.check(Self::Helm).is_ok() => Ok(Self::Helm),
            checked => checked.map(|()| found),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Kustomize => "a Kustomize folder",
            Self::Helm => "a Helm chart",
            Self::Plain => "a folder of plain files",
        }
    }
}

/// What to do about a file that is in the repository and yet not here.
pub(crate) const UPLOADED: &str = "Where the annotation argocd.argoproj.io/manifest-generate-paths is set, Argo CD hands over only what it covers: it must cover every file that is read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_what_argo_cd_takes_it_for() {
        let check = |names: &[&str], expected| {
            let files: Files = names.iter().map(|name| (*name, "")).collect();
            assert_eq!(Kind::of(&files, "app").ok(), expected, "{names:?}");
        };
        check(&["app/kustomization.yaml"], Some(Kind::Kustomize));
        check(&["app/kustomization.yml", "app/Chart.yaml"], Some(Kind::Kustomize));
        check(&["app/Kustomization"], Some(Kind::Kustomize));
        check(&["app/Chart.yaml"], Some(Kind::Helm));
        check(&["app/chart.yaml", "app/Kustomization.yaml"], Some(Kind::Plain));
        check(&["app/sub/kustomization.yaml"], Some(Kind::Plain));
        check(&["kustomization.yaml"], None);
        check(&["app2/x.yaml"], None);
    }
}
