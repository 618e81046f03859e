//! The kinds that are served without any CustomResourceDefinition, and how `kubectl get` shows them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    age,
    jsonpath::JsonPath,
    resource::Resource,
    table::{Cell, Column},
};

pub(crate) fn resources() -> Vec<Resource> {
    let mut resources = vec![
        cluster(
            "",
            "v1",
            "Namespace",
            "namespaces",
            &["ns"],
            vec![Column::at("Status", ".status.phase"), Column::age()],
        ),
        namespaced(
            "",
            "v1",
            "Secret",
            "secrets",
            &[],
            vec![
                Column::at("Type", ".type"),
                Column::whole("Data", |secret, _| entries(&secret["data"])),
                Column::age(),
            ],
        ),
        namespaced(
            "",
            "v1",
            "ConfigMap",
            "configmaps",
            &["cm"],
            vec![
                Column::whole("Data", |map, _| {
                    json!(
                        entries(&map["data"]).as_u64().unwrap_or(0)
                            + entries(&map["binaryData"]).as_u64().unwrap_or(0)
                    )
                }),
                Column::age(),
            ],
        ),
        namespaced(
            "",
            "v1",
            "ServiceAccount",
            "serviceaccounts",
            &["sa"],
            vec![
                Column::whole("Secrets", |account, _| entries(&account["secrets"])),
                Column::age(),
            ],
        ),
        events("", "v1"),
        events("events.k8s.io", "v1"),
        namespaced(
            "coordination.k8s.io",
            "v1",
            "Lease",
            "leases",
            &[],
            vec![Column::at("Holder", ".spec.holderIdentity"), Column::age()],
        ),
        cluster(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            &["crd", "crds"],
            vec![Column::created()],
        ),
        webhooks("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
        webhooks("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ];
    resources.extend(rbac());
    resources.extend(workloads());
    for resource in &mut resources {
        resource.status = WITH_STATUS.contains(&resource.kind.as_str());
    }
    resources.extend(reviews());
    resources
}

/// The kinds that have `status` as a subresource.
const WITH_STATUS: [&str; 10] = [
    "Namespace",
    "CustomResourceDefinition",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Service",
    "Pod",
    "Job",
    "CronJob",
    "Ingress",
];

/// What Applications deploy. Kept as sent: nothing runs here.
fn workloads() -> Vec<Resource> {
    let mut workloads = vec![
        namespaced(
            "apps",
            "v1",
            "Deployment",
            "deployments",
            &["deploy"],
            vec![
                Column::whole("Ready", ready),
                Column::count("Up-to-date", ".status.updatedReplicas"),
                Column::count("Available", ".status.availableReplicas"),
                Column::age(),
                Column::whole("Images", images).wide(),
            ],
        ),
        namespaced(
            "apps",
            "v1",
            "StatefulSet",
            "statefulsets",
            &["sts"],
            vec![
                Column::whole("Ready", ready),
                Column::age(),
                Column::whole("Images", images).wide(),
            ],
        ),
        namespaced(
            "apps",
            "v1",
            "DaemonSet",
            "daemonsets",
            &["ds"],
            vec![
                Column::count("Desired", ".status.desiredNumberScheduled"),
                Column::count("Ready", ".status.numberReady"),
                Column::age(),
                Column::whole("Images", images).wide(),
            ],
        ),
        namespaced(
            "batch",
            "v1",
            "Job",
            "jobs",
            &[],
            vec![
                Column::whole("Completions", |job, _| {
                    let wanted = job["spec"]["completions"].as_i64().unwrap_or(1);
                    json!(format!("{}/{wanted}", job["status"]["succeeded"].as_i64().unwrap_or(0)))
                }),
                Column::age(),
                Column::whole("Images", images).wide(),
            ],
        ),
        namespaced(
            "batch",
            "v1",
            "CronJob",
            "cronjobs",
            &["cj"],
            vec![Column::at("Schedule", ".spec.schedule"), Column::age()],
        ),
        namespaced(
            "networking.k8s.io",
            "v1",
            "Ingress",
            "ingresses",
            &["ing"],
            vec![
                Column::at("Class", ".spec.ingressClassName"),
                Column::whole("Hosts", |ingress, _| {
                    let rules = items(&ingress["spec"]["rules"]);
                    let hosts: Vec<_> = rules.iter().filter_map(|r| r["host"].as_str()).collect();
                    json!(if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") })
                }),
                Column::age(),
            ],
        ),
        namespaced(
            "",
            "v1",
            "Service",
            "services",
            &["svc"],
            vec![
                Column::whole("Type", |service, _| {
                    json!(service["spec"]["type"].as_str().unwrap_or("ClusterIP"))
                }),
                Column::whole("Cluster-IP", |service, _| {
                    json!(service["spec"]["clusterIP"].as_str().unwrap_or("<none>"))
                }),
                Column::whole("Port(s)", |service, _| {
                    let ports = items(&service["spec"]["ports"]).iter().map(|port| {
                        let protocol = port["protocol"].as_str().unwrap_or("TCP");
                        format!("{}/{protocol}", port["port"])
                    });
                    json!(ports.collect::<Vec<_>>().join(","))
                }),
                Column::age(),
            ],
        ),
        namespaced(
            "",
            "v1",
            "Pod",
            "pods",
            &["po"],
            vec![
                Column::whole("Ready", |pod, _| {
                    let states = items(&pod["status"]["containerStatuses"]);
                    let ready = states.iter().filter(|state| state["ready"] == true).count();
                    json!(format!("{ready}/{}", items(&pod["spec"]["containers"]).len()))
                }),
                Column::at("Status", ".status.phase"),
                Column::age(),
            ],
        ),
    ];
    for workload in &mut workloads {
        workload.categories = match workload.kind.as_str() {
            "Ingress" => Vec::new(),
            _ => vec!["all".to_owned()],
        };
    }
    workloads
}

fn ready(workload: &Value, _: Timestamp) -> Value {
    let wanted = workload["spec"]["replicas"].as_i64().unwrap_or(1);
    json!(format!("{}/{wanted}", workload["status"]["readyReplicas"].as_i64().unwrap_or(0)))
}

fn images(workload: &Value, _: Timestamp) -> Value {
    let containers = items(&workload["spec"]["template"]["spec"]["containers"]);
    let images: Vec<_> = containers.iter().filter_map(|c| c["image"].as_str()).collect();
    json!(images.join(","))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn rbac() -> Vec<Resource> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let bound = || {
        let role = Column::whole("Role", |binding, _| {
            let part = |name: &str| binding["roleRef"][name].as_str().unwrap_or_default();
            json!(format!("{}/{}", part("kind"), part("name")))
        });
        vec![
            role,
            Column::age(),
            Column::whole("Users", |binding, _| subjects(binding, "User")).wide(),
            Column::whole("Groups", |binding, _| subjects(binding, "Group")).wide(),
            Column::whole("ServiceAccounts", |binding, _| subjects(binding, "ServiceAccount"))
                .wide(),
        ]
    };
    vec![
        namespaced(GROUP, "v1", "Role", "roles", &[], vec![Column::created()]),
        namespaced(GROUP, "v1", "RoleBinding", "rolebindings", &[], bound()),
        cluster(GROUP, "v1", "ClusterRole", "clusterroles", &[], vec![Column::created()]),
        cluster(GROUP, "v1", "ClusterRoleBinding", "clusterrolebindings", &[], bound()),
    ]
}

fn reviews() -> Vec<Resource> {
    const AUTHORIZATION: &str = "authorization.k8s.io";
    const AUTHENTICATION: &str = "authentication.k8s.io";
    let mut reviews = vec![
        cluster(AUTHENTICATION, "v1", "TokenReview", "tokenreviews", &[], vec![]),
        cluster(AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews", &[], vec![]),
        cluster(AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews", &[], vec![]),
        cluster(
            AUTHORIZATION,
            "v1",
            "SelfSubjectAccessReview",
            "selfsubjectaccessreviews",
            &[],
            vec![],
        ),
        cluster(
            AUTHORIZATION,
            "v1",
            "SelfSubjectRulesReview",
            "selfsubjectrulesreviews",
            &[],
            vec![],
        ),
        namespaced(
            AUTHORIZATION,
            "v1",
            "LocalSubjectAccessReview",
            "localsubjectaccessreviews",
            &[],
            vec![],
        ),
    ];
    for review in &mut reviews {
        review.review = true;
    }
    reviews
}

fn events(group: &str, version: &str) -> Resource {
    let mut events = namespaced(group, version, "Event", "events", &["ev"], vec![]);
    events.columns = vec![
        Column::whole("Last Seen", last_seen),
        Column::whole("Type", |event, _| event["type"].clone()),
        Column::whole("Reason", |event, _| event["reason"].clone()),
        Column::whole("Object", |event, _| {
            let about = one_of(event, ["involvedObject", "regarding"]);
            let kind = about["kind"].as_str().unwrap_or_default().to_lowercase();
            json!(format!("{kind}/{}", about["name"].as_str().unwrap_or_default()))
        }),
        Column::whole("Message", |event, _| {
            let message = one_of(event, ["message", "note"]);
            json!(message.as_str().unwrap_or_default().trim())
        }),
        Column::name().wide(),
    ];
    events
}

/// The newest of the times that an Event may have.
fn last_seen(event: &Value, now: Timestamp) -> Value {
    let series = &event["series"]["lastObservedTime"];
    let times =
        [series, one_of(event, ["lastTimestamp", "deprecatedLastTimestamp"]), &event["eventTime"]];
    let seen = times.into_iter().find_map(|time| time.as_str()?.parse::<Timestamp>().ok());
    seen.map_or_else(|| json!("<unknown>"), |seen| json!(age::since(seen, now)))
}

/// Events are served in two groups that name some fields differently.
fn one_of<'v>(event: &'v Value, names: [&str; 2]) -> &'v Value {
    let [one, other] = names;
    if event[one].is_null() { &event[other] } else { &event[one] }
}

fn webhooks(kind: &str, plural: &str) -> Resource {
    let columns =
        vec![Column::whole("Webhooks", |config, _| entries(&config["webhooks"])), Column::age()];
    cluster("admissionregistration.k8s.io", "v1", kind, plural, &[], columns)
}

fn entries(value: &Value) -> Value {
    let count = value.as_object().map(Map::len).or(value.as_array().map(Vec::len));
    json!(count.unwrap_or(0))
}

fn subjects(binding: &Value, kind: &str) -> Value {
    let names: Vec<String> = items(&binding["subjects"])
        .iter()
        .filter(|subject| subject["kind"] == kind)
        .map(|subject| {
            let name = subject["name"].as_str().unwrap_or_default();
            match subject["namespace"].as_str() {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name.to_owned(),
            }
        })
        .collect();
    json!(names.join(", "))
}

fn cluster(
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    short: &[&str],
    mut columns: Vec<Column>,
) -> Resource {
    columns.insert(0, Column::name());
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names: short.iter().map(|&name| name.to_owned()).collect(),
        categories: if kind == "CustomResourceDefinition"
            || plural.ends_with("webhookconfigurations")
        {
            vec!["api-extensions".to_owned()]
        } else {
            Vec::new()
        },
        namespaced: false,
        status: false,
        review: false,
        columns,
        schema: None,
    }
}

fn namespaced(
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    short: &[&str],
    columns: Vec<Column>,
) -> Resource {
    Resource { namespaced: true, ..cluster(group, version, kind, plural, short, columns) }
}

impl Column {
    pub(crate) fn name() -> Self {
        let name = Self::whole("Name", |object, _| object["metadata"]["name"].clone());
        Self { format: "name".to_owned(), ..name }
    }

    pub(crate) fn age() -> Self {
        Self::whole("Age", |object, now| {
            let created = object["metadata"]["creationTimestamp"].as_str();
            let created = created.and_then(|text| text.parse().ok());
            created.map_or_else(|| json!("<unknown>"), |then| json!(age::since(then, now)))
        })
    }

    fn created() -> Self {
        let at = Self::whole("Created At", |o, _| o["metadata"]["creationTimestamp"].clone());
        Self { kind: "date".to_owned(), ..at }
    }

    fn at(name: &str, path: &str) -> Self {
        let column = Self::whole(name, |_, _| Value::Null);
        match JsonPath::parse(path) {
            Some(path) => Self { cell: Cell::At(path), ..column },
            None => column,
        }
    }

    fn count(name: &str, path: &str) -> Self {
        Self { kind: "integer".to_owned(), ..Self::at(name, path) }
    }

    fn whole(name: &str, cell: fn(&Value, Timestamp) -> Value) -> Self {
        Self {
            name: name.to_owned(),
            kind: "string".to_owned(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            cell: Cell::Computed(cell),
        }
    }

    fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }
}
