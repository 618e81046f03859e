//! What Argo CD asks for, from the environment it gives a plugin. All of it is text that users may write.

use wharfinger_core::claim::{Claimed, Malformed};
use wharfinger_render::files::join;
use wharfinger_render::{Inputs, Options, Target, Variables};

use crate::refusal::Refusal;

#[derive(Clone, Debug)]
pub struct Asked {
    pub app: AppName,
    pub claimed: Result<Claimed, Malformed>,
    pub source: SourceRef,
    pub target: Target,
    pub options: Options,
}

/// An Application by namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppName {
    pub namespace: String,
    pub name: String,
}

/// What the files are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRef {
    pub repo_url: String,
    /// The resolved revision: a commit, or a chart's version.
    pub revision: String,
    /// From the repository's root; a chart has none.
    pub path: String,
}

/// What Argo CD puts before the names of a source's own variables.
const OWN: &str = "ARGOCD_ENV_";

impl Asked {
    /// From pairs of name and value; of equal names, the last counts. `home` is Argo CD's own namespace.
    pub fn from_env(env: &[(String, String)], home: &str) -> Result<Self, Refusal> {
        let get = |wanted: &str| last(env, wanted);
        let app = AppName::asking(env, home)?;
        let own =
            env.iter().filter_map(|(name, value)| Some((name.strip_prefix(OWN)?, value.as_str())));
        let split =
            |list: &str| list.split(',').filter(|v| !v.is_empty()).map(str::to_owned).collect();
        let variables = Variables {
            app_name: get("ARGOCD_APP_NAME").to_owned(),
            namespace: get("ARGOCD_APP_NAMESPACE").to_owned(),
            project: get("ARGOCD_APP_PROJECT_NAME").to_owned(),
            revision: get("ARGOCD_APP_REVISION").to_owned(),
            repo_url: get("ARGOCD_APP_SOURCE_REPO_URL").to_owned(),
            path: get("ARGOCD_APP_SOURCE_PATH").to_owned(),
            target_revision: get("ARGOCD_APP_SOURCE_TARGET_REVISION").to_owned(),
        };
        Ok(Self {
            claimed: Claimed::from_env(own),
            source: SourceRef {
                repo_url: get("ARGOCD_APP_SOURCE_REPO_URL").to_owned(),
                revision: get("ARGOCD_APP_REVISION").to_owned(),
                path: join("", get("ARGOCD_APP_SOURCE_PATH")).unwrap_or_default(),
            },
            target: Target {
                name: app.name.clone(),
                namespace: get("ARGOCD_APP_NAMESPACE").to_owned(),
                kube_version: get("KUBE_VERSION").to_owned(),
                api_versions: split(get("KUBE_API_VERSIONS")),
            },
            options: Options::parse(get("ARGOCD_APP_PARAMETERS"))?.with(&variables),
            app,
        })
    }
}

impl Asked {
    /// What the base is made from, in this folder of the files, besides Freight.
    pub fn inputs(self, folder: String) -> Inputs {
        let above = self.source.above(&folder).to_owned();
        let Self { target, options, source, .. } = self;
        Inputs { folder, above, target, options, repository: source.repo_url, ..Inputs::default() }
    }
}

fn last<'e>(env: &'e [(String, String)], wanted: &str) -> &'e str {
    let found = env.iter().rev().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

impl SourceRef {
    /// The folder of the repository that was handed over, where the Application's is `folder` in it.
    pub fn above(&self, folder: &str) -> &str {
        match self.path.strip_suffix(folder) {
            Some(above) if folder.is_empty() => above,
            Some(above) => above.strip_suffix('/').unwrap_or_default(),
            None => "",
        }
    }
}

impl AppName {
    /// Whose files these are, whatever else is wrong.
    pub(crate) fn asking(env: &[(String, String)], home: &str) -> Result<Self, Refusal> {
        Self::of(last(env, "ARGOCD_APP_NAME"), home)
    }

