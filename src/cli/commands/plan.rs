//! `opsctl plan`: what `deploy` would do, and why.

use std::path::PathBuf;

use clap::Args;

use crate::cli::CommandResult;
use crate::cli::act::{plan_json, print_cost, print_left, print_lints, print_unread, refused};
use crate::cli::args::{ChangeArgs, Global};
use crate::cli::budget;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::hints::quoted;
use crate::cli::saved;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::cli::wrote::record_written_file;
use crate::domain::{codes, markdown};
use crate::plan::{Observed, Plan};
use crate::report::plan as render;
use crate::run::{self, Folders, Intent, Session};

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Show all reasons for every step
    #[arg(long)]
    pub why: bool,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with code 2 when there are changes
    #[arg(long, visible_alias = "detailed-exit-code")]
    pub detailed_exitcode: bool,
    #[command(flatten)]
    pub changes: ChangeArgs,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PlanFormat {
    /// For a terminal
    #[default]
    Text,
    /// For a job's summary
    Markdown,
    /// For the one comment on a pull request that a pipeline keeps up to date: a marker, and the steps folded
    Github,
}

/// Prints the plan in the chosen form. It takes no lease and writes nothing to AWS.
pub async fn run(args: &PlanArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    if ui.json() && args.format != PlanFormat::Text {
        let help = "leave out one of --output and --format";
        let message = "a plan is either JSON or Markdown";
        return Err(Failure::new(codes::USAGE, Exit::Usage, message, help));
    }
    with_session(global, env, Folders::Read, async |session| {
        let intent = Intent::deploy(session, args.changes.prune, args.changes.adopt);
        let planned = session.run(&intent).plan().await;
        let (plan, have) = planned.map_err(|refusal| refused(session, &intent, refusal))?;
        run::prices::load(session, &have).await;
        print(session, &intent, &plan, &have, args, ui)
    })
    .await
}

fn print(
    session: &Session,
    intent: &Intent,
    plan: &Plan,
    have: &Observed,
    args: &PlanArgs,
    ui: &Ui,
) -> CommandResult {
    let allowed = budget::gate(session, intent, plan, have, args.changes.max_monthly);
    if ui.json() {
        // A command writes one document: of a plan that costs too much, why.
        allowed?;
        ui.out_json(&plan_json(session, intent, plan, have));
    } else if args.format != PlanFormat::Text {
        let (place, warnings) = (&session.place, &session.warnings.0);
        let folded = args.format == PlanFormat::Github;
        let text = render::markdown::render(plan, &session.kinds, place, have, warnings, folded);
        ui.out(&ui.suggest(&text));
        if !plan.is_empty() {
            let cost = budget::text(session, &budget::of(session, intent, plan, have), args.why, ui);
            ui.out(&ui.suggest(&format!("\n```text\n{}\n```\n", cost.trim_end())));
        }
        print_unread(have, ui);
        if let Err(Failure::Message { code, message, help, .. }) = &allowed {
            // Where the plan is read, as in a comment, the error on stderr is not.
            let (message, help) = (markdown::text(message), markdown::text(help));
            let reason = format!("\n> **Refused** ({}): {message}. To go on: {help}.\n", code.as_str());
            ui.out(&ui.suggest(&reason));
        }
        allowed?;
    } else {
        print_lints(session, ui);
        let text =
            render::human(plan, &session.kinds, &session.place, args.why, ui.width_out(), ui.styled_out());
        ui.out(&ui.suggest(&text));
        print_cost(session, intent, plan, have, args.why, ui);
        print_unread(have, ui);
        print_left(&session.desired, have, ui);
        allowed?;
    }
    if let Some(file) = &args.out {
        saved::save(plan, &session.place, file)?;
        record_written_file(session, ui, file);
        ui.say(&format!("Saved. Apply it with `opsctl deploy --plan {}`.", quoted(&file.to_string_lossy())));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}
