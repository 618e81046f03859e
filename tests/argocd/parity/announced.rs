//! What Argo CD's UI is told of the plugin's parameters, for the form in which it shows them.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use wharfinger_render::Options;
use wharfinger_tests::{App, Kind};

use super::{Server, World};

#[test]
fn argo_cds_ui_hears_of_every_parameter() -> Result<()> {
    let world = World::new("announced")?;
    let (project, _) = world.project()?;
    let app = App::new(&project, "told", "dev", Kind::Bare)?;
    app.create()?;
    let server = Server::of(&world.cluster)?;
    server.knows(&app)?;
    let spec = app.get()?["spec"].take();
    let url = spec["source"]["repoURL"].as_str().context("a URL")?;
    let url = url.replace('/', "%2F").replace(':', "%3A");
    let asked =
        json!({ "source": spec["source"], "appName": app.name, "appProject": spec["project"] });
    let details = server.post(&format!("/api/v1/repositories/{url}/appdetails"), &asked)?;
    ensure!(details["type"] == "Plugin", "{details:#}");
    let told = details["plugin"]["parametersAnnouncement"].as_array();
    let told = told.with_context(|| format!("nothing is announced: {details:#}"))?;
    let names: Vec<_> = told.iter().filter_map(|parameter| parameter["name"].as_str()).collect();
    ensure!(names == Options::PARAMETERS.map(|parameter| parameter.name), "{names:?}");
    for parameter in told {
        let is_text = |field: &str| parameter[field].as_str().is_some_and(|text| !text.is_empty());
        ensure!(["title", "tooltip", "collectionType"].into_iter().all(is_text), "{parameter}");
    }
    Ok(())
}
