//! The audit as text, in ten forms. Nothing here prints.

mod asff;
mod brief;
pub mod change;
mod csv;
mod github;
mod html;
mod human;
mod junit;
mod lines;
mod markdown;
mod ocsf;
mod sarif;

use super::account::UNTOLD;
use super::audit::Audit;
use super::finding::{Finding, NotEvaluated, Severity};
use crate::domain::shown;

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
    /// One self-contained page.
    Html,
    /// A sheet for triage.
    Csv,
    /// OCSF, an event a line.
    Ocsf,
    /// What Security Hub imports.
    Asff,
}

impl Format {
    /// Every form, by the word that picks it.
    pub const ALL: [(&str, Self); 10] = [
        ("human", Self::Human),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("markdown", Self::Markdown),
        ("github", Self::Github),
        ("html", Self::Html),
        ("csv", Self::Csv),
        ("ocsf", Self::Ocsf),
        ("asff", Self::Asff),
    ];
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|(word, _)| *word == text)
            .map(|(_, form)| form)
            .ok_or_else(|| format!("unknown format {text}"))
    }
}

/// What the forms need besides the audit.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The file that findings are shown at, relative to the repository: SARIF and annotations must name one,
    /// and roles have none. Usually the configuration file.
    pub location: &'a str,
    /// Findings as bad as this, and new, fail.
    pub fail_on: Option<Severity>,
    /// How the form for people is colored; [`plain`] for files.
    pub paint: Paint,
}

/// How the form for people looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Columns to break lines at; `None`: lines are as long as what they say.
    pub width: Option<usize>,
    /// All evidence of every finding, and everybody whom it is about.
    pub details: bool,
    /// `None`: few findings are told in full, many by rule.
    pub group_by: Option<GroupBy>,
}

/// What the lines of many findings are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Rule,
    Role,
}

/// What a piece of text is, for whoever gives it a color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    Severe,
    Doubtful,
    Minor,
    Title,
    Advice,
}

/// Gives text the color of its meaning.
pub type Paint = fn(Emphasis, &str) -> String;

/// No color.
pub fn plain(_: Emphasis, text: &str) -> String {
    text.to_owned()
}

/// Renders an audit. Whole lines; for GitHub none when there is nothing to report.
pub fn render(audit: &Audit, form: Format, options: Options<'_>) -> String {
    render_as(audit, form, options, Layout::default())
}

/// As [`render`], with a look for people.
pub fn render_as(audit: &Audit, form: Format, options: Options<'_>, look: Layout) -> String {
    match form {
        Format::Json => shown::json(&json(audit)).into_owned(),
        Format::Sarif => shown::json(&sarif::render(audit, options)).into_owned(),
        Format::Human => human::render(&visible(audit), options.paint, look),
        Format::Junit => junit::render(&visible(audit), options),
        Format::Markdown => markdown::render(&visible(audit)),
        Format::Github => github::render(&visible(audit), options),
        Format::Html => html::render(&visible(audit)),
        Format::Csv => csv::render(&visible(audit)),
        Format::Ocsf => shown::json(&ocsf::render(audit)).into_owned(),
        Format::Asff => shown::json(&asff::render(audit)).into_owned(),
    }
}

/// The audit with everything in it fit to be shown: whoever may name a role or write a policy may write
/// anything.
fn visible(audit: &Audit) -> Audit {
    let line = |text: &String| shown::line(text).into_owned();
    // Every field is named, so that none is copied only to be thrown away.
    let finding = |f: &Finding| Finding {
        rule: f.rule,
        severity: f.severity,
        resource: line(&f.resource),
        title: line(&f.title),
        evidence: f.evidence.iter().map(line).collect(),
        // What to write instead may be several lines.
        fix: shown::text(&f.fix).into_owned(),
        fingerprint: f.fingerprint.clone(),
        status: f.status,
        cause: f.cause.clone(),
        actions: f.actions.clone(),
        line: f.line,
        compliance: f.compliance,
        muted: f.muted.as_ref().map(line),
    };
    let not_evaluated = |entry: &NotEvaluated| NotEvaluated {
        rule: entry.rule,
        reason: line(&entry.reason),
        optional: entry.optional,
        resources: entry.resources.iter().map(line).collect(),
    };
    Audit {
        account: match audit.account.as_str() {
            "" | UNTOLD => "unknown".into(),
            _ => line(&audit.account),
        },
        findings: audit.findings.iter().map(finding).collect(),
        muted: audit.muted.iter().map(finding).collect(),
        not_evaluated: audit.not_evaluated.iter().map(not_evaluated).collect(),
        format: audit.format,
        at: audit.at,
        catalogue_date: audit.catalogue_date,
        summary: audit.summary.clone(),
        fixed: audit.fixed.clone(),
    }
}

fn json(audit: &Audit) -> String {
    let mut text = serde_json::to_string_pretty(audit).expect("an audit holds text and numbers only");
    text.push('\n');
    text
}
