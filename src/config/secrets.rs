//! Lines of a config as they may be shown. A problem is shown with its line, in CI logs too, and people do
//! put secrets into `environment`, and beside it. So of the values in a line only the one that the problem is
//! about is shown, and that one only where it is at a key of opsctl's that is not `environment`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use serde_json::Value;

use super::Document;
use super::misspelled::nearest;
use crate::domain::{Diagnostic, KeyPath, codes};

/// Under a name that is near to it too: who mistypes it is told so, with the line.
const TABLE: &str = "environment";
/// Which keys there are is for the kinds to say, which come after this: it has that from the schema that is
/// published. A line of what is no TOML is judged by it too.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../config/opsctl.schema.json"))
        .expect("a test makes it of the kinds")
});

/// The sections that are one table; others have a table for each name, and values below that.
static SINGLE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let sections = SCHEMA["properties"].as_object().into_iter().flatten();
    sections.filter(|(_, section)| section.get("$ref").is_some()).map(|(name, _)| name.as_str()).collect()
});

/// The keys of all sections.
static KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut keys = BTreeSet::from([TABLE.to_owned()]);
    collect_keys(&SCHEMA, &mut keys);
    keys
});

fn collect_keys(schema: &Value, keys: &mut BTreeSet<String>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        if key == "properties" {
            keys.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
        collect_keys(value, keys);
    }
}

fn is_table(key: &str) -> bool {
    nearest(&key.to_lowercase(), [TABLE, "env", "variables"]).is_some()
}

/// Whether a value at this place is one that opsctl reads, and none of an environment.
pub(super) fn may_be_shown(at: &KeyPath) -> bool {
    let at = &at.0[..];
    let at = match at {
        [first, _, rest @ ..] if first == "env" => rest,
        _ => at,
    };
    let is_read = match at {
        [section, _] => SINGLE.contains(section.as_str()),
        _ => at.len() > 2,
    };
    is_read && !at.iter().skip(1).take(2).any(|key| is_table(key))
}

impl Document {
    /// The key at these bytes of a text that is no TOML, if it may be named: one of opsctl's, or one in the
    /// header of a section.
    pub(super) fn key_shown(&self, key: Range<usize>) -> Option<&str> {
        let start = self.text[..key.start].rfind('\n').map_or(0, |at| at + 1);
        let is_in_header = header_end(self.text[start..].lines().next()?.as_bytes()).is_some();
        let key = self.text[key].trim_matches(['"', '\'']);
        Some(key).filter(|key| is_in_header || KEYS.contains(*key))
    }

    /// The value at this place, and those in it where it is a list.
    fn with_items(&self, at: KeyPath) -> impl Iterator<Item = Range<usize>> {
        let value = at.0.split_first().and_then(|(section, keys)| {
            keys.iter().try_fold(self.values().get(section)?, |table, key| table.get(key))
        });
        let items = value.and_then(Value::as_array).map_or(0, Vec::len);
        let items: Vec<KeyPath> = (0..items).map(|place| at.join(place.to_string())).collect();
        std::iter::once(at).chain(items).filter_map(|at| self.exact_value_span(&at))
    }

    /// A line of the text as it may be shown with a problem: without a comment, and with an asterisk for each
    /// byte of what is not shown.
    pub fn shown(&self, line: Range<usize>, problem: &Diagnostic) -> String {
        let mut text = self.text.as_bytes()[line.clone()].to_vec();
        if self.values().is_empty() {
            // It could not be read, so nobody knows where a value begins and ends.
            hide_unread(&mut text);
        } else {
            let about: Vec<Range<usize>> = match problem.code {
                codes::UNKNOWN_KEY => Vec::new(),
                _ => meant(problem).flat_map(|at| self.with_items(at)).collect(),
            };
            // What follows the last key and the last value may be a comment.
            let mut end = self.keys_end(&line).unwrap_or(line.start);
            for place in self.leaves(&line) {
                end = end.max(place.end.min(line.end));
                if !about.contains(&place) {
                    let clipped = place.start.max(line.start)..place.end.min(line.end);
                    let whole = clipped == place;
                    hide_value(&mut text[clipped.start - line.start..clipped.end - line.start], whole);
                }
            }
            // A very long line is shown in part, and its keys may end outside of that.
            let rest = end.clamp(line.start, line.end) - line.start;
            if let Some(at) = text[rest..].iter().position(|byte| *byte == b'#') {
                text.truncate(rest + at);
                text.truncate(text.trim_ascii_end().len());
            }
        }
        String::from_utf8(text)
            .expect("an asterisk is a character of its own, and all bytes of one are hidden")
    }
}

/// Where the values are that a problem is about and that may be shown: its own, and those beside it or in it
/// that its message names: "`min` (3) is above `max` (1)".
fn meant(problem: &Diagnostic) -> impl Iterator<Item = KeyPath> + '_ {
    let names = problem.message.split('`').skip(1).step_by(2);
    let named = names.flat_map(move |name| {
        let beside = problem.at.parent().map(|table| table.join(name));
        beside.into_iter().chain([problem.at.join(name)])
    });
    [problem.at.clone()].into_iter().chain(named).filter(may_be_shown)
}

/// The quotes around a value stay.
fn hide_value(value: &mut [u8], whole: bool) {
    let quotes = |byte: &u8| [b'"', b'\''].contains(byte);
    let quoted = value.first().is_some_and(quotes) && value.len() > 1;
    let last = value.len() - usize::from(quoted && whole && value.first() == value.last());
    hide(&mut value[usize::from(quoted)..last]);
}

fn hide(text: &mut [u8]) {
    text.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b'*');
}

