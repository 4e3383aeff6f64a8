//! The audit as text, in six forms. Nothing here prints.

mod github;
mod human;
mod junit;
mod markdown;
mod sarif;

use super::audit::Audit;
use super::finding::Severity;

pub use human::explain;

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML: a test case per rule.
    Junit,
    Markdown,
    /// Workflow commands of GitHub Actions: `::error …::`.
    Github,
}

impl Format {
    /// Every form, by the word that picks it.
    pub const ALL: [(&str, Self); 6] = [
        ("human", Self::Human),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("markdown", Self::Markdown),
        ("github", Self::Github),
    ];
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|(word, _)| *word == text)
            .map(|(_, form)| form)
            .ok_or_else(|| format!("no format is called {text}"))
    }
}

/// What the forms need besides the audit.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The file that findings are shown at, relative to the repository: SARIF and annotations must name one, and
    /// roles have none. Usually the configuration file.
    pub location: &'a str,
    /// Findings as bad as this, and new, fail.
    pub fail_on: Option<Severity>,
    /// How the form for people is colored; [`plain`] for files.
    pub paint: Paint,
}

/// What a piece of text is, for whoever gives it a color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Severe,
    Doubtful,
    Minor,
    Title,
    Advice,
}

/// Gives text the color of its meaning.
pub type Paint = fn(Look, &str) -> String;

/// No color.
pub fn plain(_: Look, text: &str) -> String {
    text.to_owned()
}

/// Renders an audit. Whole lines; for GitHub none when there is nothing to tell.
pub fn render(audit: &Audit, form: Format, options: Options<'_>) -> String {
    match form {
        Format::Human => human::render(audit, options.paint),
        Format::Json => json(audit),
        Format::Sarif => sarif::render(audit, options),
        Format::Junit => junit::render(audit, options),
        Format::Markdown => markdown::render(audit),
        Format::Github => github::render(audit, options),
    }
}

fn json(audit: &Audit) -> String {
    let mut text = serde_json::to_string_pretty(audit).expect("an audit holds text and numbers only");
    text.push('\n');
    text
}

/// `1 role`, `300 roles`.
fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
