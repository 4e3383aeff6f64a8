//! `[lint]`: which warnings a project does not want to hear.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::domain::{Diagnostic, Diagnostics, KeyPath, Severity, codes};

/// `[lint]`: which warnings of `check`, `plan` and `deploy` are silenced.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lint {
    /// Codes of the warnings to silence, such as `"C101"`. Errors cannot be silenced.
    allow: Vec<LintCode>,
}

/// The code of a warning; [`Lint::check`] refuses others.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct LintCode(String);

impl JsonSchema for LintCode {
    fn schema_name() -> Cow<'static, str> {
        "LintCode".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": codes::LINTS })
    }
}

/// Where the codes are listed.
fn at(i: usize) -> KeyPath {
    KeyPath::of(["lint", "allow", &i.to_string()])
}

impl Lint {
    /// Refuses codes that are none of a warning.
    pub(super) fn check(&self, problems: &mut Diagnostics) {
        for (i, LintCode(code)) in self.allow.iter().enumerate() {
            if codes::LINTS.iter().any(|known| known.as_str() == code) {
                continue;
            }
            let (text, help) = match codes::explained(code) {
                Some(known) if known.code == code => (
                    format!("{code} is not the code of a warning, and only warnings can be allowed"),
                    format!("remove it; `opsctl explain {code}` says what it is"),
                ),
                Some(known) => (format!("\"{code}\" is not a code"), format!("write \"{}\"", known.code)),
                None => (
                    format!("\"{code}\" is not a code"),
                    match codes::LINTS.iter().find(|known| strsim::levenshtein(known.as_str(), code) == 1) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => "the code is in brackets after the word `warning`, such as C101".to_owned(),
                    },
                ),
            };
            problems.push(Diagnostic::error(codes::BAD_VALUE, at(i), text, help));
        }
    }

    /// Takes the allowed warnings out. The places of those in the list that silenced one.
    pub fn silence(&self, problems: &mut Diagnostics) -> BTreeSet<KeyPath> {
        let mut used = BTreeSet::new();
        problems.0.retain(|problem| {
            let code = problem.code.as_str();
            let allowed = self.allow.iter().position(|allowed| allowed.0 == code);
            let allowed = allowed.filter(|_| problem.severity == Severity::Warning);
            used.extend(allowed.map(at));
            allowed.is_none()
        });
        used
    }

    /// Every place in the list, with its code.
    pub fn allowed(&self) -> impl Iterator<Item = (KeyPath, &str)> {
        self.allow.iter().enumerate().map(|(i, code)| (at(i), code.0.as_str()))
    }

    /// What is said of a code at `at` that silences nothing.
    pub fn unused(at: KeyPath, code: &str) -> Diagnostic {
        let text = format!("{code} is allowed, and nothing warns of it");
        Diagnostic::warning(codes::UNUSED_ALLOW, at, text, "remove it")
    }
}
