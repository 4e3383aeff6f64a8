//! `opsctl check`: everything that can be known without AWS, in every environment of the file.

use serde_json::json;

use super::Ended;
use super::args::Global;
use super::error::Failure;
use super::exit::Exit;
use super::session::{self, Environment};
use super::ui::Ui;
use crate::config::Config;
use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::desired;
use crate::domain::{Diagnostics, Scope};
use crate::inputs::Inputs;
use crate::report::diagnostics;
use crate::resources::kinds;

/// Stands in for a region that only AWS's configuration knows; as long as most.
const SOME_REGION: &str = "us-east-1";

pub fn run(global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let kinds = kinds();
    let document = session::document(global)?;
    let chosen = global.env.as_str();
    // The chosen one first: a problem of all is reported where it stands.
    let mut environments = vec![chosen];
    environments.extend(document.environments().into_iter().filter(|name| *name != chosen));
    if chosen != DEFAULT_ENVIRONMENT {
        environments.push(DEFAULT_ENVIRONMENT);
    }
    let mut problems = Diagnostics::default();
    let (mut shown, mut resources) = (document.environment(chosen), 0);
    for environment in environments {
        let merged = document.environment(environment);
        let (config, mut found) = Config::read(&document, environment, &session::sections(&kinds));
        let inputs = Inputs::walk(document.folder(), desired::sources(&config, &kinds));
        let region = global.region.as_ref().or(env.region.as_ref()).or(config.project.region.as_ref());
        let region = region.map_or(SOME_REGION, String::as_str);
        let scope = Scope::new(&config.project.name, environment, Scope::NO_ACCOUNT, region);
        let (desired, more) = desired::build(&config, &scope, &inputs, &kinds);
        found.extend(more.0);
        if environment == chosen {
            resources = desired.nodes.len();
        }
        if found.has_errors() && !problems.has_errors() {
            shown = merged; // its spans show the override that is wrong
        }
        problems.extend(found.0);
    }
    if ui.json() && !problems.has_errors() {
        ui.out_json(&json!({ "format": 1, "ok": true, "resources": resources, "problems": diagnostics::json(&shown, &problems) }));
        return Ok(Exit::Done);
    }
    if problems.has_errors() {
        return Err(Failure::config(shown, problems));
    }
    ui.say(&diagnostics::human(&shown, &problems, ui.styled_err()));
    ui.out(&format!("{}: valid, {resources} resources\n", shown.file.display()));
    Ok(Exit::Done)
}
