//! Objects of every kind that the webhook judges, in Project `tower`: what is admitted, and what is refused and why. Told to
//! an API server in memory and to a real one.

/// In this order, from nothing: with the Project comes its namespace. There can be but one ClusterConfig: it is in `kept.rs`.
pub(super) const ADMITTED: &str = r#"
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: tower}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata: {name: tower, namespace: tower}
spec:
  promotionPolicies:
  - stageSelector: {name: "glob:dev-*"}
    autoPromotionEnabled: false
  wharfinger: {releasedBy: [ana]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: main, namespace: tower}
spec:
  shard: eu
  freightCreationPolicy: Manual
  subscriptions: [{image: {repoURL: ghcr.io/acme/tower}}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata: {name: task, namespace: tower}
spec: {steps: [{uses: assign, as: it}]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ClusterPromotionTask
metadata: {name: tower-task}
spec: {steps: [{uses: assign, as: it}]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: dev, namespace: tower, annotations: {kargo.akuity.io/reverify: 7f2}}
spec:
  requestedFreight:
  - origin: {kind: Warehouse, name: main}
    sources: {direct: true}
  promotionTemplate: {spec: {steps: [{uses: assign, as: it}]}}
  targets: {selectors: []}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Target
metadata: {name: eu, namespace: tower}
spec: {}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata: {name: any, namespace: tower}
origin: {kind: Warehouse, name: main}
images: [{repoURL: ghcr.io/acme/tower, tag: v1}]
---
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionRequest
metadata: {name: request, namespace: tower}
spec: {stage: dev, freight: any, targets: [{name: eu}]}
"#;

/// The part of the refusal that says where and why, and the object.
pub(super) const REFUSED: [(&str, &str); 12] = [
    ("namespace argocd exists, and lacks the label", "{kind: Project, metadata: {name: argocd}}"),
    (
        "metadata.name: must be the Project's name, tower",
        "{kind: ProjectConfig, metadata: {name: other, namespace: tower}, spec: {}}",
    ),
    (
        "spec.promotionPolicies[0].stageSelector.name: no valid regular expression",
        r#"{kind: ProjectConfig, metadata: {name: tower, namespace: tower}, spec: {promotionPolicies: [{stageSelector: {name: "regex:("}}]}}"#,
    ),
    (
        r#"metadata.name: must be "cluster""#,
        "{kind: ClusterConfig, metadata: {name: tower}, spec: {}}",
    ),
    (
        "spec.subscriptions[0].image.constraint: is required",
        "{kind: Warehouse, metadata: {name: other, namespace: tower}, spec: {subscriptions: [{image: {repoURL: a, imageSelectionStrategy: Digest}}]}}",
    ),
    (
        "metadata.namespace: namespace argocd is no Project's",
        "{kind: Warehouse, metadata: {name: other, namespace: argocd}, spec: {subscriptions: [{image: {repoURL: a}}]}}",
    ),
    (
        "spec.steps[0].as: \"step-1\"",
        "{kind: PromotionTask, metadata: {name: other, namespace: tower}, spec: {steps: [{uses: assign, as: step-1}]}}",
    ),
    (
        "spec.steps[1].as: \"a\" is the name of spec.steps[0] already",
        "{kind: ClusterPromotionTask, metadata: {name: other}, spec: {steps: [{uses: assign, as: a}, {uses: assign, as: a}]}}",
    ),
    (
        "spec.requestedFreight[1].origin: Warehouse/main",
        "{kind: Stage, metadata: {name: other, namespace: tower}, spec: {requestedFreight: [{origin: {kind: Warehouse, name: main}, sources: {direct: true}}, {origin: {kind: Warehouse, name: main}, sources: {stages: [dev]}}]}}",
    ),
    (
        "images[0]: Warehouse main has no image subscription for ghcr.io/acme/other",
        "{kind: Freight, metadata: {name: any, namespace: tower}, origin: {kind: Warehouse, name: main}, images: [{repoURL: ghcr.io/acme/other, tag: v1}]}",
    ),
    (
        "origin.name: there is no Warehouse none",
        "{kind: Freight, metadata: {name: any, namespace: tower}, origin: {kind: Warehouse, name: none}, images: [{repoURL: a, tag: v1}]}",
    ),
    (
        "spec.targets[0].name: there is no Target mars",
        "{kind: PromotionRequest, metadata: {name: other, namespace: tower}, spec: {stage: dev, freight: any, targets: [{name: mars}]}}",
    ),
];

/// A whole manifest.
pub(super) fn manifest(object: &str) -> String {
    object.replacen('{', "{apiVersion: kargo.akuity.io/v1alpha1, ", 1)
}
