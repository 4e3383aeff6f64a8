//! `opsctl status`: deployed resources and their states.

use std::ops::ControlFlow;

use clap::Args;
use serde_json::Value;

use crate::cli::act::{print_left, print_unread, print_warnings};
use crate::cli::args::Global;
use crate::cli::budget;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::report::overview::{human, json, title};
use crate::run::overview::Overview;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Look again every few seconds; without a terminal, print what changed
    #[arg(short, long)]
    pub watch: bool,
}

/// Prints every resource with its state; with `--watch`, again and again.
pub async fn run(args: &StatusArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| {
        print_warnings(session, ui);
        if args.watch { watch(session, ui).await } else { once(session, ui).await }
    })
    .await
}

async fn once(session: &Session, ui: &Ui) -> CommandResult {
    let (overview, have) = Overview::now(session).await.map_err(Failure::Unread)?;
    match ui.json() {
        true => ui.out_json(&document(session, &overview)),
        false => {
            ui.out(&page(session, &overview, ui));
            print_left(&session.desired, &have, ui);
        }
    }
    print_unread(&have, ui);
    let is_whole = overview.rows.iter().all(|row| row.is_readable) && have.unread.is_empty();
    Ok(if is_whole { Exit::Done } else { Exit::Incomplete })
}

/// Shows what there is until somebody has seen enough.
async fn watch(session: &Session, ui: &Ui) -> CommandResult {
    let mut last = Value::Null;
    Overview::watch(session, |overview| {
        let now = ageless(document(session, overview));
        let changed = std::mem::replace(&mut last, now.clone()) != now;
        match (ui.json(), ui.rewrites()) {
            (true, _) if changed => ui.out_line(&document(session, overview)),
            (false, true) => ui.repaint(&page(session, overview, ui)),
            (false, false) if changed => ui.out(&format!("{}\n", page(session, overview, ui))),
            _ => {}
        }
        if ui.is_cut() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await?;
    Ok(Exit::Done)
}

fn page(session: &Session, overview: &Overview, ui: &Ui) -> String {
    let (scope, styles) = (&session.context.scope, ui.styled_out());
    let title = title(&scope.project, &scope.environment, &session.place, styles);
    let cost = budget::now(overview, ui);
    let space = if cost.is_empty() { "" } else { "\n" };
    let resources = human(overview, ui.width_out(), styles);
    format!("{title}\n\n{}{space}{cost}", ui.suggest(&resources))
}

fn document(session: &Session, overview: &Overview) -> Value {
    json(overview, &session.context.scope, &session.place)
}

/// Without what changes by itself.
fn ageless(mut document: Value) -> Value {
    for resource in document["resources"].as_array_mut().into_iter().flatten() {
        resource["age_s"] = Value::Null;
    }
    document
}
