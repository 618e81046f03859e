//! Whether other plugins run in the Pods of argocd-repo-server. All of them keep their sockets in one folder.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wharfinger_api::additions::PLUGIN;
use wharfinger_core::check::{Check, Code};

use super::plugin::REPO_SERVER;
use super::{passed, warning};

/// Where repo-server looks for sockets.
const SOCKETS: &str = "/home/argocd/cmp-server/plugins";
/// Where it unpacks what it renders.
const CHECKOUTS: &str = "/tmp";
/// What is the entry point of plugins, as Argo CD's manual has it.
const STOCK: &str = "argocd-cmp-server";

/// What a neighbour can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Can {
    /// Be named in a source.
    Render,
    /// Put a socket in the place of ours.
    Replace,
    /// Change what Argo CD has checked out.
    Alter,
}

pub(super) fn judge(pods: &[Value]) -> Option<Check> {
    if pods.is_empty() {
        return None;
    }
    let mut others: BTreeMap<String, BTreeSet<Can>> = BTreeMap::new();
    for (name, can) in pods.iter().flat_map(neighbours) {
        others.entry(name).or_default().extend(can);
    }
    if others.is_empty() {
        return Some(passed(
            Code::OtherPlugin,
            format!("no other plugin is in the Pods of {REPO_SERVER}"),
        ));
    }
    let told = |(name, can): (&String, &BTreeSet<Can>)| {
        let can: Vec<&str> = can.iter().map(|can| can.told()).collect();
        format!("{name} ({})", can.join(", "))
    };
    let all: Vec<String> = others.iter().map(told).collect();
    let text = format!(
        "beside the sidecar, the Pods of {REPO_SERVER} have others who may decide what Applications of Stages deploy: {}",
        all.join("; ")
    );
    Some(warning(Code::OtherPlugin, text).fix(
        "Run other plugins in an Argo CD of their own; else trust whoever makes their images as you trust repo-server, and let .argocd-source.yaml in Git be reviewed",
    ))
}

impl Can {
    fn told(self) -> &'static str {
        match self {
            Self::Render => "a plugin that .argocd-source.yaml can name in place of ours",
            Self::Replace => "can put a socket in the place of wharfinger.sock",
            Self::Alter => "can change what repo-server has checked out",
        }
    }
}

/// The containers that stay and can do something, by their names.
fn neighbours(pod: &Value) -> Vec<(String, BTreeSet<Can>)> {
    let all = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
    // One that ends before repo-server begins leaves no socket that answers.
    let stays = all("initContainers").filter(|c| c["restartPolicy"] == "Always");
    let all: Vec<&Value> =
        all("containers").chain(stays).chain(all("ephemeralContainers")).collect();
    let (known, others): (Vec<&Value>, Vec<&Value>) =
        all.into_iter().partition(|c| c["name"] == PLUGIN || is_repo_server(c));
    let [sockets, checkouts] = [SOCKETS, CHECKOUTS].map(|path| {
        // Our own /tmp is not repo-server's.
        let of = known.iter().filter(|c| path == SOCKETS || is_repo_server(c));
        of.flat_map(|c| mounts(c)).filter(|m| m["mountPath"] == path).filter_map(volume).collect()
    });
    let can = |container: &Value| {
        let writes = |volumes: &BTreeSet<&str>| {
            let written = mounts(container).filter(|mount| mount["readOnly"] != true);
            written.filter_map(volume).any(|volume| volumes.contains(volume))
        };
        let mut can = BTreeSet::new();
        if words(container).any(|word| word.rsplit('/').next() == Some(STOCK)) {
            can.insert(Can::Render);
        }
        if writes(&sockets) {
            can.insert(Can::Replace);
        }
        if writes(&checkouts) {
            can.insert(Can::Alter);
        }
        can
    };
    let named = |container: &Value| container["name"].as_str().unwrap_or_default().to_owned();
    others
        .into_iter()
        .map(|container| (named(container), can(container)))
        .filter(|(_, can)| !can.is_empty())
        .collect()
}

/// Helm's chart of Argo CD calls it otherwise.
fn is_repo_server(container: &Value) -> bool {
    container["name"] == REPO_SERVER
        || words(container).any(|word| word.rsplit('/').next() == Some(REPO_SERVER))
}

