//! A config of one very long line, as a program writes it.

use std::path::Path;

use opsctl::config::Document;
use opsctl::domain::{Diagnostic, Diagnostics, KeyPath, codes};
use opsctl::report::diagnostics;
use opsctl::report::style::Styles;

/// What is shown of each problem does not grow with the line, and its place is right all the same.
#[test]
fn of_a_very_long_line_only_what_is_around_a_problem_is_shown() {
    const KEYS: usize = 1_000;
    let keys: Vec<String> = (0..KEYS).map(|n| format!("key{n} = \"é{n:0>90}\"")).collect();
    let document = Document::parse(Path::new("x.toml"), format!("t = {{ {} }}\n", keys.join(", ")));
    let document = document.expect("it is TOML");
    let mut problems = Diagnostics::default();
    for n in 0..KEYS {
        let at = KeyPath::of(["t", &format!("key{n}")]);
        problems.push(Diagnostic::error(
            codes::UNKNOWN_KEY,
            at,
            format!("unknown key `key{n}`"),
            "remove it",
        ));
    }
    let text = diagnostics::human(&document, &problems, &Styles::plain());
    assert!(text.len() < KEYS * 2_000, "{}", text.len());
    let json = diagnostics::json(&document, &problems);
    for n in [0, 1, 500, KEYS - 1] {
        let column = document.line_column(document.text.find(&format!("key{n} ")).expect("there")).1;
        assert_eq!(json[n]["column"], column, "key{n}");
        assert!(text.contains(&format!("x.toml:1:{column}\n")), "key{n}: {column}\n{}", &text[..600]);
    }
}