    /// `<name>` in Argo CD's own namespace, `<namespace>_<name>` elsewhere: neither may hold an underscore.
    fn of(text: &str, home: &str) -> Result<Self, Refusal> {
        let (namespace, name) = text.split_once('_').unwrap_or((home, text));
        if name.is_empty() || namespace.is_empty() {
            return Err(Refusal::input(format!(
                "{text:?} in ARGOCD_APP_NAME is not the name of an Application"
            )));
        }
        Ok(Self { namespace: namespace.into(), name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn an_application_is_found_by_the_name_argo_cd_gives_it() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let asked = Asked::from_env(&env(&[("ARGOCD_APP_NAME", text)]), "argocd");
            let found = asked.ok().map(|a| (a.app.namespace, a.app.name));
            assert_eq!(found, expected.map(|(ns, name)| (ns.into(), name.into())), "{text:?}");
        };
        check("web", Some(("argocd", "web")));
        check("team-a_web", Some(("team-a", "web")));
        check("team-a_web_x", Some(("team-a", "web_x")));
        check("", None);
        check("_web", None);
        check("team-a_", None);
    }

    #[test]
    fn variables_stand_for_what_argo_cd_says() {
        let parameters = r#"[{"name":"images","array":["a:$ARGOCD_APP_NAME-$ARGOCD_APP_NAMESPACE-$ARGOCD_APP_PROJECT_NAME-$ARGOCD_APP_REVISION_SHORT-$ARGOCD_APP_SOURCE_REPO_URL-$ARGOCD_APP_SOURCE_PATH-$ARGOCD_APP_SOURCE_TARGET_REVISION"]}]"#;
        let all = [
            ("ARGOCD_APP_NAME", "team_web"),
            ("ARGOCD_APP_NAMESPACE", "b"),
            ("ARGOCD_APP_PROJECT_NAME", "c"),
            ("ARGOCD_APP_REVISION", "0123456789"),
            ("ARGOCD_APP_SOURCE_REPO_URL", "e"),
            ("ARGOCD_APP_SOURCE_PATH", "f"),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", "g"),
            ("ARGOCD_APP_PARAMETERS", parameters),
        ];
        let asked = Asked::from_env(&env(&all), "argocd").unwrap();
        assert_eq!(asked.options.images, ["a:team_web-b-c-0123456-e-f-g"]);
    }

    #[test]
    fn what_was_handed_over_is_all_of_the_repository_or_a_folder_of_it() {
        let check = |path: &str, folder: &str, above: &str| {
            let pairs = [("ARGOCD_APP_NAME", "web"), ("ARGOCD_APP_SOURCE_PATH", path)];
            let asked = Asked::from_env(&env(&pairs), "argocd").unwrap();
            assert_eq!(asked.inputs(folder.into()).above, above, "{path} {folder}");
        };
        check("teams/a/apps/web", "teams/a/apps/web", "");
        check("teams/a/apps/web", "apps/web", "teams/a");
        check("./teams/a/apps/web/", "web", "teams/a/apps");
        check("teams/a", "", "teams/a");
        check(".", "", "");
        check("", "", "");
        // Not as Argo CD does it.
        check("teams/web", "other", "");
        check("teams/aweb", "web", "");
    }

    #[test]
    fn the_claim_is_among_the_sources_own_variables() {
        let id = "a".repeat(40);
        let claim = format!("3-{id}");
        let own = [
            ("ARGOCD_ENV_WHARFINGER_STAGE", "shop:dev"),
            ("ARGOCD_ENV_WHARFINGER_FREIGHT", claim.as_str()),
        ];
        let with = |more: &[(&str, &str)]| {
            let all = [&[("ARGOCD_APP_NAME", "web")], more].concat();
            Asked::from_env(&env(&all), "argocd").unwrap().claimed
        };
        let claimed = with(&own).unwrap();
        assert_eq!(claimed.stage.unwrap().to_string(), "shop:dev");
        assert_eq!(claimed.claim.unwrap().to_string(), claim);
        assert_eq!(with(&[("WHARFINGER_STAGE", "shop:dev")]).unwrap(), Claimed::default());
        assert!(with(&[own[0], own[0]]).is_err());
        assert!(with(&[("ARGOCD_ENV_WHARFINGER_FREIGHT", "latest")]).is_err());
    }
}
