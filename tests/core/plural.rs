//! "1 resources": a number that is shown is followed by its word in the right number.

use std::path::{Path, PathBuf};

use opsctl::domain::{many, many_of};

#[test]
fn one_is_singular() {
    let shown =
        [many(1, "resource"), many(0, "resource"), many(8_351, "file"), many(2, "policy"), many(1, "entry")];
    assert_eq!(shown, ["1 resource", "0 resources", "8,351 files", "2 policies", "1 entry"]);
    assert_eq!([many(-1, "day"), many(2, "day")], ["0 days", "2 days"]);
    assert_eq!([many_of(1.0, "request"), many_of(0.5, "request")], ["1 request", "0.5 requests"]);
}

/// What is counted in messages. A word that is new here is found wherever it is used.
const COUNTED: &[&str] = &[
    "accounts",
    "actions",
    "bytes",
    "calls",
    "characters",
    "days",
    "documents",
    "endpoints",
    "entries",
    "errors",
    "files",
    "findings",
    "functions",
    "hours",
    "instances",
    "invocations",
    "jobs",
    "keys",
    "lines",
    "minutes",
    "models",
    "months",
    "objects",
    "pages",
    "points",
    "policies",
    "problems",
    "proposals",
    "reads",
    "reports",
    "requests",
    "resources",
    "roles",
    "rows",
    "seconds",
    "statements",
    "steps",
    "tags",
    "times",
    "versions",
    "warnings",
    "ways",
    "writes",
];

/// Where the number is never one, with the words that are there.
const NEVER_ONE: &[&str] = &[
    "{length} characters, expected at most",
    "{all} resources of the config are deployed",
    "{} reads what others put",
    "{size} characters: more than",
    "{} accounts, {}, and all was judged",
    "{age} days old",
    "{n} actions on all resources",
    "{TRACKED_DAYS} days",
    "{} hours\", seconds / 3600",
    "{count} documents, because",
    "{} files.\", many.len()",
    "{} files)\\n\", many.len()",
    "{} characters, and IAM takes",
    "{} bytes, EC2 takes",
    "{program} bytes with its values",
    "{second:.2} requests a second",
    "{size} bytes with",
    "{size} bytes, Amazon SageMaker takes",
    "{MOST_PAGES} pages",
    "{} characters, AWS allows",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.extend(path.extension().is_some_and(|e| e == "rs").then_some(path)),
        }
    }
}

#[test]
fn numbers_are_counted_by_many() {
    let pattern = format!(r"\{{[^{{}}]*\}} (?:more )?(?:{})\b[^\n]*", COUNTED.join("|"));
    let pattern = regex_lite::Regex::new(&pattern).unwrap();
    let (mut wrong, mut all) = (Vec::new(), Vec::new());
    files(Path::new("src"), &mut all);
    // The words of the sandbox are AWS's.
    let ours = |path: &&PathBuf| !path.starts_with("src/sandbox") && !path.ends_with("_tests.rs");
    for path in all.iter().filter(ours) {
        let text = std::fs::read_to_string(path).unwrap();
        for found in pattern.find_iter(&text).map(|found| found.as_str()) {
            if !NEVER_ONE.iter().any(|allowed| found.starts_with(allowed)) {
                wrong.push(format!("{}: {found}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "write domain::many(n, \"file\")");
}
