//! Renders of 10, 100 and 1,000 objects, against those who would render them otherwise: the tools by hand, Argo CD's own plugin
//! server, Argo CD without a plugin.

mod first;
mod repo_server;
mod repo_server_api;
mod stock;

use anyhow::Result;
use wharfinger_cluster::shared;

use crate::world::World;

pub(crate) fn run() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let world = World::new(&cluster, "render")?;
    first::run(&world)?;
    stock::run(&world)?;
    repo_server::run(&world)
}
