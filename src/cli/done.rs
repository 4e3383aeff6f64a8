//! The end of a run: the summary for a person, and the exit code.

use super::error::{exit_of, help_of, help_with, help_with_log};
use super::exit::Exit;
use super::ui::Ui;
use super::{sandbox, stopped};
use crate::aws::OpErrorKind;
use crate::domain::{Facts, ResourceId, codes, console, shown};
use crate::engine::RunResult;
use crate::plan::{Mode, Op};
use crate::report::cost;
use crate::report::overview::summary;
use crate::run::overview::{Overview, Row};
use crate::run::{Done, Intent, Session, Unverified, Verified, logs, played};

/// Prints the summary, and returns the exit code.
pub async fn report(done: &Done, session: &Session, intent: &Intent, ui: &Ui) -> Exit {
    if !ui.json() {
        say(done, session, intent, ui);
        costs(done, session, intent, ui).await;
        if done.is_ok() && !done.plan.is_empty() && !intent.mode.destroys() {
            made(done, session, intent, ui).await;
        }
    }
    match (done.outcome.failed.first(), &done.verified) {
        _ if done.outcome.lease_lost.is_some() => Exit::LeaseHeld,
        _ if done.is_stopped() => Exit::Interrupted,
        (Some((_, error)), _) => exit_of(&error.kind),
        (None, Verified::AsWanted) if done.left().is_some() => Exit::Failed,
        (None, Verified::AsWanted) => Exit::Done,
        (None, Verified::Unlike(_)) => Exit::Failed,
        (None, Verified::Unread(why)) if why.is_of_a_stop(&session.context) => Exit::Interrupted,
        (None, Verified::Unread(_)) => Exit::Incomplete,
    }
}

fn say(done: &Done, session: &Session, intent: &Intent, ui: &Ui) {
    say_failed(done, session, ui);
    if let Some(lost) = &done.outcome.lease_lost {
        ui.error(codes::LEASE_LOST, &lost.to_string(), help_of(codes::LEASE_LOST));
        // Who has the lease now may want something else, and never look at it.
        let running = stopped::running(done);
        if !running.is_empty() {
            ui.err(running.trim_end());
        }
    } else if done.is_stopped() {
        ui.err(&stopped::summary(done));
    }
    match &done.verified {
        Verified::Unlike(differences) => {
            for difference in differences {
                let text = format!("still differs from the config: {difference}");
                ui.error(codes::FAILED, &text, "run the same command again");
            }
        }
        Verified::Unread(why) => {
            let Unverified { code, message, help } = Unverified::of(why, &session.context);
            match why.is_of_a_stop(&session.context) {
                // It is no failure.
                true => ui.err(&format!("{message}; {help}")),
                false => ui.error(code, &message, &help),
            }
        }
        // Only what was verified is said.
        Verified::AsWanted if intent.mode.destroys() && done.outcome.result() == RunResult::Ok => {
            say_gone(done, session, ui);
        }
        Verified::AsWanted => {}
    }
}

fn say_failed(done: &Done, session: &Session, ui: &Ui) {
    for (resource, error) in &done.outcome.failed {
        let code = error.code();
        let has_log =
            matches!(error.kind, OpErrorKind::BadState | OpErrorKind::SavedNothing | OpErrorKind::RolledBack);
        let help = match logs::writer(session, resource).filter(|_| has_log) {
            Some(writer) => help_with_log(code, &writer),
            None if error.kind == OpErrorKind::Quota => {
                let service = error.action.split(':').next().unwrap_or_default();
                let page = console::quotas(service, &session.context.scope.region);
                let page = page.filter(|_| session.is_aws()).map(|page| format!(" Its page: {page}"));
                format!("{}{}", help_of(code), page.unwrap_or_default())
            }
            None => help_with(error).to_owned(),
        };
        let in_code = |module: &str| session.context.inputs.module_of_code(module).map(str::to_owned);
        let has_image = played::has_container(resource.kind);
        let lacking = sandbox::help_for(has_image, &error.message, in_code).filter(|_| session.is_sandbox());
        let help = lacking.into_iter().chain([help]).collect::<Vec<_>>().join(". ");
        let place = place(session, resource);
        let place = place.as_ref().map(|(file, line)| (file.as_str(), *line));
        ui.error_at(place, code, &format!("{resource} failed: {error}"), &help);
    }
}

