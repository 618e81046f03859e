//! Whether what a Warehouse has found may become Freight.

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{DiscoveredArtifacts, FreightCreationCriteria};

use crate::expression::{self, Environment, Error, Functions, Program};

/// Whether the criteria hold. Without any, and while no commit, image or chart was found, they do.
pub fn hold(
    criteria: Option<&FreightCreationCriteria>,
    artifacts: &DiscoveredArtifacts,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(expression) = criteria.map(|criteria| criteria.expression.trim()) else {
        return Ok(true);
    };
    let DiscoveredArtifacts { git, images, charts, .. } = artifacts;
    if expression.is_empty() || git.is_empty() && images.is_empty() && charts.is_empty() {
        return Ok(true);
    }
    let environment = Environment::new(Functions::default().with_discovered(artifacts), now);
    compile(expression, artifacts)?.holds(&environment)
}

/// What is wrong with an expression whatever is found, if anything is.
pub fn fault(expression: &str) -> Option<Error> {
    let expression = expression.trim();
    if expression.is_empty() {
        return None;
    }
    compile(expression, &DiscoveredArtifacts::default()).err()
}

fn compile(expression: &str, artifacts: &DiscoveredArtifacts) -> Result<Program, Error> {
    expression::compile(expression, &Functions::default().with_discovered(artifacts))
}
