//! The answer to "does this change give new access?".

use std::fmt::Write;

use serde_json::json;

use super::lines::wrapped;
use super::{Emphasis, Format, Layout, Options};
use crate::audit::account::{Problem, name_of};
use crate::audit::against::Gain;
use crate::domain::workflow::{data, property};
use crate::domain::{many, markdown, shown};

/// What a change gives, and what is not known of it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The file that it is compared with.
    pub against: &'a str,
    pub gains: &'a [Gain],
    /// What could not be read of either side.
    pub gaps: &'a [&'a Problem],
}

/// The forms that it is told in. The others have a place for rules and findings, and this is neither.
pub const FORMATS: [(&str, Format); 4] = [
    ("human", Format::Human),
    ("json", Format::Json),
    ("markdown", Format::Markdown),
    ("github", Format::Github),
];

/// Renders the answer; `None` in a form that it is not told in.
pub fn render(change: Change<'_>, form: Format, options: Options<'_>, look: Layout) -> Option<String> {
    match form {
        Format::Human => Some(human(change, options, look)),
        Format::Json => Some(shown::json(&json(change)).into_owned()),
        Format::Markdown => Some(in_markdown(change)),
        Format::Github => Some(github(change, options)),
        _ => None,
    }
}

/// The answer in a sentence.
fn answer(change: Change<'_>) -> String {
    let old = shown::line(change.against);
    match (change.gains.len(), change.gaps.is_empty()) {
        (0, true) => format!("No new access: nobody may do more than in {old}."),
        (0, false) => format!("No new access was found beside {old}, but not everything could be read."),
        (1, _) => format!("New access: 1 principal may do more, or more may become it, than in {old}."),
        (n, _) => format!("New access: {n} principals may do more, or more may become them, than in {old}."),
    }
}

fn gap(problem: &Problem) -> String {
    match problem.resource.as_str() {
        "" => shown::line(&problem.reason).into_owned(),
        of => shown::line(&format!("{}: {}", name_of(of), problem.reason)).into_owned(),
    }
}

fn human(change: Change<'_>, options: Options<'_>, look: Layout) -> String {
    let look_of_answer = if change.gains.is_empty() { Emphasis::Title } else { Emphasis::Severe };
    let mut out = format!("{}\n", (options.paint)(look_of_answer, &answer(change)));
    for gain in change.gains {
        let _ = writeln!(out, "\n{}", (options.paint)(Emphasis::Title, &shown::line(&gain.principal)));
        for line in &gain.lines {
            let _ = writeln!(out, "  - {}", wrapped(&shown::line(line), look.width, 4));
        }
    }
    if !change.gaps.is_empty() {
        out.push_str("\nNot read:\n");
    }
    for problem in change.gaps {
        let _ = writeln!(out, "  {}", wrapped(&gap(problem), look.width, 4));
    }
    out
}

fn json(change: Change<'_>) -> String {
    let gains = change.gains.iter().map(|gain| json!({"principal": gain.principal, "lines": gain.lines}));
    let gaps = change.gaps.iter().map(|gap| json!({"resource": gap.resource, "reason": gap.reason}));
    let document = json!({
        "format": 1, "against": change.against, "new_access": !change.gains.is_empty(),
        "complete": change.gaps.is_empty(),
        "gains": gains.collect::<Vec<_>>(), "not_read": gaps.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn in_markdown(change: Change<'_>) -> String {
    let mut out = format!("## IAM: new access\n\n{}\n", markdown::text(&answer(change)));
    if !change.gains.is_empty() {
        out.push_str("\n| who | what |\n|---|---|\n");
    }
    for gain in change.gains {
        for line in &gain.lines {
            let _ =
                writeln!(out, "| {} | {} |", markdown::code(name_of(&gain.principal)), markdown::text(line));
        }
    }
    if !change.gaps.is_empty() {
        let _ = writeln!(out, "\n{} not read:", many(change.gaps.len(), "thing"));
    }
    for problem in change.gaps {
        let _ = writeln!(out, "- {}", markdown::text(&gap(problem)));
    }
    out
}

/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
fn github(change: Change<'_>, options: Options<'_>) -> String {
    let file = property(options.location);
    let of = |gain: &Gain| {
        let said: Vec<_> = gain.lines.iter().map(|line| shown::line(line)).collect();
        let text = format!("{}\n{}", shown::line(&gain.principal), said.join("\n"));
        format!("::error file={file},title=new access::{}\n", data(&text))
    };
    let not_read = |problem: &&Problem| format!("::warning title=not read::{}\n", data(&gap(problem)));
    change.gains.iter().map(of).chain(change.gaps.iter().map(not_read)).collect()
}
