//! Any text as `opsctl.toml`: problems with their places, or a graph whose plans are sound. It ends, and says
//! nothing that a terminal obeys.

#![no_main]

use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use opsctl::config::{Config, Document};
use opsctl::desired::{self, AnyKind};
use opsctl::domain::{Diagnostics, Scope};
use opsctl::inputs::{Inputs, Source};
use opsctl::plan::{self, Mode, Observed, check};
use opsctl::report::style::Styles;
use opsctl::report::{self, diagnostics};
use opsctl::resources::kinds;

static FOLDER: LazyLock<PathBuf> =
    LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/plan/project"));
static KINDS: LazyLock<Vec<Box<dyn AnyKind>>> = LazyLock::new(kinds);

/// A config may name any folder of the machine; this one looks only into the project's own.
fn is_inside(source: &Source) -> bool {
    source.path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A tab only moves what follows it.
fn plain(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
}

fuzz_target!(|text: &str| {
    let document = match Document::parse(&FOLDER.join("opsctl.toml"), text.to_owned()) {
        Ok(document) => document,
        Err(failed) => {
            let (document, problem) = *failed;
            return plain(&diagnostics::human(&document, &Diagnostics(vec![problem]), &Styles::plain()));
        }
    };
    let mut sections: Vec<_> = KINDS.iter().filter_map(|kind| kind.section()).collect();
    sections.dedup();
    for environment in ["dev", "prod"] {
        let (config, mut problems) = Config::read(&document, environment, &sections);
        let sources = desired::sources(&config, &KINDS).into_iter().filter(is_inside);
        let inputs = Inputs::read(&FOLDER, sources);
        let region = config.project.region.as_deref().unwrap_or("us-east-1");
        let scope = Scope::new(&config.project.name, environment, Scope::NO_ACCOUNT, region);
        let (want, more) = desired::build(&config, &scope, &inputs, &KINDS);
        problems.extend(more.0);
        plain(&diagnostics::human(&config.document, &problems, &Styles::plain()));
        if problems.has_errors() {
            continue;
        }
        let (have, mode) = (Observed::default(), Mode::Deploy { prune: false, adopt: false });
        let plan = plan::build(&want, &have, &KINDS, mode).expect("nothing is there");
        assert_eq!(check::check(&plan, &want, &have, &KINDS, mode), [] as [&str; 0]);
        plain(&report::plan::human(&plan, &KINDS, "nowhere", true, None, &Styles::plain()));
    }
});
