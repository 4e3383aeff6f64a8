//! `opsctl doctor`: whether a deploy can succeed, before it begins.

use serde_json::json;

use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::sandbox;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::report::doctor as report;
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
        Err(why) => {
            // Its last sentence says what to do.
            let (why, fix) = why.rsplit_once(". ").unwrap_or((&why, "install it"));
            Check::fails("python", why, fix)
        }
    }
}

fn print(session: &Session, checks: &[Check], ui: &Ui) {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    // Before lines are broken.
    let fix = |check: &Check| check.fix.as_deref().map(|fix| ui.suggest(fix));
    let checks: Vec<_> = checks.iter().map(|check| Check { fix: fix(check), ..check.clone() }).collect();
    if ui.json() {
        let ok = count(Answer::Fails) == 0;
        ui.out_json(&json!({ "format": 1, "ok": ok, "target": session.place, "checks": checks }));
        return;
    }
    let (scope, width) = (&session.context.scope, ui.width_out());
    ui.out(&report::human(&checks, scope, &session.place, width, ui.styled_out()));
    ui.say(&report::verdict(&checks));
}
