//! What is installed: the very manifests that a cluster gets, and what Argo CD would bring.

/// In the order in which they are applied. The webhook's configuration comes last, when somebody answers.
pub(crate) const INSTALLED: [&str; 17] = [
    include_str!("../../../manifests/base/namespace.yaml"),
    include_str!("../../../manifests/crds/clusterconfigs.yaml"),
    include_str!("../../../manifests/crds/clusterpromotiontasks.yaml"),
    include_str!("../../../manifests/crds/freights.yaml"),
    include_str!("../../../manifests/crds/projectconfigs.yaml"),
    include_str!("../../../manifests/crds/projects.yaml"),
    include_str!("../../../manifests/crds/promotionrequests.yaml"),
    include_str!("../../../manifests/crds/promotions.yaml"),
    include_str!("../../../manifests/crds/promotiontasks.yaml"),
    include_str!("../../../manifests/crds/stages.yaml"),
    include_str!("../../../manifests/crds/targets.yaml"),
    include_str!("../../../manifests/crds/warehouses.yaml"),
    include_str!("../../../manifests/rbac/controller.yaml"),
    include_str!("../../../manifests/rbac/sidecar.yaml"),
    include_str!("../../../manifests/rbac/webhook.yaml"),
    include_str!("../../../manifests/controller/serviceaccount.yaml"),
    include_str!("argocd.yaml"),
];

pub(crate) const WEBHOOK: &str = include_str!("../../../manifests/webhook/webhook.yaml");

#[cfg(test)]
mod tests {
    use wharfinger_api::v1alpha1;

    use super::*;

    /// A role that watches a kind nobody serves is never ready.
    #[test]
    fn every_kind_is_installed() {
        for crd in v1alpha1::crds() {
            let name = crd.metadata.name.unwrap();
            let installed = INSTALLED.iter().any(|text| text.contains(&format!("name: {name}\n")));
            assert!(installed, "{name}");
        }
    }
}