/// Where the header of a section of opsctl's ends that a line is: what tables are called is no secret.
fn header_end(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|byte| *byte == b']')?;
    let names = std::str::from_utf8(&line[..end]).ok()?.trim_start().strip_prefix('[')?;
    let names = names.strip_prefix('[').unwrap_or(names);
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    let section = names.split('.').next()?.trim();
    let is_section = section == "env" || SCHEMA["properties"].get(section).is_some();
    (is_section && names.chars().all(is_bare)).then_some(end)
}

/// Of a text that is no TOML only the key at its beginning, the header of a section and the punctuation are
/// shown.
fn hide_unread(line: &mut [u8]) {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let start = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut may_be_key = true;
    let is_header = line.get(start) == Some(&b'[');
    let mut at = header_end(line).unwrap_or(start);
    while at < line.len() {
        let length = line[at..].iter().take_while(|byte| is_word(**byte)).count();
        if length > 0 {
            let word = std::str::from_utf8(&line[at..at + length]).unwrap_or_default();
            if !(may_be_key && KEYS.contains(word)) {
                line[at..at + length].fill(b'*');
            }
            at += length;
            may_be_key = may_be_key && is_header;
            continue;
        }
        match line[at] {
            b'[' | b']' | b'.' | b'"' | b'\'' | b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'}' | b'=' | b',' | b':' | b'#' => may_be_key = false,
            _ => line[at] = b'*',
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The line with the text `marked`, as it is shown with a problem at `at`.
    fn shown(text: &str, marked: &str, at: &[&str]) -> String {
        let document = match Document::parse(Path::new("x.toml"), text.into()) {
            Ok(document) => document,
            Err(failed) => failed.0,
        };
        let place = text.find(marked).unwrap();
        let start = text[..place].rfind('\n').map_or(0, |at| at + 1);
        let line = start..text[place..].find('\n').map_or(text.len(), |at| place + at);
        let problem = Diagnostic::error(codes::BAD_VALUE, KeyPath::of(at), "", "");
        document.shown(line.clone(), &problem)
    }

    #[test]
    fn only_the_value_that_is_meant_is_shown() {
        let text = "[training]\nt = { source = \"é\", entry = 'b.py' } # why\n[audit]\ngrace = \"1d\"\n";
        assert_eq!(shown(text, "é", &["training", "t", "source"]), "t = { source = \"é\", entry = '****' }");
        assert_eq!(shown(text, "é", &["training", "t"]), "t = { source = \"**\", entry = '****' }");
        assert_eq!(shown(text, "grace", &["audit", "grace"]), "grace = \"1d\"");
        let text = "[training.t]\ninclude = [\"a.py\"]\nhyperparameters = { 0 = \"é\" }\n[bucket]\n";
        assert_eq!(shown(text, "include", &["training", "t", "include"]), "include = [\"a.py\"]");
        assert_eq!(shown(text, "include", &["training", "t", "entry"]), "include = [\"****\"]");
        let whole = shown(text, "0 =", &["training", "t", "hyperparameters"]);
        assert_eq!(whole, "hyperparameters = { 0 = \"**\" }");
        let text = "[training.t]\nenvironment.A = \"sécret\"\nB = '''\nse\ncret'''\n[env]\nC = \"x\"\n";
        assert_eq!(shown(text, "sé", &["training", "t", "environment", "A"]), "environment.A = \"*******\"");
        assert_eq!(shown(text, "cret'''", &["training", "t"]), "*******");
        assert_eq!(shown(text, "C", &["env", "C"]), "C = \"*\"");
    }

    /// "`min` (3) is above `max` (1)"
    #[test]
    fn the_values_that_the_message_names_are_shown() {
        let text = "[endpoint.e]\nautoscaling = { min = 3, max = 1, target_invocations_per_instance = 7 }\n";
        let document = Document::parse(Path::new("x.toml"), text.into()).unwrap();
        let at = KeyPath::of(["endpoint", "e", "autoscaling", "min"]);
        let problem = Diagnostic::error(codes::BAD_VALUE, at, "`min` (3) is above `max` (1)", "");
        let line = document.shown(text.find("auto").unwrap()..text.len() - 1, &problem);
        assert_eq!(line, "autoscaling = { min = 3, max = 1, target_invocations_per_instance = * }");
        // In an environment nothing is.
        let text = "[training.t]\nenvironment = { a = \"x\", b = \"y\" }\n";
        let document = Document::parse(Path::new("x.toml"), text.into()).unwrap();
        let at = KeyPath::of(["training", "t", "environment", "a"]);
        let problem = Diagnostic::error(codes::BAD_VALUE, at, "`a` and `b`", "");
        let line = document.shown(text.find("env").unwrap()..text.len() - 1, &problem);
        assert_eq!(line, "environment = { a = \"*\", b = \"*\" }");
    }

    #[test]
    fn of_what_is_no_toml_only_keys_are_shown() {
        let text =
            "[training.shop.environment] # a=b\nTOKEN = a b\n entry = x.py\nexport data=s\n\"spot\" é\n[x\n";
        assert_eq!(shown(text, "shop", &[""]), "[training.shop.environment] # *=*");
        assert_eq!(shown(text, "TOKEN", &[""]), "***** = * *");
        assert_eq!(shown(text, "entry", &[""]), " entry = *.**");
        assert_eq!(shown(text, "export", &[""]), "****** ****=*");
        assert_eq!(shown(text, "spot", &[""]), "\"spot\" **");
        // No section of opsctl's: an item of a list may begin like a header.
        let text = "[other.secret]\nx = [\n[secret]\n[training\n[training.\"é\"] b\n";
        assert_eq!(shown(text, "other", &[""]), "[*****.******]");
        assert_eq!(shown(text, "[secret", &[""]), "[******]");
    }
}
