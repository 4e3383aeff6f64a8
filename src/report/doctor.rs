//! What `opsctl doctor` found, for people in as many columns as they have.

use super::overview::title;
use super::style::Styles;
use crate::domain::wrap::wrapped;
use crate::domain::{Scope, shown};
use crate::run::doctor::{Answer, Check};

/// Columns before a message, where it stands beside what it is about.
const BESIDE: usize = 29;

/// A line each, and its fix below it. `None`: there is no terminal, and lines may be long.
pub fn human(checks: &[Check], scope: &Scope, place: &str, width: Option<usize>, styles: &Styles) -> String {
    let mut text = format!("{}\n\n", title(&scope.project, &scope.environment, place, styles));
    let room = width.unwrap_or(usize::MAX);
    // A message in fewer columns than these would be a column of words.
    let (indent, is_below) = if room < 2 * BESIDE { (2, true) } else { (BESIDE, false) };
    for Check { check, result, message, fix } in checks {
        let word = match result {
            Answer::Ok => styles.create("ok     "),
            Answer::Fails => styles.error("fails  "),
            Answer::Unknown => styles.update("unknown"),
        };
        let broken = |text: &str| wrapped(text, room.saturating_sub(indent));
        let mut lines = broken(&shown::line(message));
        let fix = fix.iter().flat_map(|fix| broken(&format!("fix: {}", shown::line(fix))));
        let fix: Vec<String> = fix.map(|line| styles.help(&line)).collect();
        text += &match is_below {
            true => format!("{word}  {check}\n"),
            false => format!("{word}  {check:18}  {}\n", lines.remove(0)),
        };
        for line in lines.iter().chain(&fix) {
            text += &format!("{:indent$}{line}\n", "");
        }
    }
    text
}

/// All of them in a sentence.
pub fn verdict(checks: &[Check]) -> String {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    match (count(Answer::Fails), count(Answer::Unknown)) {
        (0, 0) => "Nothing is in the way of a deploy.".to_owned(),
        (0, unknown) => format!("Nothing is known to be in the way of a deploy; {unknown} unknown."),
        (fails, unknown) => format!("{fails} in the way of a deploy, {unknown} unknown."),
    }
}
