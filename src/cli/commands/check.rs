//! `opsctl check`: everything that can be known without AWS, in every environment of the file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::sandbox;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::config::{Config, Document, Lint};
use crate::desired::{self, AnyKind, Desired};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, Scope, Severity, codes, many};
use crate::inputs::Inputs;
use crate::limits;
use crate::report::diagnostics;
use crate::resources::kinds;
use crate::run::sections;

/// Stands in for a region that only AWS's configuration knows; as long as most.
const SOME_REGION: &str = "us-east-1";

/// Prints the problems of every environment; an error in any exits with 3.
pub fn run(global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let document = session::document(global)?;
    let elsewhere = env.region.as_deref().filter(|_| !global.sandbox);
    let region = global.region.as_deref().or(elsewhere);
    // One that is not in the file is no problem of the file.
    let judged = region.and_then(|region| limits::region(region, &KeyPath::default()));
    let wrong_region = judged.filter(|problem| problem.severity == Severity::Error);
    let region = region.filter(|_| wrong_region.is_none());
    let Checked { problems, resources, silent } = check_all(&document, &global.env, region, global.sandbox);
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

/// What all environments have wrong; of the chosen one also how much there is in it.
#[derive(Default)]
struct Checked {
    problems: Diagnostics,
    resources: usize,
    /// Warnings that `[lint] allow` leaves out.
    silent: usize,
}

/// Checks every environment. What all have wrong is reported once, as a problem of the chosen one; what the
/// sandbox does in another way is of that alone.
fn check_all(document: &Document, chosen: &str, region: Option<&str>, in_sandbox: bool) -> Checked {
    let kinds = kinds();
    let mut all = Checked::default();
    let (mut allowed, mut used) = (BTreeMap::new(), BTreeSet::new());
    for environment in environments(document, chosen) {
        let (desired, lint, mut found) = check(document, environment, region, &kinds);
        if environment == chosen {
            if in_sandbox {
                found.extend(sandbox::unlike_aws(&desired).0);
            }
            // A region from the command line or the environment has no place in the file.
            found.extend(region.and_then(|region| limits::region(region, &KeyPath::default())));
        }
        let written = |at: &KeyPath| document.written(environment, at);
        let before = found.0.len();
        used.extend(lint.silence(&mut found).iter().map(written));
        allowed.extend(lint.allowed().map(|(at, code)| (written(&at), code.to_owned())));
        if environment == chosen {
            (all.resources, all.silent) = (desired.nodes.len(), before - found.0.len());
        }
        for problem in found.0 {
            let problem = Diagnostic { at: written(&problem.at), ..problem };
            if environment == chosen {
                all.problems.push(problem);
            } else if !all.problems.0.contains(&problem) {
                let message = format!("{} (in environment {environment})", problem.message);
                all.problems.push(Diagnostic { message, ..problem });
            }
        }
    }
    // With errors, it is not known what else would have been warned of.
    if !all.problems.has_errors() {
        let of_sandbox = |code: &str| code == codes::NOT_AS_ON_AWS.as_str();
        let unused = allowed.into_iter().filter(|(at, code)| !used.contains(at) && !of_sandbox(code));
        all.problems.extend(unused.map(|(at, code)| Lint::unused(at, &code)));
    }
    all
}

/// All environments of the file. The chosen one comes first: a problem of all is reported as a problem of it.
fn environments<'a>(document: &'a Document, chosen: &'a str) -> Vec<&'a str> {
    let mut environments = vec![chosen];
    environments.extend(document.environments().into_iter().filter(|name| *name != chosen));
    if chosen != DEFAULT_ENVIRONMENT {
        environments.push(DEFAULT_ENVIRONMENT);
    }
    environments
}

/// What should be in one environment, what it allows, and its problems.
fn check(
    document: &Document,
    environment: &str,
    region: Option<&str>,
    kinds: &[Box<dyn AnyKind>],
) -> (Desired, Lint, Diagnostics) {
    let (config, mut problems) = Config::read(document, environment, &sections(kinds));
    let inputs = Inputs::walk(document.folder(), desired::sources(&config, kinds));
    let region = region.or(config.project.region.as_deref());
    if region.is_none() {
        let text = "no region is set, and every name and ARN depends on it";
        let help = "set `region` here, or in AWS_REGION, --region or the profile";
        problems.push(Diagnostic::warning(codes::NO_REGION, KeyPath::of(["project"]), text, help));
    }
    let scope =
        Scope::new(&config.project.name, environment, Scope::NO_ACCOUNT, region.unwrap_or(SOME_REGION));
    let (desired, more) = desired::build(&config, &scope, &inputs, kinds);
    problems.extend(more.0);
    (desired, config.lint, problems)
}
