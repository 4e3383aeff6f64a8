//! `opsctl logs KIND/NAME`: what the user's own code printed, wherever it ran.

use std::time::Duration;

use clap::Args;
use tokio::sync::Mutex;

use crate::aws::OpResult;
use crate::cli::CommandResult;
use crate::cli::args::{self, Global};
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{codes, shown};
use crate::engine::{OpCx, Probe};
use crate::run::jobs::{Job, Newest};
use crate::run::logs::{self, LogReader};
use crate::run::{self, Folders, Session};

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Resource whose log to show: training/breeds, endpoint/breeds, function/classify, notebook/lab; or the
    /// name alone if only one of them has it
    #[arg(value_name = "KIND/NAME", value_parser = args::target)]
    pub target: String,
    /// Keep printing new lines
    #[arg(short, long)]
    pub follow: bool,
}

/// How often new lines are looked for.
const EVERY: Duration = Duration::from_secs(2);

/// Prints the log of the newest job that has one; with `--follow`, until the job ends.
pub async fn run(args: &LogsArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Read, async |session| {
        let among = Among { what: "has a log", kinds: &|kind| session.kind(kind).has_log() };
        let job = named(session, &args.target, &among).await?;
        if LogReader::new(session, &job, &job.physical).is_some_and(|log| log.is_in_bucket()) {
            run::bucket_is_ours(session).await?; // the log is there
        }
        logs::group_is_ours(session, &job).await?;
        show(session, &job, args.follow, ui).await
    })
    .await
}

async fn show(session: &Session, job: &Job, follows: bool, ui: &Ui) -> CommandResult {
    let cx = OpCx::new(&session.context, job.id.clone());
    let found = job.newest_with(session, async |physical| {
        let Some(mut reader) = LogReader::new(session, job, physical) else { return Ok(None) };
        let text = reader.more(&cx, session.bucket()).await?;
        // One that has only begun is waited for, not its predecessor shown.
        let begun = text.is_none() && follows && job.is_running(session, physical).await?;
        Ok((begun || text.is_some()).then_some((text.unwrap_or_default(), reader)))
    });
    let Some(Newest { physical, is_earlier, found: (text, reader), .. }) = found.await? else {
        let message = format!("{} has no log yet", job.id);
        let help = "it begins with the first line of output";
        return Err(Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    if is_earlier {
        ui.err(&job.is_of_earlier("log", &physical));
    }
    print(&text, ui);
    if follows {
        follow(session, &cx, reader, ui, async || job.is_running(session, &physical).await).await?;
    }
    Ok(Exit::Done)
}

/// For people, nothing in it is obeyed by a terminal or by what runs a pipeline; a program gets it as it is.
fn print(text: &str, ui: &Ui) {
    match ui.json() {
        true => ui.out(text),
        false => ui.out(&shown::text(text)),
    }
}

/// Prints new lines for as long as there may come some.
async fn follow(
    session: &Session,
    cx: &OpCx<'_>,
    reader: LogReader,
    ui: &Ui,
    is_running: impl AsyncFn() -> OpResult<bool>,
) -> OpResult<()> {
    let reader = Mutex::new(reader);
    let ended = cx.watch("new lines", EVERY, || async {
        // In this order: what was written before the end is read after it.
        let is_running = is_running().await?;
        let more = reader.lock().await.more(cx, session.bucket()).await?;
        if let Some(text) = &more {
            print(text, ui);
        }
        // Nobody reads on, or nothing more comes.
        let is_over = ui.is_cut() || (!is_running && more.is_none());
        Ok(if is_over { Probe::Ready(()) } else { Probe::Pending("following".into()) })
    });
    ended.await
}
