//! `valid/` and `invalid/` hold one config each, with what opsctl says about it in the file of the same name
//! that ends in `.err`. A first line `# env: NAME` chooses the environment.

mod dictionary;
mod encodings;
mod links;
mod long_line;
mod secrets;
mod shipped;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use opsctl::domain::codes;

use expect_test::{ExpectFile, expect_file};

use crate::project;

/// Codes of the config that need more than a file: the command line, the account, a lookup of the file
/// itself, links and permissions that git does not keep (`links.rs`), git itself, or the sandbox.
const NOT_BY_A_FILE: [&str; 6] = ["C012", "C013", "C015", "C017", "C134", "C136"];

fn samples(folder: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(Path::new("tests/core/config").join(folder)).unwrap();
    let mut files: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn said_about(sample: &Path) -> (bool, String) {
    let text = std::fs::read_to_string(sample).unwrap();
    let environment =
        text.lines().next().and_then(|line| line.strip_prefix("# env: ")).unwrap_or("dev").to_owned();
    let (project, said) = project::said_about(sample, text, &environment);
    (project.is_some_and(|p| !p.problems.has_errors()), said)
}

/// What opsctl says about a sample.
fn expected(sample: &Path) -> ExpectFile {
    expect_file![std::path::absolute(sample.with_extension("err")).unwrap()]
}

#[test]
fn invalid_samples_are_refused_with_their_text() {
    for sample in samples("invalid") {
        let (valid, said) = said_about(&sample);
        assert!(!valid, "{} is accepted", sample.display());
        expected(&sample).assert_eq(&said);
    }
}

#[test]
fn valid_samples_are_accepted_with_their_warnings() {
    for sample in samples("valid") {
        let (valid, said) = said_about(&sample);
        assert!(valid, "{said}");
        expected(&sample).assert_eq(&said);
    }
}

/// What is only warned of can be silenced, and nothing else.
#[test]
fn the_codes_of_lints_are_those_of_warnings() {
    let said: String =
        ["invalid", "valid"].iter().flat_map(|f| samples(f)).map(|s| said_about(&s).1).collect();
    let lints = codes::LINTS.iter().map(|code| code.as_str());
    let lints: BTreeSet<&str> = lints.filter(|code| !NOT_BY_A_FILE.contains(code)).collect();
    let of_severity = |word: &str| -> BTreeSet<&str> {
        said.split(word).skip(1).filter_map(|rest| rest.split(']').next()).collect()
    };
    assert_eq!(of_severity("warning["), lints);
    assert!(of_severity("error[").is_disjoint(&lints));
}

#[test]
fn every_code_of_the_config_has_a_sample() {
    let said: String =
        ["invalid", "valid"].iter().flat_map(|f| samples(f)).map(|s| said_about(&s).1).collect();
    let of_config: BTreeSet<&str> =
        codes::ALL.iter().map(|e| e.code).filter(|c| c.starts_with('C')).collect();
    let without: Vec<_> = of_config.iter().filter(|code| !said.contains(&format!("[{code}]"))).collect();
    assert_eq!(without, NOT_BY_A_FILE.iter().collect::<Vec<_>>());
}
