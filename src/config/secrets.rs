//! The text of a config without the values of `environment`: a problem is shown with its line, in CI logs
//! too, and people do put secrets there.

use std::ops::Range;

use super::{Document, section};
use crate::domain::KeyPath;

/// Under a name that is near to it too: who mistypes it is told so, with the line.
const TABLE: &str = "environment";

fn is_table(key: &str) -> bool {
    section::nearest(&key.to_lowercase(), [TABLE, "env", "variables"]).is_some()
}

impl Document {
    /// The text as it may be shown: of the same length, with an asterisk for each byte of such a value.
    pub fn shown(&self) -> String {
        let mut text = self.text.clone().into_bytes();
        match self.values().is_empty() {
            // It could not be read, so nobody knows where a value begins and ends.
            true => lines(&self.text, |range| hide(&mut text, range)),
            false => {
                let mut spans = self.value_spans().peekable();
                while let Some((path, place)) = spans.next() {
                    // A table or a list is hidden value by value.
                    let is_leaf = !spans.peek().is_some_and(|(next, _)| next.0.starts_with(&path.0));
                    if is_leaf && is_secret(path, &self.text[place.clone()]) {
                        hide(&mut text, place);
                    }
                }
            }
        }
        String::from_utf8(text).expect("an asterisk is a character of its own")
    }
}

/// Whether the value at a key is one of `environment`, or stands in its place.
pub(super) fn is_secret(at: &KeyPath, value: &str) -> bool {
    match place(at) {
        None => false,
        // A table is hidden value by value.
        Some(0) => value.starts_with(['"', '\'']),
        Some(_) => true,
    }
}

/// How far a key is below `environment`: of `SECTION.NAME` or of a section, or the same of `env.NAME`.
pub(super) fn place(at: &KeyPath) -> Option<usize> {
    let at = &at.0[..];
    let at = if at.first().is_some_and(|first| first == "env") { at.get(2..)? } else { at };
    let table = at.iter().skip(1).take(2).position(|key| is_table(key))?;
    Some(at.len() - table - 2)
}

fn hide(text: &mut [u8], range: Range<usize>) {
    let quotes = |byte: &u8| [b'"', b'\''].contains(byte);
    let value = &mut text[range];
    let quoted = value.len() > 1 && value.first().is_some_and(quotes) && value.first() == value.last();
    let inner = if quoted { 1..value.len() - 1 } else { 0..value.len() };
    value[inner].iter_mut().filter(|byte| !b"\r\n".contains(byte)).for_each(|byte| *byte = b'*');
}

/// The same of a text that is no TOML: what follows the `=` of each line in such a table, and rather too
/// much.
fn lines(text: &str, mut hide: impl FnMut(Range<usize>)) {
    let named = |keys: &str| keys.split('.').any(|key| is_table(key.trim().trim_matches(['"', '\''])));
    // What stands before a `=`, back to what it follows.
    let after_table = |line: &str| line.rsplit(['{', ',', '=']).next().is_some_and(named);
    let depth = |text: &str| text.matches('{').count() as i64 - text.matches('}').count() as i64;
    // In such a table; in a value of more than one line; in so many braces; in a text of more than one line.
    let (mut inside, mut open, mut braces, mut long) = (false, false, 0, false);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (begin, end) = (start, start + line.trim_end().len());
        start += line.len();
        let code = line.trim();
        if code.starts_with('[') && !code.contains(['=', ',']) {
            let header = code.split('#').next().unwrap_or_default();
            (inside, open, braces, long) = (named(header.trim_matches(['[', ']', ' '])), false, 0, false);
            continue;
        }
        match line.match_indices('=').map(|(at, _)| at).find(|at| inside || after_table(&line[..*at])) {
            _ if long => hide(begin..end),
            _ if braces > 0 => {
                hide(begin..end);
                braces += depth(line);
            }
            Some(at) => {
                hide((begin + at + 1).min(end)..end);
                (open, braces) = (true, depth(&line[at..]));
                long = line.contains("\"\"\"") || line.contains("'''");
            }
            None if line.contains('=') => open = false,
            None if inside || open => hide(begin..end),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(text: &str) -> String {
        let shown = text_of(text);
        assert_eq!(shown.len(), text.len(), "places are those of the file");
        shown
    }

    fn text_of(text: &str) -> String {
        match Document::parse(Path::new("x.toml"), text.into()) {
            Ok(document) => document.shown(),
            Err(failed) => failed.0.shown(),
        }
    }

    #[test]
    fn only_values_of_the_environment_are_hidden() {
        let text = "[training.t]\nentry = \"é\" # seen\nenvironment.A = \"sécret\"\n[env.p.function.f.environment]\nB = '''\nse\ncret'''\nC = 5\n";
        let hidden = "[training.t]\nentry = \"é\" # seen\nenvironment.A = \"*******\"\n[env.p.function.f.environment]\nB = '**\n**\n******'\nC = *\n";
        assert_eq!(shown(text), hidden);
    }

    #[test]
    fn a_mistyped_environment_is_hidden_too() {
        let places = [("[training.t]\n", ""), ("[bucket]\n", ""), ("[env.p.training]\nt = { ", " }")];
        for key in ["environments", "Environment", "env", "variables", "environment"] {
            for (before, after) in places {
                let text = format!("{before}{key} = {{ TOKEN = \"secret\" }}{after}\n");
                assert_eq!(shown(&text), text.replace("secret", "******"), "{text}");
            }
            let text = format!("[training.t]\n{key}.TOKEN = \"secret\"\n");
            assert_eq!(shown(&text), text.replace("secret", "******"), "{text}");
        }
        for text in [
            "[env.prod.training.t]\nepochs = 4\n[env.prod]\n",
            "[training.t]\nentry = \"a.py\"\nmax_runtime = \"1h\"\ndata = [\"d\"]\n",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_table_within_a_line_that_is_no_toml_is_hidden() {
        for text in [
            "[training]\nu={source=\"src\",environment={TOKEN=\"secret\"}\n[a]\nb = 1\n",
            "[training]\nu = { environment = {\n  A = \"secret\",\n  B = \"secret\"\n}, x = \n[a]\nb = 1\n",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.starts_with("[training]\nu") && shown.ends_with("[a]\nb = 1\n"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_toml_hides_rather_too_much() {
        let text = "[a.b]\nx = \"seen\n[a.b.environment] # seen\nA = \"secret\nsecret\n[c]\ny = 1\nenvironment = { A = \"secret\"\nsecret }\nz = 2\n";
        let hidden = "[a.b]\nx = \"seen\n[a.b.environment] # seen\nA =********\n******\n[c]\ny = 1\nenvironment =***************\n********\nz = 2\n";
        assert_eq!(shown(text), hidden);
        assert_eq!(
            shown("[a.environment]\nA = \"\"\"\nsecret\ns=ecret"),
            "[a.environment]\nA =****\n******\n*******"
        );
    }
}
