//! A plan, for people, as Markdown and as JSON.

pub mod markdown;

use std::fmt::Write;

use serde_json::{Value, json};

use super::leftovers::{Left, counted, grouped};
use super::style::Styles;
use crate::desired::{AnyKind, kind_of};
use crate::domain::wrap::wrapped;
use crate::domain::{Contents, FieldChange, HumanDuration, many, shown};
use crate::plan::{Foreign, Leftover, Op, Plan, Step, Verb};

/// What will be done, in which `place`, and why; `why` also shows long reasons in full. In fewer than `width`
/// columns what is said beside a resource is below it. `None`: there is no terminal, and lines may be long.
pub fn human(
    plan: &Plan,
    kinds: &[Box<dyn AnyKind>],
    place: &str,
    why: bool,
    width: Option<usize>,
    styles: &Styles,
) -> String {
    let mut text = String::new();
    let scope = &plan.scope;
    let title = format!("{} / {}", scope.project, scope.environment);
    let _ = writeln!(text, "{}  {}\n", styles.strong(&title), styles.faint(place));
    for step in &plan.steps {
        one_step(&mut text, step, plan, kinds, why, width, styles);
        for line in inside(step, plan, kinds) {
            let _ = writeln!(text, "      {line}");
        }
    }
    if plan.is_empty() && plan.destroys() {
        let _ = writeln!(text, "Nothing to delete.");
    } else if plan.is_empty() {
        let _ = writeln!(text, "Nothing to do{}.", as_the_config_says(plan.unchanged.len()));
    } else {
        let count = |verb| plan.steps.iter().filter(|s| s.op.verb() == verb).count();
        let sums = format!(
            "{} to create, {} to update, {} to delete{}, {} unchanged{}",
            count(Verb::Create),
            count(Verb::Update),
            count(Verb::Delete),
            Some(count(Verb::Release))
                .filter(|n| *n > 0)
                .map(|n| format!(", {n} to release"))
                .unwrap_or_default(),
            plan.unchanged.len(),
            longest(plan, kinds).map(|time| format!("; AWS usually takes about {time}")).unwrap_or_default(),
        );
        let _ = writeln!(text, "\n{}", wrapped(&sums, width.unwrap_or(usize::MAX)).join("\n"));
    }
    leftovers(&mut text, plan, styles);
    for (heading, foreign) in staying(plan) {
        let _ = writeln!(text, "\n{heading}");
        for foreign in foreign {
            let line = format!("{} `{}`: {}", foreign.target, foreign.physical, foreign.why(scope));
            let _ = writeln!(text, "  {}", shown::line(&line));
        }
    }
    text
}

/// What nobody wants; but of what stays for somebody that is said ([`staying`]).
fn going(plan: &Plan) -> Vec<&Leftover> {
    let goes = |leftover: &&Leftover| plan.foreign.iter().all(|foreign| foreign.target != leftover.id);
    plan.leftovers.iter().filter(goes).collect()
}

/// What is no longer in the config, generations of one resource in one line.
fn leftovers(text: &mut String, plan: &Plan, styles: &Styles) {
    let leftovers = going(plan);
    if leftovers.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nThis project's, but no longer in the config (--prune deletes them):");
    let is_told = |leftover: &Leftover| leftover.runs.is_some() || leftover.bills;
    for left in grouped(leftovers, is_told) {
        let leftover = match left {
            Left::One(leftover) => leftover,
            Left::Many(first, many) => {
                let (id, count) = counted(first, many);
                let _ = writeln!(text, "  {}  {count}", styles.faint(&shown::line(&id)));
                continue;
            }
        };
        let id = leftover.id.to_string();
        let id = shown::line(&id);
        match &leftover.runs {
            None if leftover.bills => drop(writeln!(text, "  {id}  {BILLS}")),
            None => drop(writeln!(text, "  {}", styles.faint(&id))),
            Some(word) => {
                let _ = writeln!(text, "  {id}  {}: {}", shown::line(word), still_bills(&id));
            }
        }
    }
}

/// What a destroy leaves, below what is said of it.
fn staying(plan: &Plan) -> impl Iterator<Item = (&'static str, Vec<&Foreign>)> {
    let (used, others): (Vec<_>, Vec<_>) = plan.foreign.iter().partition(|f| f.used_by.is_some());
    let lists = [
        ("Not this project's by its tags, so it stays as it is:", others),
        ("This project's, and stays because what stays may use it:", used),
    ];
    lists.into_iter().filter(|(_, foreign)| !foreign.is_empty())
}

/// What is said of something that nobody wants any more, and that costs money.
pub fn still_bills(id: &str) -> String {
    format!("it still runs, and costs money on AWS; `opsctl stop {id}` stops it")
}

/// The same of what does nothing but stand there.
const BILLS: &str = "it costs money on AWS until it is deleted";

fn as_the_config_says(resources: usize) -> String {
    match resources {
        0 => String::new(),
        n => format!(": {} {} the config", many(n, "resource"), if n == 1 { "matches" } else { "match" }),
    }
}