/// What a destroy has left, and why.
fn say_gone(done: &Done, session: &Session, ui: &Ui) {
    let scope = &session.context.scope;
    let left = done.left();
    let releases = done.plan.steps.iter().any(|step| step.op == Op::Release);
    let gone = match (left.is_some(), done.plan.is_empty()) {
        (true, true) => Some("Nothing was deleted"),
        (true, false) => Some("Not all is gone"),
        // The plan has said so.
        (false, true) => None,
        (false, false) if done.plan.foreign.is_empty() && !releases => Some("Nothing is left"),
        (false, false) => Some("Nothing else is left"),
    };
    if let Some(gone) = gone {
        ui.say(&format!("{gone} of {} / {} in {}.", scope.project, scope.environment, session.place));
    }
    for step in done.plan.steps.iter().filter(|step| step.op == Op::Release) {
        ui.say(&format!("{} `{}` {}.", step.target, step.physical, step.why.join("; ")));
    }
    for foreign in &done.plan.foreign {
        let why = foreign.why(scope);
        ui.say(&format!("{} `{}` stays: {}.", foreign.target, foreign.physical, shown::line(&why)));
    }
    if let Some(lease) = &done.lease_beside {
        ui.say(&lease.is_left());
    }
    if let Some(left) = left {
        ui.error(left.code, &left.message, left.help);
    }
}

/// The line of the config that a resource comes from.
fn place(session: &Session, resource: &ResourceId) -> Option<(String, usize)> {
    let document = &session.config.document;
    let span = document.key_span(session.desired.origin.get(resource)?)?;
    Some((document.file.to_string_lossy().into_owned(), document.line_column(span.start).0))
}

/// What a destroy leaves of this project is billed as before.
async fn costs(done: &Done, session: &Session, intent: &Intent, ui: &Ui) {
    let Some(have) = done.have.as_ref().filter(|_| done.left().is_some()) else { return };
    let now = Overview::of(session, &intent.desired, have).await.bill.now();
    if now.runs() {
        ui.say(&format!("What stays costs {} USD an hour on AWS.", now.per_hour().fine()));
    }
}

/// What there is now, and what a person may do with it.
async fn made(done: &Done, session: &Session, intent: &Intent, ui: &Ui) {
    let Some(have) = &done.have else { return };
    let overview = Overview::of(session, &intent.desired, have).await;
    let told = |row: &&Row| session.kind(row.id.kind).has_log();
    let rows: Vec<(&Row, Facts)> =
        overview.rows.iter().filter(told).map(|row| (row, overview.whole(session, row))).collect();
    if rows.is_empty() {
        return;
    }
    let mut text = format!("\n{}\n", summary(&rows));
    if let Some(cost) = cost::short(&overview.bill, !intent.whole) {
        // The sandbox bills nothing.
        let place = if session.is_sandbox() { "on AWS " } else { "" };
        text += &format!("  {:<10}  {place}{cost}\n", "costs");
    }
    for (what, command) in next(&rows, session, intent) {
        text += &format!("  {what:<10}  {command}\n");
    }
    ui.say(&text);
}

/// What one does next, as it is typed.
fn next(rows: &[(&Row, Facts)], session: &Session, intent: &Intent) -> Vec<(&'static str, String)> {
    let ids = || rows.iter().map(|(row, _)| &row.id);
    let mut next = Vec::new();
    // Of several, `invoke` must be told which; without a function it asks the endpoint.
    let invoked = session.kinds.iter().rev().filter(|kind| kind.invoked().is_some());
    let mut counts = invoked.map(|kind| ids().filter(|id| id.kind == kind.name()).count());
    if counts.find(|count| *count > 0) == Some(1) {
        next.push(("ask it", "`opsctl invoke`".to_owned()));
    }
    next.extend(ids().find_map(|id| session.kind(id.kind).next(id)));
    next.push(("look", "`opsctl status`".to_owned()));
    let keeps = matches!(intent.mode, Mode::Deploy { prune: false, .. });
    let way_back = ids().find_map(|id| session.kind(id.kind).way_back()).filter(|_| keeps);
    next.extend(way_back.map(|how| ("roll back", how.to_owned())));
    next
}
