//! Files that are no UTF-8: said what they are, and where.

use std::path::Path;

use opsctl::config::Document;
use opsctl::domain::Diagnostics;
use opsctl::report::diagnostics;
use opsctl::report::style::Styles;

fn said(bytes: &[u8]) -> String {
    let (document, problem) = *Document::read(Path::new("opsctl.toml"), bytes.to_vec()).unwrap_err();
    diagnostics::human(&document, &Diagnostics(vec![problem]), &Styles::plain())
}

#[test]
fn latin_1_is_named_at_its_byte() {
    let said = said(b"[project]\nname = \"sch\xf6n\"\n");
    assert!(said.contains("error[C001]: the byte 0xf6 is not UTF-8, which TOML is written in"), "{said}");
    assert!(said.contains("opsctl.toml:2:12"), "{said}");
}

#[test]
fn utf_16_is_named() {
    let wide: Vec<u8> = "[project]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [[&[0xff, 0xfe], &wide[..]].concat(), wide] {
        let said = said(&bytes);
        assert!(said.contains("error[C001]: the file is UTF-16, and TOML is written in UTF-8"), "{said}");
    }
}

#[test]
fn a_mark_of_utf_8_is_fine() {
    assert!(
        Document::read(Path::new("opsctl.toml"), b"\xef\xbb\xbf[project]\nname = \"a\"\n".to_vec()).is_ok()
    );
}

#[test]
fn keys_that_are_too_deep_have_a_place() {
    let deep = format!("[project]\nname = \"a\"\n{} = 1\n", vec!["a"; 200].join("."));
    let said = said(deep.as_bytes());
    assert!(said.contains("opsctl.toml:3:"), "{said}");
}

/// A config may come with somebody else's pull request, and its problems into a terminal or the log of a
/// pipeline (found by fuzzing: `\u{9b}` is what `ESC [` is).
#[test]
fn what_a_terminal_obeys_is_shown_and_not_done() {
    for (text, shown) in [
        ("[project]\nname = \"a\"\nnam\u{9b}31m\n", "| ********\n"),
        ("[project]\nname = \"a\"\n\"k\u{9b}2J\" = 1\n", "unknown key `k\\u{9b}2J`"),
        ("[project]\nname = \"\u{202e}a\"\n", "\\u{202e}a"),
        ("[project]\nname = \"##[error]a\"\n", "\\u{23}#[error]a"),
    ] {
        let said = crate::project::said_about(Path::new("x\u{9b}.toml"), text.to_owned(), "dev").1;
        assert!(said.contains(shown), "{said}");
        assert!(!said.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{said:?}");
        assert!(!said.contains("##["), "{said}");
    }
    // The place is still right.
    let text = "[project]\nname = \"a\"\n\u{9b} = 1\n";
    let said = crate::project::said_about(Path::new("x.toml"), text.to_owned(), "dev").1;
    assert!(said.contains("x.toml:3:1"), "{said}");
}
