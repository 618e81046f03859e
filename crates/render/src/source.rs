//! What an Application's folder is: chosen as Argo CD chooses.

use wharfinger_core::paths::{self, MANIFEST_GENERATE_PATHS};

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
                "there is no folder {folder:?} among the files of the source"
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

/// Where a source is in its repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The Application's folder, from the root of the files.
    pub folder: &'a str,
    /// The folder of the repository that is that root: not all of it need have been handed over.
    pub above: &'a str,
}

impl Place<'_> {
    /// Where an entry leads that is told from the Application's folder or, with a slash before it, from the repository's
    /// root; nothing where that was not handed over.
    pub(crate) fn locate(self, entry: &str) -> Option<String> {
        self.handed_over(&self.in_repository(self.folder, entry)?)
    }

    /// The same of a path from the repository's root.
    fn handed_over(self, path: &str) -> Option<String> {
        match self.above {
            "" => Some(path.to_owned()),
            above => path.strip_prefix(above)?.strip_prefix('/').map(str::to_owned),
        }
    }

    /// Something is not there that `name` names as `entry`, looking from a folder of the files. `read` is what is read
    /// besides, from the repository's root.
    pub(crate) fn missing(
        self,
        files: &Files,
        name: &str,
        entry: &str,
        from: &str,
        mut read: Vec<String>,
    ) -> RenderError {
        let path = self.in_repository(from, entry);
        let here = path.as_deref().and_then(|path| self.handed_over(path));
        if let Some(beyond) = here.and_then(|here| self.beyond(files, &here)) {
            return beyond;
        }
        let text = match path {
            None => format!("{name} names {entry:?}, which lies outside of the repository"),
            Some(_) if self.above.is_empty() => {
                format!("{name} names {entry:?}, which is not there")
            }
            Some(path) => {
                read.extend([self.within(from), path]);
                let more = self.hand_over(&read);
                format!("{name} names {entry:?}, which {more}")
            }
        };
        RenderError::Input(text)
    }

    /// Refuses what is read and is a link to what was not handed over.
    pub(crate) fn hold_all<'n>(
        self,
        files: &Files,
        mut read: impl Iterator<Item = &'n str>,
    ) -> Result<(), RenderError> {
        read.find_map(|name| self.beyond(files, name)).map_or(Ok(()), Err)
    }

    fn beyond(self, files: &Files, name: &str) -> Option<RenderError> {
        let to = files.leads_out(name)?;
        let text = format!("{} is a link to /{to}, which ", self.within(name));
        Some(RenderError::Input(text + &self.hand_over(&[self.within(name), to])))
    }

    fn hand_over(self, read: &[String]) -> String {
        let folder = self.within(self.folder);
        let wanted = paths::value(&folder, &paths::told(&folder, read));
        format!(
            "is not among the files that Argo CD handed over: they are those of the folder {}. If it is in the repository, set the annotation {MANIFEST_GENERATE_PATHS} to {wanted:?}, and add whatever else is read",
            self.above
        )
    }

    /// A path of the files, from the repository's root.
    pub(crate) fn within(self, folder: &str) -> String {
        [self.above, folder]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether an entry of the Application's folder leads to a place of the repository, handed over or not.
    pub(crate) fn is_in_repository(self, entry: &str) -> bool {
        self.in_repository(self.folder, entry).is_some()
    }

    /// Where that is, from the repository's root.
    pub(crate) fn in_repository(self, from: &str, entry: &str) -> Option<String> {
        let from = if entry.starts_with('/') { String::new() } else { self.within(from) };
        files::join(&from, entry)
    }
}

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
