//! What is installed: the very manifests that a cluster gets, and what Argo CD would bring.

/// In the order in which they are applied. The webhook's configuration comes last, when somebody answers.
pub(crate) const INSTALLED: [&str; 11] = [
    include_str!("../../../manifests/base/namespace.yaml"),
    include_str!("../../../manifests/crds/projects.yaml"),
    include_str!("../../../manifests/crds/warehouses.yaml"),
    include_str!("../../../manifests/crds/freights.yaml"),
    include_str!("../../../manifests/crds/stages.yaml"),
    include_str!("../../../manifests/crds/promotions.yaml"),
    include_str!("../../../manifests/rbac/controller.yaml"),
    include_str!("../../../manifests/rbac/sidecar.yaml"),
    include_str!("../../../manifests/rbac/webhook.yaml"),
    include_str!("../../../manifests/controller/serviceaccount.yaml"),
    include_str!("argocd.yaml"),
];

pub(crate) const WEBHOOK: &str = include_str!("../../../manifests/webhook/webhook.yaml");
