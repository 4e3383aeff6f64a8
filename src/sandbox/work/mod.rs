//! The services' seams, filled with the runners: here the sandbox begins to do work, not just to remember it.

pub mod ec2;
pub mod lambda;
mod lines;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::runners::Reach;
use super::runners::python::{Environments, Python, PythonError};
use super::world::World;

/// Virtual environments lie beside the sandbox's root, so that `sandbox reset` keeps them.
fn venvs(world: &World) -> PathBuf {
    world.root.parent().map_or_else(|| world.root.join("cache"), |beside| beside.join("cache/venvs"))
}

/// The cache of virtual environments for a Python: `python3.12` if there is one, else what there is.
async fn environments(world: &World, python: &str) -> Result<Environments, PythonError> {
    let python = Python::find(None, python.strip_prefix("python")).await?;
    Ok(Environments { python, cache: venvs(world) })
}

/// How code that runs here reaches the sandbox. Its role's credentials are as good as any: none are checked.
fn reach(world: &World, region: &str) -> Reach {
    Reach {
        region: region.to_owned(),
        endpoint_url: world.endpoint_url().to_owned(),
        access_key_id: "sandbox".to_owned(),
        secret_access_key: "sandbox".to_owned(),
        session_token: Some("sandbox".to_owned()),
    }
}

/// An error with its causes, for a message.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
