//! `opsctl plan`: what `deploy` would do, and why.

use std::path::PathBuf;

use clap::Args;

use crate::cli::act::{plan_json, print_cost, print_left, print_lints, print_unread, refused};
use crate::cli::args::{ChangeArgs, Global};
use crate::cli::budget;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::cli::wrote::{self, Replace};
use crate::domain::shell::quoted;
use crate::domain::{codes, markdown};
use crate::plan::{Observed, Plan};
use crate::report::plan as render;
use crate::run::{self, Folders, Intent, SavedPlan, Session};

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Show all reasons for every step
    #[arg(long)]
    pub why: bool,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE", value_parser = wrote::place())]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub replace: Replace,
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
        args.replace.allows(&wrote::record(session), args.out.as_deref().map(|file| (file, "--out FILE")))?;
        let intent = Intent::deploy(session, args.changes.prune, args.changes.adopt);
        let planned = session.run(&intent).plan().await;
        let (plan, have) = planned.map_err(|refusal| refused(session, &intent, refusal))?;
        run::prices::load(session, &intent.desired, &have).await;
        let afford = session.run(&intent).within(args.changes.max_monthly).afford(&plan, &have).await;
        let allowed = afford.map_err(|refusal| refused(session, &intent, refusal));
        Planned { session, intent: &intent, plan: &plan, have: &have }.print(allowed, args, ui)
    })
    .await
}

/// A plan, and what it is of.
struct Planned<'a> {
    session: &'a Session,
    intent: &'a Intent,
    plan: &'a Plan,
    have: &'a Observed,
}

impl Planned<'_> {
    /// Prints it, saves it where that is asked, and ends as `allowed` says.
    fn print(self, allowed: Result<(), Failure>, args: &PlanArgs, ui: &Ui) -> CommandResult {
        let Self { session, intent, plan, have } = self;
        match args.format {
            // A command writes one document: of a plan that costs too much, why.
            PlanFormat::Text if ui.json() => {
                if allowed.is_ok() {
                    ui.out_json(&plan_json(session, intent, plan, have));
                }
            }
            PlanFormat::Text => self.text(args.why, ui),
            form => self.markdown(form == PlanFormat::Github, allowed.as_ref().err(), args.why, ui),
        }
        allowed?;
        if let Some(file) = &args.out {
            let mut document = render::json(plan, &session.kinds, &session.place);
            document.as_object_mut().expect("it is one").extend(SavedPlan::members(plan, intent));
            wrote::write(&wrote::record(session), file, format!("{document:#}\n"))?;
            wrote::say_left_out(session, ui, file);
            let file = quoted(&file.to_string_lossy());
            ui.say(&format!("Saved. Apply it with `opsctl deploy --plan {file}`."));
        }
        Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
    }

    fn text(&self, why: bool, ui: &Ui) {
        let Self { session, intent, plan, have } = self;
        print_lints(session, ui);
        let (place, width) = (&session.place, ui.width_out());
        let text = render::human(plan, &session.kinds, place, why, width, ui.styled_out());
        ui.out(&ui.suggest(&text));
        print_cost(session, intent, plan, have, why, ui);
        print_unread(have, ui);
        print_left(&session.desired, have, ui);
    }

    fn markdown(&self, folded: bool, refused: Option<&Failure>, why: bool, ui: &Ui) {
        let Self { session, intent, plan, have } = self;
        let (place, warnings) = (&session.place, &session.warnings.0);
        let text = render::markdown::render(plan, &session.kinds, place, have, warnings, folded);
        ui.out(&ui.suggest(&text));
        if !plan.is_empty() {
            let cost = budget::text(session, &run::cost(session, intent, plan, have), why, ui);
            ui.out(&format!("\n```text\n{}\n```\n", cost.trim_end()));
        }
        print_unread(have, ui);
        if let Some(Failure::Message { code, message, help, .. }) = refused {
            // Where the plan is read, as in a comment, the error on stderr is not.
            let (message, help) = (markdown::text(message), markdown::text(help));
            let reason = format!("\n> **Refused** ({}): {message}. What to do: {help}.\n", code.as_str());
            ui.out(&ui.suggest(&reason));
        }
    }
}
