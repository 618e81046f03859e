//! The schemas of the built-in kinds, from their Rust types.

use k8s_openapi::{
    api::{
        admissionregistration::v1 as admission, apps::v1 as apps,
        authentication::v1 as authentication, authorization::v1 as authorization,
        batch::v1 as batch, coordination::v1 as coordination, core::v1 as core,
        events::v1 as events, networking::v1 as networking, rbac::v1 as rbac,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::resource::Resource;

pub(super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The schemas of those of `resources` that are built in, and of all that they and every object refer to.
pub(super) fn schemas(resources: &[&Resource]) -> Map<String, Value> {
    let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
    let mut named = Vec::new();
    for resource in resources {
        if let Some(kind) = kind(resource) {
            (kind.add)(&mut generator);
            named.push(((kind.name)(), resource));
        }
    }
    generator.subschema_for::<ObjectMeta>();
    let mut schemas = generator.take_definitions(true);
    for (name, resource) in named {
        if let Some(schema) = schemas.get_mut(&name) {
            schema["x-kubernetes-group-version-kind"] = json!([super::kind(resource)]);
        }
    }
    schemas
}

/// The name of a built-in kind's schema.
pub(super) fn name(resource: &Resource) -> Option<String> {
    kind(resource).map(|kind| (kind.name)())
}

struct Kind {
    name: fn() -> String,
    add: fn(&mut SchemaGenerator),
}

fn kind(resource: &Resource) -> Option<Kind> {
    Some(match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => of::<core::Namespace>(),
        ("", "Secret") => of::<core::Secret>(),
        ("", "ConfigMap") => of::<core::ConfigMap>(),
        ("", "ServiceAccount") => of::<core::ServiceAccount>(),
        ("", "Event") => of::<core::Event>(),
        ("events.k8s.io", "Event") => of::<events::Event>(),
        ("", "Service") => of::<core::Service>(),
        ("", "Pod") => of::<core::Pod>(),
        ("apps", "Deployment") => of::<apps::Deployment>(),
        ("apps", "StatefulSet") => of::<apps::StatefulSet>(),
        ("apps", "DaemonSet") => of::<apps::DaemonSet>(),
        ("batch", "Job") => of::<batch::Job>(),
        ("batch", "CronJob") => of::<batch::CronJob>(),
        ("networking.k8s.io", "Ingress") => of::<networking::Ingress>(),
        ("coordination.k8s.io", "Lease") => of::<coordination::Lease>(),
        ("rbac.authorization.k8s.io", "Role") => of::<rbac::Role>(),
        ("rbac.authorization.k8s.io", "RoleBinding") => of::<rbac::RoleBinding>(),
        ("rbac.authorization.k8s.io", "ClusterRole") => of::<rbac::ClusterRole>(),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => of::<rbac::ClusterRoleBinding>(),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            of::<apiextensions::CustomResourceDefinition>()
        }
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => {
            of::<admission::MutatingWebhookConfiguration>()
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => {
            of::<admission::ValidatingWebhookConfiguration>()
        }
        ("authentication.k8s.io", "TokenReview") => of::<authentication::TokenReview>(),
        ("authentication.k8s.io", "SelfSubjectReview") => of::<authentication::SelfSubjectReview>(),
        ("authorization.k8s.io", "SubjectAccessReview") => {
            of::<authorization::SubjectAccessReview>()
        }
        ("authorization.k8s.io", "SelfSubjectAccessReview") => {
            of::<authorization::SelfSubjectAccessReview>()
        }
        ("authorization.k8s.io", "SelfSubjectRulesReview") => {
            of::<authorization::SelfSubjectRulesReview>()
        }
        ("authorization.k8s.io", "LocalSubjectAccessReview") => {
            of::<authorization::LocalSubjectAccessReview>()
        }
        _ => return None,
    })
}

fn of<T: JsonSchema>() -> Kind {
    Kind {
        name: || T::schema_name().into_owned(),
        add: |generator| {
            generator.subschema_for::<T>();
        },
    }
}
