//! Lines are as long as `rustfmt.toml` says. What is longer is what no formatter breaks: one literal, a row
//! of a table, an address.

use std::ops::Range;

use super::{sources, tests};

const WIDTH: usize = 110;

/// What may stand beside the literal of a line that is too long: `const REQUIREMENTS: &str = ` and the like.
const BESIDE: usize = 40;

#[test]
fn lines_fit_the_width() {
    let mut wrong = Vec::new();
    for file in sources().iter().chain(&tests()) {
        wrong.extend(too_long(&file.text).into_iter().map(|line| file.at(line)));
    }
    assert_eq!(wrong, [] as [&str; 0], "lines over {WIDTH} characters");
}

/// The lines that are too long, though they could be broken.
fn too_long(text: &str) -> Vec<usize> {
    let mut literals = None;
    let mut start = 0;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let end = start + line.len();
        if line.chars().count() > WIDTH {
            let literals = literals.get_or_insert_with(|| literals_of(text));
            if can_be_broken(text, start..end, literals) {
                found.push(i + 1);
            }
        }
        start = end + 1;
    }
    found
}

fn can_be_broken(text: &str, line: Range<usize>, literals: &[Range<usize>]) -> bool {
    let within = |literal: &Range<usize>| line.start.max(literal.start)..line.end.min(literal.end);
    let of_line = literals.iter().filter(|literal| !within(literal).is_empty());
    let words = text[line.clone()].trim();
    if let (Some(comment), None) = (words.strip_prefix("//"), of_line.clone().next()) {
        let comment = comment.trim_start_matches(['/', '!']).trim_start();
        return !comment.starts_with('|') && comment.contains(' ');
    }
    if words.starts_with("use ") {
        return words.contains('{');
    }
    // A literal of several lines that are joined goes on wherever one likes.
    let is_joined = |literal: &&Range<usize>| {
        let after = literal.end > line.end && words.ends_with('\\');
        after || literal.start < line.start && text[..line.start].ends_with("\\\n")
    };
    if of_line.clone().any(|literal| is_joined(&literal)) {
        return true;
    }
    let longest = of_line.map(|literal| text[within(literal)].chars().count()).max().unwrap_or(0);
    words.chars().count().saturating_sub(longest) > BESIDE
}

/// Where the literals of text are, quotes included. Comments have none.
fn literals_of(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            'r' if !text[..at].ends_with(|c: char| c.is_alphanumeric() && c != 'b' || c == '_') => {
                let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
                let opens = rest[1 + hashes..].starts_with('"');
                let end = format!("\"{}", "#".repeat(hashes));
                let body = 2 + hashes;
                let close = opens.then(|| rest[body..].find(&end).expect("it ends") + body + end.len());
                found.extend(close.map(|close| at..at + close));
                close.unwrap_or(1)
            }
            '"' => {
                let mut escaped = false;
                let ends = |c: char| {
                    let is_end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    is_end
                };
                let length = rest[1..].find(ends).expect("it ends") + 2;
                found.push(at..at + length);
                length
            }
            // `'"'` and `'\\''`, which are no lifetimes.
            '\'' if rest.starts_with("'\\") => rest[3..].find('\'').expect("it ends") + 4,
            '\'' if rest[1..].chars().nth(1) == Some('\'') => {
                rest[1..].find('\'').map_or(1, |n| n + 2).max(3)
            }
            _ => first.len_utf8(),
        };
        at += length;
    }
    found
}

#[test]
fn only_what_no_formatter_breaks_is_longer() {
    let long = "x".repeat(WIDTH);
    let words = "word ".repeat(WIDTH / 4);
    let fits = [
        format!("    let message = \"{words}\";"),
        format!("    Some(r#\"{{\"a\": \"{long}\"}}\"#),"),
        format!("/// <https://example.com/{long}>"),
        format!("/// | {words} | {words} |"),
        format!("use a::{long};"),
        format!("let page = \"\n{words}\n{words}\n\";"),
    ];
    let breaks = [
        format!("/// {words}"),
        format!("let a = call(\"one\", {}\"two\");", "first.second(), ".repeat(8)),
        format!("let a = (\"{words}\", \"{words}\");"),
        format!("let a = \"{words}\\\n    {words}\";"),
        format!("let a = ('\"', b'\\'', {words}, '\"');"),
        format!("use a::{{b, {long}}};"),
    ];
    for text in fits {
        assert_eq!(too_long(&text), [] as [usize; 0], "{text}");
    }
    for text in breaks {
        assert!(too_long(&text).contains(&1), "{text}");
    }
}
