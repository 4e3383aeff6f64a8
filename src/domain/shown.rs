//! Text from outside, made safe to show: names, tags, messages and files may hold anything.
//!
//! A terminal obeys control characters
//! (<https://www.ecma-international.org/publications-and-standards/standards/ecma-48/>), readers are misled
//! by characters that turn text around or cannot be seen (<https://trojansource.codes>), and what runs a
//! pipeline obeys lines that begin with `::` or hold `##[`
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>). None of it survives
//! here, and all of it stays visible: `\u{1b}[31m`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// As one line.
pub fn line(text: &str) -> Cow<'_, str> {
    clean(text, false)
}

/// As it is, in lines.
pub fn text(text: &str) -> Cow<'_, str> {
    clean(text, true)
}

/// A JSON document that is written already: what JSON leaves as it is, JSON's escapes can write too.
pub fn json(document: &str) -> Cow<'_, str> {
    let is_plain = document.bytes().all(|byte| is_visible(byte) || is_layout(byte.into()));
    if is_plain || !document.chars().any(|c| !is_layout(c) && is_hidden(c)) {
        return document.into();
    }
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if is_layout(c) || !is_hidden(c) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown.into()
}

fn is_layout(c: char) -> bool {
    c == '\n' || c == '\r' || c == '\t'
}

/// Nearly all that is shown, and quick to tell.
fn is_visible(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn clean(text: &str, in_lines: bool) -> Cow<'_, str> {
    let kept = |c: char| in_lines && (c == '\n' || c == '\t');
    let is_plain = text.bytes().all(is_visible);
    if (is_plain || !text.chars().any(|c| is_hidden(c) && !kept(c))) && !text.lines().any(is_command) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            shown.push_str(if in_lines { "\n" } else { "\\n" });
        }
        // Windows' line ends are no trick.
        let line = if in_lines { line.strip_suffix('\r').unwrap_or(line) } else { line };
        let mut visible = String::with_capacity(line.len());
        for c in line.chars() {
            match c {
                '\t' if in_lines => visible.push(c),
                '\r' => visible.push_str("\\r"),
                '\t' => visible.push_str("\\t"),
                c if is_hidden(c) => visible.extend(c.escape_unicode()),
                c => visible.push(c),
            }
        }
        shown.push_str(&disarmed(&visible));
    }
    shown.into()
}

/// `::error::` at the start of a line (blanks before it do not matter), and `##[error]` or `##vso[…]`
/// anywhere.
fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::") || first_old_command(line).is_some()
}

fn first_old_command(line: &str) -> Option<usize> {
    let is_one = |(at, _): &(usize, &str)| {
        line[at + 2..].trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '#').starts_with('[')
    };
    line.match_indices("##").find(is_one).map(|(at, _)| at)
}

fn disarmed(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    while let Some(at) = first_old_command(&line) {
        line.to_mut().replace_range(at..=at, "\\u{23}");
    }
    if line.trim_start().starts_with("::") {
        let at = line.len() - line.trim_start().len();
        line.to_mut().replace_range(at..=at, "\\u{3a}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_or_a_pipeline_obeys_is_left() {
        for (text, shown) in [
            ("role/über-αβγ 🚀 a\\b", "role/über-αβγ 🚀 a\\b"),
            ("\u{1b}[31mRED\u{7}", "\\u{1b}[31mRED\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("::error::x", "\\u{3a}:error::x"),
            ("  ::add-mask::x", "  \\u{3a}:add-mask::x"),
            ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a"),
            ("x ##[error]y ##vso[task]z", "x \\u{23}#[error]y \\u{23}#vso[task]z"),
            ("###[set-env]", "\\u{23}\\u{23}#[set-env]"),
            ("## heading", "## heading"),
            ("nimda\u{202e}x\u{200b}", "nimda\\u{202e}x\\u{200b}"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(super::text("a\r\n::error::b\n\tc\u{1b}"), "a\n\\u{3a}:error::b\n\tc\\u{1b}");
        assert!(matches!(super::text("one\ntwo"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_document_says_the_same_and_shows_it() {
        let value = serde_json::json!({"a": "\u{9b}31m\u{202e}\u{e0001}\u{7f} plain"});
        let shown = json(&value.to_string()).into_owned();
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert!(matches!(json("{\n\t\"a\": 1\n}\n"), Cow::Borrowed(_)));
    }
}
