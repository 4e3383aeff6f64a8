//! What there is of a project, for people in as many columns as they have, and as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::cost;
use super::leftovers::{Left, counted, grouped};
use super::plan::still_bills;
use super::style::Styles;
use crate::cost::Bill;
use crate::domain::fingerprint::stem;
use crate::domain::{Facts, HumanDuration, Owner, Phase, ResourceId, Scope, few, figure, shown};
use crate::evidence::Instead;
use crate::plan::Leftover;
use crate::run::overview::{Overview, Row};

/// The title of all that shows a project: `digits / dev  SANDBOX, us-east-1`.
pub fn title(project: &str, environment: &str, place: &str, styles: &Styles) -> String {
    format!("{}  {}", styles.strong(&format!("{project} / {environment}")), styles.faint(place))
}

/// A line each, and below it what else is known. In fewer than `width` columns a line is broken between
/// columns, never inside one. `None`: there is no terminal, and lines may be long.
pub fn human(overview: &Overview, width: Option<usize>, styles: &Styles) -> String {
    let lines: Vec<Line> = overview
        .rows
        .iter()
        .map(|row| Line::of(row, &overview.bill))
        .chain(leftovers(overview))
        .chain(lost(overview))
        .collect();
    let head = ["RESOURCE", "STATE", "AGE", "NAME IN AWS"];
    let widest = |column: usize| {
        let cells = lines.iter().map(|line| line.cells[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths = [widest(0), widest(1), widest(2), widest(3)];
    let room = width.unwrap_or(usize::MAX);
    // Two blanks between columns.
    let columns = (1..=4).rev().find(|n| widths[..*n].iter().sum::<usize>() + 2 * (n - 1) <= room);
    let columns = match columns.unwrap_or(1) {
        // The state alone beside the resource says too little.
        2 => 1,
        columns => columns,
    };
    let mut text = String::new();
    if columns > 1 {
        text += &padded(&head.map(str::to_owned)[..columns], &widths, None, styles);
    }
    for line in &lines {
        text += &padded(&line.cells[..columns], &widths, Some(line.phase), styles);
        let mut below: Vec<String> = Vec::new();
        if columns == 1 {
            let state = [styles_of(line.phase, styles, &line.cells[1]), line.cells[2].clone()];
            below.push(state.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  "));
        }
        if columns < 4 {
            below.push(line.cells[3].clone());
        }
        below.extend(line.details.iter().cloned());
        below.extend(line.cost.clone());
        for detail in below.iter().filter(|detail| !detail.is_empty()) {
            text += &format!("  {detail}\n");
        }
    }
    text
}

/// A resource in columns, and what is below.
struct Line {
    cells: [String; 4],
    phase: Phase,
    details: Vec<String>,
    /// What it costs now.
    cost: Option<String>,
}

impl Line {
    fn of(row: &Row, bill: &Bill) -> Self {
        let foreign = row.owner.as_ref().filter(|owner| !owner.is_managed());
        let foreign = foreign
            .map(|owner| format!(", not this project's: {}", shown::line(&owner.to_string())))
            .unwrap_or_default();
        let state = format!("{}{foreign}", shown::line(&row.status.word));
        let cells = [
            row.id.to_string(),
            state,
            row.age.map(round).unwrap_or_default(),
            shown::line(&row.physical).into_owned(),
        ];
        let reason = row.status.cause();
        let known = known(&row.metrics, &row.facts, row.took.map(|took| took.0));
        let details = [reason, differs(row), not_compared(row), instead(row), Some(known), row.page.clone()]
            .into_iter()
            .flatten();
        let details = details.filter(|d| !d.is_empty()).collect();
        let cost = hourly(&row.id, bill);
        Self { cells, phase: row.status.phase, details, cost }
    }
}

/// `not as the config has it: min: 1 -> 2`
fn differs(row: &Row) -> Option<String> {
    /// Changes that are named; `opsctl plan` has all.
    const SHOWN: usize = 3;
    let text = few(&row.differs, SHOWN);
    let text = format!("not as the config has it: {}; `opsctl deploy` changes that", shown::line(&text));
    Some(text).filter(|_| !row.differs.is_empty())
}

fn not_compared(row: &Row) -> Option<String> {
    let why = row.not_compared.as_ref()?;
    Some(format!("could not be compared with the config: {}", shown::line(why)))
}

fn instead(row: &Row) -> Option<String> {
    let Instead { endpoint, physical } = row.instead.as_ref()?;
    Some(format!("not what {endpoint} serves: that is {}", shown::line(physical)))
}

/// Generations that only lie there are one line, however many they are.
fn leftovers(overview: &Overview) -> impl Iterator<Item = Line> + '_ {
    let is_told = |leftover: &Leftover| {
        let bills = overview.bill.of(&leftover.id).is_some_and(|of| of.now.runs());
        bills || leftover.runs.is_some() || overview.marked.contains_key(&leftover.id)
    };
    grouped(&overview.leftovers, is_told).into_iter().map(|left| match left {
        Left::One(leftover) => left_over(leftover, overview),
        Left::Many(first, many) => {
            let ((_, count), line) = (counted(first, many), left_over(first, overview));
            let [resource, _, age, _] = line.cells;
            let stem = stem(&first.physical).unwrap_or(&first.physical);
            let name = format!("{}-*", shown::line(stem));
            Line { cells: [resource, count, age, name], ..line }
        }
    })
}

/// What may have been this project's, and bills on: it has neither its tags nor a section.
fn lost(overview: &Overview) -> impl Iterator<Item = Line> + '_ {
    overview.lost.iter().map(|(lost, status)| {
        let (word, owner) = (shown::line(&status.word), lost.owner.to_string());
        let state = format!("{word}, not in the config, not this project's: {}", shown::line(&owner));
        let name = shown::line(&lost.id.name).into_owned();
        let cells = [lost.id.kind.to_string(), state, String::new(), name];
        Line { cells, phase: status.phase, details: Vec::new(), cost: hourly(&lost.id, &overview.bill) }
    })
}

fn hourly(id: &ResourceId, bill: &Bill) -> Option<String> {
    let cost = bill.of(id).filter(|of| of.now.runs())?;
    Some(format!("{} USD/h", cost.now.per_hour().fine()))
}

fn left_over(leftover: &Leftover, overview: &Overview) -> Line {
    let name = shown::line(&leftover.physical).into_owned();
    let kind = leftover.id.kind.to_string();
    let details = leftover
        .runs
        .as_ref()
        .map(|word| format!("{}: {}", shown::line(word), still_bills(&format!("{kind}/{name}"))));
    let phase = if details.is_some() { Phase::Busy } else { Phase::Stopped };
    let before = stem(&leftover.physical);
    let is_successor =
        |row: &&Row| before.is_some() && row.id.kind == leftover.id.kind && stem(&row.physical) == before;
    let (resource, mut state) = match overview.rows.iter().find(is_successor) {
        Some(row) => (row.id.to_string(), "earlier version".to_owned()),
        None => (kind, "not in the config".to_owned()),
    };
    if let Some(mark) = overview.marked.get(&leftover.id) {
        state += &format!(", {}", shown::line(mark));
    }
    let cells = [resource, state, String::new(), name];
    let cost = hourly(&leftover.id, &overview.bill);
    Line { cells, phase, details: details.into_iter().collect(), cost }
}

fn padded(cells: &[String], widths: &[usize; 4], phase: Option<Phase>, styles: &Styles) -> String {
    let mut line = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let text = match (column, phase) {
            (1, Some(phase)) => styles_of(phase, styles, cell),
            (3, Some(_)) => styles.faint(cell),
            (_, None) => styles.faint(cell),
            _ => cell.clone(),
        };
        let blanks = widths[column] - cell.chars().count() + 2;
        line += &text;
        if cells[column + 1..].iter().any(|cell| !cell.is_empty()) {
            line += &" ".repeat(blanks);
        } else {
            break;
        }
    }
    line + "\n"
}

fn styles_of(phase: Phase, styles: &Styles, text: &str) -> String {
    match phase {
        Phase::Ready => styles.create(text),
        Phase::Busy | Phase::Leaving => styles.update(text),
        Phase::Failed => styles.error(text),
        Phase::Stopped => styles.faint(text),
    }
}

/// `test:accuracy 0.981 · 1 × ml.m5.large · scales 1–4 · took 5m`
fn known(metrics: &[(String, f64)], facts: &Facts, took: Option<Duration>) -> String {
    let metrics = metrics.iter().map(|(name, value)| format!("{} {}", shown::line(name), figure(*value)));
    let took = took.map(|took| format!("took {}", round(took)));
    metrics.chain(facts.words()).chain(took).collect::<Vec<_>>().join(" · ")
}

/// A time in its largest unit.
fn round(time: Duration) -> String {
    let (unit, letter) = HumanDuration(time).unit();
    format!("{}{letter}", time.as_secs() / unit)
}

/// The shape of docs/decisions/0028.
pub fn json(overview: &Overview, scope: &Scope, place: &str) -> Value {
    let resources = overview.rows.iter().map(|row| {
        let mut metrics = Map::new();
        metrics.extend(row.metrics.iter().map(|(name, value)| (name.clone(), json!(value))));
        let mut resource = json!({
            "kind": row.id.kind.as_str(), "name": row.id.name, "physical": row.physical,
            "state": row.status.word, "ready": row.is_ready(), "reason": row.status.reason,
            "ours": row.owner.as_ref().map(Owner::is_managed),
            "owner": row.owner.as_ref().map(ToString::to_string),
            "age_s": row.age.map(|age| age.as_secs()), "took_s": row.took.map(|took| took.as_secs()),
            "metrics": metrics, "page": row.page, "differs": row.differs,
            "serves_instead": row.instead.as_ref().map(|instead| &instead.physical),
        });
        if let (Value::Object(resource), Ok(Value::Object(facts))) =
            (&mut resource, serde_json::to_value(&row.facts))
        {
            resource.extend(facts);
            resource.extend(row.not_compared.iter().map(|why| ("not_compared".to_owned(), json!(why))));
        }
        resource
    });
    let unread = overview.unread.iter().map(|(id, why)| json!({ "target": id, "reason": why }));
    let lost = overview.lost.iter().map(|(lost, status)| {
        json!({
            "kind": lost.id.kind.as_str(), "physical": lost.id.name, "state": status.word,
            "owner": lost.owner.to_string(),
        })
    });
    json!({
        "format": 1, "project": scope.project, "environment": scope.environment, "account": scope.account,
        "region": scope.region, "target": place,
        "resources": resources.collect::<Vec<_>>(), "leftovers": overview.leftovers,
        "lost": lost.collect::<Vec<_>>(), "unread": unread.collect::<Vec<_>>(),
        "cost": cost::json_now(&overview.bill, &overview.prices),
    })
}

/// What a person made, after a run: jobs with what they measured, what serves, and where to look at it.
/// `facts` are those of a row with its parts.
pub fn summary(rows: &[(&Row, Facts)]) -> String {
    /// The others are in `opsctl status`.
    const MOST: usize = 12;
    let widest = rows.iter().map(|(row, _)| row.id.to_string().chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (row, facts) in rows.iter().take(MOST) {
        // Of a job that ended well its values say more than its state.
        let state = Some(shown::line(&row.status.word).into_owned())
            .filter(|_| row.status.phase != Phase::Ready || row.metrics.is_empty());
        let known = known(&row.metrics, facts, row.took.map(|took| took.0));
        let line = [state.unwrap_or_default(), known];
        let line: Vec<String> = line.into_iter().filter(|part| !part.is_empty()).collect();
        text += &format!("  {:widest$}  {}\n", row.id.to_string(), line.join(" · "));
        if let Some(page) = &row.page {
            text += &format!("  {:widest$}  {page}\n", "");
        }
    }
    if let Some(more) = rows.len().checked_sub(MOST).filter(|more| *more > 0) {
        text += &format!("  and {more} more: `opsctl status` shows them\n");
    }
    text
}

#[cfg(test)]
#[path = "overview_tests.rs"]
mod tests;