fn one_step(
    text: &mut String,
    step: &Step,
    plan: &Plan,
    kinds: &[Box<dyn AnyKind>],
    why: bool,
    width: Option<usize>,
    styles: &Styles,
) {
    let target = step.target.to_string();
    let target = shown::line(&target);
    let sign = match step.op.verb() {
        Verb::Create => styles.create(&format!("+ {target}")),
        Verb::Update => styles.update(&format!("~ {target}")),
        Verb::Delete => styles.delete(&format!("- {target}")),
        Verb::Release => styles.update(&format!("< {target}")),
    };
    let pad = " ".repeat(34_usize.saturating_sub(target.len() + 2).max(2));
    let notes = notes(step, plan, kinds);
    // AWS's words, and others' in them.
    let beside = notes.join("  ");
    let columns = 2 + 2 + target.chars().count() + pad.len() + beside.chars().count();
    match width.is_some_and(|width| columns > width) {
        false => {
            let line = format!("  {sign}{pad}{}", styles.faint(&shown::line(&beside)));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        true => {
            let _ = writeln!(text, "  {sign}");
            for note in &notes {
                let _ = writeln!(text, "      {}", styles.faint(&shown::line(note)));
            }
        }
    }
    // Why it is made again stands where it is deleted.
    let is_said =
        |other: &Step| other.target == step.target && other.op == Op::Delete && other.why == step.why;
    let is_again = matches!(step.op, Op::Create { .. }) && !why && plan.steps.iter().any(is_said);
    // The sign before the step says the rest already.
    let reasons: Vec<&String> = match why {
        true => step.why.iter().collect(),
        false if is_again => Vec::new(),
        false => step.reasons().collect(),
    };
    let shown = if why { reasons.len() } else { 4 };
    for reason in reasons.iter().take(shown) {
        let _ = writeln!(text, "      {}", shown::line(reason));
    }
    if reasons.len() > shown {
        let _ = writeln!(text, "      … and {} more (--why shows all)", reasons.len() - shown);
    }
}

/// Its name in AWS, what it is made with, and how long that takes.
fn notes(step: &Step, plan: &Plan, kinds: &[Box<dyn AnyKind>]) -> Vec<String> {
    let summary = match &step.op {
        Op::Create { spec } => spec.summary(),
        _ => String::new(),
    };
    let usual = kind_of(kinds, step.target.kind).usual(step.op.verb());
    let usual = usual.filter(|t| *t >= HumanDuration::minutes(1));
    let usual = match plan.took.get(&step.target) {
        Some(took) => Some(format!("{took} the last time")),
        None => usual.map(|t| format!("about {t}")),
    };
    // A leftover goes by its physical name already.
    let physical = (step.target.name != step.physical).then(|| step.physical.clone());
    [physical, Some(summary), usual].into_iter().flatten().filter(|n| !n.is_empty()).collect()
}

/// What goes with a resource and what stays, so that a yes is a yes to all of it.
fn inside(step: &Step, plan: &Plan, kinds: &[Box<dyn AnyKind>]) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(step.takes_along(kinds).map(|along| format!("deletes with it {along}")));
    let Contents { ours, others, examples, .. } =
        plan.contents.get(&step.target).cloned().unwrap_or_default();
    let named = || {
        let more = if others.objects + others.old_versions > examples.len() as u64 { ", …" } else { "" };
        let names: Vec<_> = examples.iter().map(|key| shown::line(key)).collect();
        format!("{}{more}", names.join(", "))
    };
    if !ours.is_empty() && step.op.verb().removes() {
        lines.push(format!("deletes from it {ours} of this project"));
    }
    if !others.is_empty() {
        let word = if step.op == Op::Release { "leaves in it" } else { "deletes from it" };
        lines.push(format!("{word} {others} that opsctl did not put there: {}", named()));
    }
    if step.op == Op::Release {
        lines.push("`opsctl destroy --adopted` would delete it too, with everything in it".into());
    }
    lines
}

/// The longest chain of usual times: what is parallel costs nothing extra.
fn longest(plan: &Plan, kinds: &[Box<dyn AnyKind>]) -> Option<HumanDuration> {
    let mut ends: Vec<u64> = Vec::new();
    for step in &plan.steps {
        let kind = kind_of(kinds, step.target.kind);
        let usual = plan.took.get(&step.target).copied().or_else(|| kind.usual(step.op.verb()));
        let own = usual.map_or(1, HumanDuration::as_secs);
        let start = step.after.iter().map(|after| ends[*after]).max().unwrap_or(0);
        ends.push(start + own);
    }
    let minutes = ends.into_iter().max()?.div_ceil(60);
    (minutes > 1).then(|| HumanDuration::minutes(minutes))
}

/// The JSON shape that others rely on (docs/decisions/0028): `steps` with `target`, `op`, `why`, and
/// `unchanged`.
pub fn json(plan: &Plan, kinds: &[Box<dyn AnyKind>], place: &str) -> Value {
    let step = |step: &Step| {
        let changes: &[FieldChange] = match &step.op {
            Op::Update { changes, .. } => changes,
            _ => &[],
        };
        json!({
            "id": step.id, "target": step.target, "op": step.op.verb(), "physical": step.physical,
            "after": step.after, "why": step.why, "changes": changes,
            // Its contents: `ours` goes, `others` goes only with the whole.
            "contents": plan.contents.get(&step.target), "whole": matches!(step.op, Op::DeleteWhole { .. }),
            // What goes with it, and nobody can count.
            "takes_along": step.takes_along(kinds),
        })
    };
    json!({
        "format": 1,
        "project": plan.scope.project,
        "environment": plan.scope.environment,
        "account": plan.scope.account,
        "region": plan.scope.region,
        // In a person's words: the sandbox, or an account and a region, and where that is if it is not AWS.
        "target": place,
        "fingerprint": plan.fingerprint(),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "leftovers": plan.leftovers,
        // What has a name of this project, but not its tags.
        "foreign": plan.foreign,
    })
}
