//! Everything that can be known of a config without AWS, in every environment of the file.

use std::collections::{BTreeMap, BTreeSet};

use super::sections;
use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::config::{Config, Document, Lint};
use crate::desired::{self, AnyKind, Desired};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, Scope, Severity, codes};
use crate::inputs::Inputs;
use crate::limits;
use crate::resources::kinds;

/// Stands in for a region that only AWS's configuration knows; as long as most.
const SOME_REGION: &str = "us-east-1";

/// What all environments have wrong; of the chosen one also how much there is in it.
#[derive(Debug, Default)]
pub struct Checked {
    pub problems: Diagnostics,
    pub resources: usize,
    /// Warnings that `[lint] allow` leaves out.
    pub silent: usize,
}

/// Checks every environment. What all have wrong is reported once, as a problem of the chosen one; what
/// `place` says of it, such as what a sandbox does in another way, is of that alone. `region` is used in
/// place of the config's.
pub fn every_environment(
    document: &Document,
    chosen: &str,
    region: Option<&str>,
    place: impl Fn(&Desired) -> Diagnostics,
) -> Checked {
    let kinds = kinds();
    let mut all = Checked::default();
    let (mut allowed, mut used) = (BTreeMap::new(), BTreeSet::new());
    for environment in environments(document, chosen) {
        let (desired, lint, mut found) = check(document, environment, region, &kinds);
        if environment == chosen {
            // Of a section that is wrong, a place may say what is not so when it is right.
            let wrong = found.0.iter().filter(|problem| problem.severity == Severity::Error);
            let wrong: BTreeSet<KeyPath> = wrong.map(|problem| problem.at.section()).collect();
            let unlike = place(&desired).0.into_iter();
            found.extend(unlike.filter(|warning| !wrong.contains(&warning.at.section())));
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