/// Its command line; a shell's script is taken apart.
fn words(container: &Value) -> impl Iterator<Item = &str> {
    let of = |field: &str| container[field].as_array().into_iter().flatten();
    of("command").chain(of("args")).filter_map(Value::as_str).flat_map(str::split_whitespace)
}

fn mounts(container: &Value) -> impl Iterator<Item = &Value> {
    container["volumeMounts"].as_array().into_iter().flatten()
}

fn volume(mount: &Value) -> Option<&str> {
    mount["name"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharfinger_core::check::State;
    use wharfinger_render::documents;

    use super::*;

    fn container(name: &str, args: &[&str], mounts: &[(&str, &str)]) -> Value {
        let mounts: Vec<_> =
            mounts.iter().map(|(name, path)| json!({ "name": name, "mountPath": path })).collect();
        json!({ "name": name, "args": args, "volumeMounts": mounts })
    }

    /// As Argo CD and we install it, with these containers besides.
    fn pod(others: &[Value]) -> Value {
        let repo_server = container(
            "argocd-repo-server",
            &["/usr/local/bin/argocd-repo-server"],
            &[("tmp", "/tmp"), ("plugins", SOCKETS)],
        );
        let manifest = include_str!("../../../../manifests/argocd/repo-server-patch.yaml");
        let patch = &documents::objects("patch", manifest).unwrap()[0];
        let sidecar = patch["spec"]["template"]["spec"]["containers"][1].clone();
        assert_eq!(sidecar["name"], PLUGIN);
        let containers = [&[repo_server, sidecar], others].concat();
        let copy = container("copyutil", &["cp argocd-cmp-server"], &[("plugins", SOCKETS)]);
        json!({ "metadata": { "name": "a" }, "spec": { "containers": containers, "initContainers": [copy] } })
    }

    fn check(others: &[Value], expected: &[(&str, &[Can])]) {
        let found = neighbours(&pod(others));
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, can)| ((*name).to_owned(), can.iter().copied().collect()))
            .collect();
        assert_eq!(found, expected, "{others:?}");
    }

    #[test]
    fn whoever_could_take_our_place_is_seen() {
        use Can::{Alter, Render, Replace};
        check(&[], &[]);
        let run = "/var/run/argocd/argocd-cmp-server";
        let own = ("avp-tmp", "/tmp");
        // As Argo CD's manual has it.
        let plugin = container("avp", &[run], &[("plugins", SOCKETS), own]);
        check(std::slice::from_ref(&plugin), &[("avp", &[Render, Replace])]);
        check(&[container("x", &["sh -c", "exec argocd-cmp-server"], &[])], &[("x", &[Render])]);
        check(&[container("x", &[], &[("plugins", "/elsewhere")])], &[("x", &[Replace])]);
        check(&[container("x", &[], &[("tmp", "/repos")])], &[("x", &[Alter])]);
        check(&[container("metrics", &["--cmp-server"], &[own, ("var-files", "/var/run")])], &[]);
        let mut reader = container("x", &[], &[("plugins", SOCKETS)]);
        reader["volumeMounts"][0]["readOnly"] = true.into();
        check(&[reader], &[]);

        let mut native = pod(&[]);
        native["spec"]["initContainers"][0]["restartPolicy"] = "Always".into();
        assert_eq!(neighbours(&native), [("copyutil".to_owned(), [Render, Replace].into())]);
        let mut chart = pod(&[plugin]);
        chart["spec"]["containers"][0]["name"] = "repo-server".into();
        assert_eq!(neighbours(&chart), [("avp".to_owned(), [Render, Replace].into())]);
    }

    #[test]
    fn neighbours_are_told_once_of_all_pods() {
        assert_eq!(judge(&[]), None);
        assert_eq!(judge(&[pod(&[])]).unwrap().state, State::Passed);
        let other = || container("avp", &[], &[("plugins", SOCKETS)]);
        let told = judge(&[pod(&[other()]), pod(&[]), pod(&[other()])]).unwrap();
        assert_eq!((told.code, told.state), (Code::OtherPlugin, State::Warning));
        assert!(
            told.text.ends_with(": avp (can put a socket in the place of wharfinger.sock)"),
            "{}",
            told.text
        );
    }
}
