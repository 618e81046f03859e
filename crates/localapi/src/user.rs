//! Who asks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const AUTHENTICATED: &str = "system:authenticated";

/// Kubernetes' UserInfo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A person, in these groups besides `system:authenticated`.
    pub fn new<'a>(name: impl Into<String>, groups: impl IntoIterator<Item = &'a str>) -> Self {
        let groups = groups.into_iter().chain([AUTHENTICATED]).map(Into::into).collect();
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// May do everything.
    pub fn admin() -> Self {
        Self::new("kubernetes-admin", ["system:masters"])
    }

    pub fn service_account(namespace: &str, name: &str) -> Self {
        let all = format!("system:serviceaccounts:{namespace}");
        Self::new(
            format!("system:serviceaccount:{namespace}:{name}"),
            ["system:serviceaccounts", &all],
        )
    }

    /// Nobody that is known.
    pub fn anonymous() -> Self {
        let groups = vec!["system:unauthenticated".into()];
        Self { name: "system:anonymous".into(), groups, ..Self::default() }
    }

    /// As it stands in reviews.
    pub(crate) fn info(&self) -> Value {
        let mut info = json!({"username": self.name, "groups": self.groups});
        if let Some(uid) = &self.uid {
            info["uid"] = uid.as_str().into();
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }
}
