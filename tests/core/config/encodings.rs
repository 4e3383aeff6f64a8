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
