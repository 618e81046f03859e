//! People, and what they may do.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::{Kubernetes, Project};

impl Project<'_> {
    /// Somebody who may do nothing yet. The name is made the Project's own, or other tests would share what is allowed.
    pub fn person(&self, name: &str) -> Result<Person<'_>> {
        self.known_as(format!("{name}@{}", self.name))
    }

    /// A ServiceAccount, which need not exist, and may do nothing yet.
    pub fn account(&self, namespace: &str, account: &str) -> Result<Person<'_>> {
        self.known_as(format!("system:serviceaccount:{namespace}:{account}"))
    }

    fn known_as(&self, name: String) -> Result<Person<'_>> {
        Ok(Person { api: Kubernetes::person(self.cluster, &name)?, project: self, name })
    }
}

pub struct Person<'p> {
    project: &'p Project<'p>,
    pub name: String,
    pub api: Kubernetes,
}

impl Person<'_> {
    /// Lets the person do that with `stage`, `stage/status`, `application`, … in a namespace, or everywhere if it has no
    /// name; it holds when this returns.
    pub fn may(&self, verbs: &[&str], kind: &str, namespace: &str) -> Result<()> {
        let admin = &self.project.admin;
        let (kind, subresource) = kind.split_once('/').unwrap_or((kind, ""));
        let (group, _, _, plural) = crate::kubernetes::resource(kind);
        let resource =
            if subresource.is_empty() { plural.into() } else { format!("{plural}/{subresource}") };
        let metadata = json!({ "generateName": "person-" });
        let rules = json!([{ "apiGroups": [group], "resources": [resource], "verbs": verbs }]);
        let (role, binding) = if namespace.is_empty() {
            ("clusterrole", "clusterrolebinding")
        } else {
            ("role", "rolebinding")
        };
        let role =
            admin.create(role, namespace, json!({ "metadata": metadata, "rules": rules }))?;
        let group_of_roles = "rbac.authorization.k8s.io";
        let role = json!({ "apiGroup": group_of_roles, "kind": role["kind"], "name": role["metadata"]["name"] });
        let subjects = json!([{ "apiGroup": group_of_roles, "kind": "User", "name": self.name }]);
        admin.create(
            binding,
            namespace,
            json!({ "metadata": metadata, "roleRef": role, "subjects": subjects }),
        )?;
        let attributes = json!({ "namespace": namespace, "verb": verbs[0], "group": group, "resource": plural, "subresource": subresource });
        self.project.cluster.until("the API server to know a Role", || {
            let review = json!({ "metadata": {}, "spec": { "user": self.name, "resourceAttributes": attributes } });
            let review = admin.create("subjectaccessreview", "", review)?;
            ensure!(review["status"]["allowed"] == true, "{review:#}");
            Ok(())
        })
    }
}

/// The text of a refusal by one of ours, which must carry that code.
pub fn refused(done: Result<Value>, code: &str) -> Result<String> {
    match done {
        Ok(object) => bail!("it must be refused with [{code}], and was done: {object:#}"),
        Err(error) => {
            let text = format!("{error:#}");
            ensure!(
                text.contains(&format!("[{code}]")),
                "it must be refused with [{code}], not: {text}"
            );
            Ok(text)
        }
    }
}
