//! `opsctl check`: everything that can be known without AWS, in every environment of the file.

use serde_json::json;

use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::sandbox;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::desired::Desired;
use crate::domain::{Diagnostics, KeyPath, Severity, many};
use crate::limits;
use crate::report::diagnostics;
use crate::run::check::{self, Checked};

/// Prints the problems of every environment; an error in any exits with 3.
pub fn run(global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let document = session::document(global)?;
    let elsewhere = env.region.as_deref().filter(|_| !global.sandbox);
    let region = global.region.as_deref().or(elsewhere);
    // One that is not in the file is no problem of the file.
    let judged = region.and_then(|region| limits::region(region, &KeyPath::default()));
    let wrong_region = judged.filter(|problem| problem.severity == Severity::Error);
    let region = region.filter(|_| wrong_region.is_none());
    let unlike_aws = |desired: &Desired| match global.sandbox {
        true => sandbox::unlike_aws(desired),
        false => Diagnostics::default(),
    };
    let checked = check::every_environment(&document, &global.env, region, unlike_aws);
    let Checked { problems, resources, silent } = checked;
    if problems.has_errors() {
        return Err(Failure::config(document, problems));
    }
    if let (Some(wrong), Some(origin)) = (wrong_region, session::origin_of_region(global, env, None)) {
        return Err(session::not_a_region(wrong, origin));
    }
    if ui.json() {
        let problems = diagnostics::sorted(&document, &problems);
        ui.out_json(&json!({ "format": 1, "ok": true, "resources": resources, "allowed": silent,
            "problems": diagnostics::json(&document, &ui.suggested(&problems)) }));
        return Ok(Exit::Done);
    }
    ui.problems(&document, &problems);
    let silent = match silent {
        0 => String::new(),
        n => format!(", {} allowed", many(n, "warning")),
    };
    let resources = many(resources, "resource");
    ui.out(&format!("{}: valid, {resources}{silent}\n", document.file.display()));
    Ok(Exit::Done)
}
