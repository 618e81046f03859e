//! Flags of `kustomize build`. Argo CD has them in `argocd-cm` and for all Applications alike, so this test has the cluster for
//! itself. (It reads `kustomize.buildOptions.VERSION` as well, and builds nothing by it.)

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Alone, shared};
use wharfinger_tests::Kubernetes;

use super::{Case, Server, World};

const FIELD: &str = "kustomize.buildOptions";

#[test]
fn build_options_are_those_of_argocd_cm() -> Result<()> {
    let world = World::on(shared()?.alone()?, "build-options");
    let (project, commit) = world.project()?;
    let url = world.cluster.git().url(&project.name);
    let place = |path: &str| json!({ "repoURL": url, "targetRevision": commit, "path": path });
    let check = |case: Case| world.run(&project, &[case], place);
    let with = |name: &'static str, options: &str| -> Result<()> {
        set(&world, &options.into())?;
        let parameters = json!([{ "name": "buildOptions", "string": options }]);
        check(Case::new(name, "kustomize/overlay", json!({}), parameters))
    };
    let checked = with("b-none", "--reorder none")
        .and_then(|()| with("b-legacy", "--reorder=legacy"))
        .and_then(|()| with("b-root-only", "--load-restrictor LoadRestrictionsRootOnly"))
        // Argo CD says nothing of them to a plugin: what is in argocd-cm alone is not built by.
        .and_then(|()| set(&world, &"--reorder none".into()))
        .and_then(|()| {
            let case = Case::new("b-untold", "kustomize/overlay", json!({}), json!([]));
            let differs = check(case).err().map(|error| format!("{error:#}")).unwrap_or_default();
            ensure!(differs.contains("only Argo CD renders"), "{differs}");
            Ok(())
        });
    // Whatever came of it: the other tests go on as they are used to.
    set(&world, &Value::Null).and(checked)
}

fn set(world: &World<Alone>, options: &Value) -> Result<()> {
    let admin = Kubernetes::admin(&world.cluster)?;
    admin.merge("configmap", "argocd", "argocd-cm", &json!({ "data": { (FIELD): options } }))?;
    let server = Server::of(&world.cluster)?;
    let wanted = options.as_str().unwrap_or_default();
    world.cluster.until("argocd-server to know the build options", || {
        let settings = server.get("/api/v1/settings")?;
        let known = settings["kustomizeOptions"]["BuildOptions"].as_str().unwrap_or_default();
        ensure!(known == wanted, "it knows {known:?}");
        Ok(())
    })
}
