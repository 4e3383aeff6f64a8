//! Text from outside within Markdown: what people name things and what AWS says of them never becomes a link,
//! a mention, a picture, or the end of a table.

use std::fmt::Write;

use super::shown;

/// Text within a table or a list. GitHub looks for mentions and addresses in the text that it shows, so an
/// escape is not enough: a comment parts it. <https://github.github.com/gfm/#autolinks-extension->
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown::line(text).chars() {
        match c {
            '@' | '#' => {
                let _ = write!(out, "&#{};<!-- -->", u32::from(c));
            }
            '|' | '`' | '<' | '>' | '&' | '[' | ']' | '!' | '*' | '_' | '~' | '\\' | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    // `://` and `www.` are links by themselves.
    out.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

/// A name as code. What AWS allows in one needs no escape, and a table knows none within code.
pub fn code(name: &str) -> String {
    if name.trim().is_empty() {
        return "(no name)".to_owned();
    }
    format!("`{}`", shown::line(name).replace('`', "\\u{60}").replace('|', "\\u{7c}"))
}

/// The beginning of a text, at most so many characters of it.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            text("a|b @me #1 <img> [x](y)\n::error"),
            "a&#124;b &#64;<!-- -->me &#35;<!-- -->1 &#60;img&#62; &#91;x&#93;(y)&#92;n&#92;u{3a}:error"
        );
        assert_eq!(text("see https://www.x.example"), "see https:<!-- -->//www<!-- -->.x.example");
        assert_eq!(code("a`|\n"), "`a\\u{60}\\u{7c}\\n`");
        assert_eq!((cut("äöü", 2), cut("äö", 2)), ("äö…".to_owned(), "äö".to_owned()));
    }
}
