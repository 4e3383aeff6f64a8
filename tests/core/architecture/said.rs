//! What is said: by whom, and that every code is.

use std::collections::BTreeSet;

use opsctl::domain::codes;
use regex_lite::Regex;

use super::sources;

/// What else did would leave a line that is being rewritten in the scrollback.
#[test]
fn only_the_screen_writes_to_stderr() {
    let writes = |code: &str| code.contains("io::stderr()");
    let found: Vec<String> = sources()
        .iter()
        .filter(|file| !file.is_only_tests() && file.code().iter().any(|(_, code)| writes(code)))
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(found, ["src/cli/rewritten.rs", "src/cli/ui.rs"]);
}

#[test]
fn every_code_is_said_somewhere() {
    let table = std::fs::read_to_string("src/domain/codes.rs").unwrap();
    let defined = Regex::new(r#"(?m)^    ([A-Z_]+) "([A-Z]\d{3})""#).unwrap();
    let defined: Vec<(String, String)> =
        defined.captures_iter(&table).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    assert_eq!(defined.len(), codes::ALL.len());
    let named = Regex::new(r"\bcodes::([A-Z_]+)").unwrap();
    let files = sources();
    let used: BTreeSet<&str> = files
        .iter()
        .filter(|file| !file.path.ends_with("codes.rs"))
        .flat_map(|file| named.captures_iter(&file.text).map(|found| found.get(1).unwrap().as_str()))
        .collect();
    let unused: Vec<_> = defined
        .iter()
        .filter(|(name, _)| !used.contains(name.as_str()))
        .map(|(name, code)| format!("{code} {name}"))
        .collect();
    assert_eq!(unused, [] as [&str; 0]);
}
