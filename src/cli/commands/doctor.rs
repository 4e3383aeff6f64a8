//! `opsctl doctor`: whether a deploy can succeed, before it begins.

use serde_json::json;

use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::sandbox;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::shown;
use crate::run::doctor::{self, Answer, Check};
use crate::run::{Folders, Session};

/// Prints each check with its fix. One that fails exits with 1; one that is unknown does not.
pub async fn run(global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let found_by = match &global.profile {
        _ if global.sandbox => "the sandbox".to_owned(),
        Some(profile) => format!("--profile {profile}"),
        None => env.credentials.to_owned(),
    };
    with_session(global, env, Folders::Listed, async |session| {
        let look = async { Ok(doctor::examine(session, &found_by).await) };
        let mut checks = session.context.cancel.reading("looking", look).await?;
        if global.sandbox {
            checks.push(python().await);
        }
        print(session, &checks, ui);
        Ok(if checks.iter().any(|check| check.result == Answer::Fails) { Exit::Failed } else { Exit::Done })
    })
    .await
}

/// What the sandbox runs scripts with.
async fn python() -> Check {
    match sandbox::python().await {
        Ok(found) => Check::ok("python", found),
        Err(why) => Check::fails("python", why, "install it: the sandbox runs your scripts with it"),
    }
}

fn print(session: &Session, checks: &[Check], ui: &Ui) {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    if ui.json() {
        let ok = count(Answer::Fails) == 0;
        ui.out_json(&json!({ "format": 1, "ok": ok, "target": session.place, "checks": checks }));
        return;
    }
    let (s, scope) = (ui.styled_out(), &session.context.scope);
    let title = s.strong(&format!("{} / {}", scope.project, scope.environment));
    let mut text = format!("{title}  {}\n\n", s.faint(&session.place));
    /// Columns before a message, where it stands beside what it is about.
    const BESIDE: usize = 29;
    let room = ui.width_out().unwrap_or(usize::MAX);
    // A message in fewer columns than these would be a column of words.
    let (indent, is_below) = if room < 2 * BESIDE { (2, true) } else { (BESIDE, false) };
    for Check { check, result, message, fix } in checks {
        let word = match result {
            Answer::Ok => s.create("ok     "),
            Answer::Fails => s.error("fails  "),
            Answer::Unknown => s.update("unknown"),
        };
        let mut lines = wrapped(&shown::line(message), room.saturating_sub(indent));
        let fix = fix
            .iter()
            .flat_map(|fix| wrapped(&format!("fix: {}", shown::line(fix)), room.saturating_sub(indent)));
        let fix: Vec<String> = fix.map(|line| s.help(&line)).collect();
        text += &match is_below {
            true => format!("{word}  {check}\n"),
            false => format!("{word}  {check:18}  {}\n", lines.remove(0)),
        };
        for line in lines.iter().chain(&fix) {
            text += &format!("{:indent$}{line}\n", "");
        }
    }
    ui.out(&ui.suggest(&text));
    match (count(Answer::Fails), count(Answer::Unknown)) {
        (0, 0) => ui.say("Nothing is in the way of a deploy."),
        (0, unknown) => ui.say(&format!("Nothing is known to be in the way of a deploy; {unknown} unknown.")),
        (fails, unknown) => ui.say(&format!("{fails} in the way of a deploy, {unknown} unknown.")),
    }
}

/// A text in lines of at most so many columns, broken at blanks; a longer word stays whole. There is one line
/// at least.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
