//! A config as the commands read it, up to the desired graph.

use std::path::Path;

use opsctl::config::{Config, Document, Lint};
use opsctl::desired::{self, AnyKind, Desired};
use opsctl::domain::{Diagnostics, Scope};
use opsctl::inputs::Inputs;
use opsctl::report::diagnostics;
use opsctl::report::style::Styles;
use opsctl::resources::kinds;

/// Everything that is known without AWS.
pub struct Project {
    pub document: Document,
    pub desired: Desired,
    pub problems: Diagnostics,
}

/// The sections that some kind reads.
pub fn sections(kinds: &[Box<dyn AnyKind>]) -> Vec<&'static str> {
    let mut keys: Vec<_> = kinds.iter().filter_map(|k| k.section()).collect();
    keys.dedup();
    keys
}

/// Reads one environment of a document.
pub fn read(document: &Document, environment: &str) -> Project {
    read_and_find(document, environment, |_| ())
}

/// The same where something is found in AWS before.
pub fn read_and_find(document: &Document, environment: &str, find: impl FnOnce(&mut Inputs)) -> Project {
    let kinds = kinds();
    let (config, mut problems) = Config::read(document, environment, &sections(&kinds));
    let mut inputs = Inputs::read(config.document.folder(), desired::sources(&config, &kinds));
    find(&mut inputs);
    let region = config.project.region.as_deref().unwrap_or("us-east-1");
    let scope = Scope::new(&config.project.name, environment, Scope::NO_ACCOUNT, region);
    let (desired, more) = desired::build(&config, &scope, &inputs, &kinds);
    problems.extend(more.0);
    let used = config.lint.silence(&mut problems);
    if !problems.has_errors() {
        let unused = config.lint.allowed().filter(|(at, _)| !used.contains(at));
        problems.extend(unused.map(|(at, code)| Lint::unused(at, code)));
    }
    Project { document: config.document, desired, problems }
}

/// Reads a text as if it were `file`, and gives all that is said about it, without colors.
pub fn said_about(file: &Path, text: String, environment: &str) -> (Option<Project>, String) {
    match Document::parse(file, text) {
        Ok(document) => {
            let project = read(&document, environment);
            let said = diagnostics::human(&project.document, &project.problems, &Styles::plain());
            (Some(project), said)
        }
        Err(failed) => {
            let (document, problem) = *failed;
            (None, diagnostics::human(&document, &Diagnostics(vec![problem]), &Styles::plain()))
        }
    }
}

/// Reads a file that must be free of errors.
#[track_caller]
pub fn valid(file: &Path, environment: &str) -> Project {
    let text = std::fs::read_to_string(file).unwrap();
    let (project, said) = said_about(file, text, environment);
    let project = project.unwrap_or_else(|| panic!("{said}"));
    assert!(!project.problems.has_errors(), "{said}");
    project
}

/// What the shipped project wants in an account and region.
pub fn shipped_in(account: &str, region: &str) -> Desired {
    let project = valid(Path::new("config/opsctl.toml"), "dev");
    let kinds = kinds();
    let (config, _) = Config::read(&project.document, "dev", &sections(&kinds));
    let inputs = Inputs::walk(config.document.folder(), desired::sources(&config, &kinds));
    desired::build(&config, &Scope::new(&config.project.name, "dev", account, region), &inputs, &kinds).0
}
