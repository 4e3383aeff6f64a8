//! A plan as Markdown: for a job's summary, or as the one comment that a pipeline keeps up to date.

use std::fmt::Write;

use super::{inside, longest, notes};
use crate::desired::AnyKind;
use crate::domain::{Diagnostic, Severity, many, markdown};
use crate::plan::{Observed, Plan, Step, Verb};
use crate::report::leftovers::{Left, counted, grouped};

/// What GitHub takes as one comment is 65,536 characters
/// (<https://github.com/orgs/community/discussions/27190>); what a pipeline adds to it has room too.
pub const LARGEST: usize = 60_000;

/// So many reasons of a step are shown, each no longer than this.
const REASONS: usize = 4;
const LONGEST: usize = 300;
/// So many warnings, leftovers and the like are shown.
const LISTED: usize = 20;

/// The comment by which a pipeline finds what it wrote before, and nobody sees.
pub fn marker(project: &str, environment: &str) -> String {
    format!("<!-- opsctl:plan {project}/{environment} -->")
}

/// What will be done, in which `place`, and why. `folded` is for a comment: with a marker, and with the steps
/// behind a line to click on.
pub fn render(
    plan: &Plan,
    kinds: &[Box<dyn AnyKind>],
    place: &str,
    have: &Observed,
    warnings: &[Diagnostic],
    folded: bool,
) -> String {
    let scope = &plan.scope;
    let mut out = String::new();
    if folded {
        let _ = writeln!(out, "{}", marker(&scope.project, &scope.environment));
    }
    let _ =
        writeln!(out, "### {} / {}\n", markdown::code(&scope.project), markdown::code(&scope.environment));
    let usual =
        longest(plan, kinds).map(|time| format!(" AWS usually takes about {time}.")).unwrap_or_default();
    let _ = writeln!(out, "**{}** in {}.{usual}", counts(plan), markdown::text(place));
    let end = tail(plan, have, warnings);
    // What is taken away is never behind a line to click on.
    let gone =
        plan.steps.iter().filter(|step| step.op.verb().removes() || !inside(step, plan, kinds).is_empty());
    let gone: Vec<String> = gone.map(|step| deletion(step, plan, kinds)).collect();
    if !gone.is_empty() {
        out.push('\n');
    }
    let mut left_out = push(&mut out, &gone, LARGEST / 2);
    if left_out > 0 {
        let _ = writeln!(out, "- … and {left_out} more");
    }
    if !plan.steps.is_empty() {
        let title = many(plan.steps.len(), "step");
        if folded {
            let _ = write!(out, "\n<details><summary>{title}</summary>\n");
        }
        out.push_str("\n| | Resource | | Why |\n|---|---|---|---|\n");
        let rows: Vec<String> = plan.steps.iter().map(|step| row(step, plan, kinds)).collect();
        let room = LARGEST.saturating_sub(end.len() + 500);
        left_out = push(&mut out, &rows, room);
        if left_out > 0 {
            let _ = writeln!(
                out,
                "\nLeft out, because a comment has a limit: {}. `opsctl plan` shows all.",
                many(left_out, "more step")
            );
        }
        if folded {
            out.push_str("\n</details>\n");
        }
    }
    out + &end
}

/// Appends lines as long as there is room; how many were left out.
fn push(out: &mut String, lines: &[String], room: usize) -> usize {
    for (index, line) in lines.iter().enumerate() {
        if out.len() + line.len() > room {
            return lines.len() - index;
        }
        out.push_str(line);
    }
    0
}

fn counts(plan: &Plan) -> String {
    if plan.is_empty() {
        return format!("Nothing to do, {} unchanged", plan.unchanged.len());
    }
    let count = |verb| plan.steps.iter().filter(|step| step.op.verb() == verb).count();
    let verbs = [
        (Verb::Create, "to create"),
        (Verb::Update, "to update"),
        (Verb::Delete, "to delete"),
        (Verb::Release, "to release"),
    ];
    let mut all: Vec<String> = verbs
        .iter()
        .filter(|(verb, _)| count(*verb) > 0)
        .map(|(verb, words)| format!("{} {words}", count(*verb)))
        .collect();
    all.push(format!("{} unchanged", plan.unchanged.len()));
    all.join(", ")
}

/// A line about something that goes.
fn deletion(step: &Step, plan: &Plan, kinds: &[Box<dyn AnyKind>]) -> String {
    let word = match step.op.verb() {
        Verb::Delete => "deletes",
        Verb::Release => "releases",
        Verb::Create | Verb::Update => "changes",
    };
    let mut line = format!("- {word} {}", markdown::code(&step.target.to_string()));
    for what in inside(step, plan, kinds) {
        let _ = write!(line, ": {}", markdown::text(&markdown::cut(&what, LONGEST)));
    }
    line + "\n"
}

fn row(step: &Step, plan: &Plan, kinds: &[Box<dyn AnyKind>]) -> String {
    let verb = match step.op.verb() {
        Verb::Create => "+ create",
        Verb::Update => "~ update",
        Verb::Delete => "- delete",
        Verb::Release => "&#60; release",
    };
    let reasons: Vec<&String> = step.reasons().collect();
    let mut why: Vec<String> =
        reasons.iter().take(REASONS).map(|reason| markdown::text(&markdown::cut(reason, LONGEST))).collect();
    if let Some(more) = reasons.len().checked_sub(REASONS).filter(|more| *more > 0) {
        why.push(format!("… and {more} more"));
    }
    let notes: Vec<String> = notes(step, plan, kinds).iter().map(|note| markdown::text(note)).collect();
    format!(
        "| {verb} | {} | {} | {} |\n",
        markdown::code(&step.target.to_string()),
        notes.join("<br>"),
        why.join("<br>")
    )
}

/// What is said below the steps.
fn tail(plan: &Plan, have: &Observed, warnings: &[Diagnostic]) -> String {
    let mut out = String::new();
    let mut list = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{title}\n");
        for line in lines.iter().take(LISTED) {
            let _ = writeln!(out, "- {line}");
        }
        if let Some(more) = lines.len().checked_sub(LISTED).filter(|more| *more > 0) {
            let _ = writeln!(out, "- … and {more} more");
        }
    };
    let said = warnings.iter().filter(|warning| warning.severity != Severity::Error).map(|warning| {
        let place = if warning.at.0.is_empty() {
            String::new()
        } else {
            format!(" ({})", markdown::code(&warning.at.to_string()))
        };
        format!("{}: {}{place}", warning.code, markdown::text(&markdown::cut(&warning.message, LONGEST)))
    });
    list("Warnings:", said.collect());
    let unread = have.unread.iter().map(|(id, why, _)| {
        format!("{}: {}", markdown::code(&id.to_string()), markdown::text(&markdown::cut(why, LONGEST)))
    });
    list("Could not be read, and may be of this project:", unread.collect());
    let leftovers = grouped(super::going(plan), |_| false).into_iter().map(|left| match left {
        Left::One(leftover) => markdown::code(&leftover.id.to_string()),
        Left::Many(first, many) => {
            let (id, count) = counted(first, many);
            format!("{}: {count}", markdown::code(&id))
        }
    });
    list("This project's, but no longer in the config (`--prune` deletes them):", leftovers.collect());
    for (heading, foreign) in super::staying(plan) {
        let foreign = foreign.into_iter().map(|foreign| {
            let why = markdown::text(&markdown::cut(&foreign.why(&plan.scope), LONGEST));
            format!("{}: {why}", markdown::code(&format!("{} {}", foreign.target, foreign.physical)))
        });
        list(heading, foreign.collect());
    }
    out
}
