//! `opsctl logs KIND/NAME`: what the user's own code printed, wherever it ran.

use std::time::Duration;

use clap::Args;
use tokio::sync::Mutex;

use super::stop::absent;
use crate::aws::OpResult;
use crate::cli::args::{self, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named, say_latest};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{codes, shown};
use crate::engine::{Event, OpCx, Probe};
use crate::report::live::{Ndjson, Reader as _};
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
    with_session(global, env, Folders::Spared, async |session| {
        let among = Among { what: "has a log", kinds: &|kind| session.kind(kind).has_log() };
        let job = named(session, &args.target, &among).await?;
        if LogReader::new(session, &job, &job.physical).is_some_and(|log| log.is_in_bucket()) {
            run::bucket_is_ours(session).await?; // the log is there
        }
        say_latest(session, &job, ui);
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
        if session.registry.of(job.id.kind).observe(&cx, &job.physical).await?.is_none() {
            return Err(absent(job));
        }
        let message = format!("{} has no log yet", job.id);
        let help = "it begins with the first line of output";
        return Err(Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    if is_earlier {
        ui.err(&job.is_of_earlier("log", &physical));
    }
    let mut printer = Printer::new(job, &physical, ui);
    printer.print(&text);
    if follows {
        let is_running = async || job.is_running(session, &physical).await;
        follow(session, &cx, reader, &mut printer, is_running).await?;
    }
    printer.end();
    Ok(Exit::Done)
}

/// Where a log is printed: as it is for a person, and as one document a line for a program.
struct Printer<'a> {
    job: &'a Job,
    physical: &'a str,
    documents: Ndjson,
    /// The beginning of a line whose end is still to be written.
    rest: String,
    ui: &'a Ui,
}

impl<'a> Printer<'a> {
    fn new(job: &'a Job, physical: &'a str, ui: &'a Ui) -> Self {
        let out = ui.clone();
        let sink = Box::new(move |line: &str| out.out(&format!("{line}\n")));
        Self { job, physical, documents: Ndjson::new(sink, Box::new(str::to_owned)), rest: String::new(), ui }
    }

    fn print(&mut self, text: &str) {
        if !self.ui.json() {
            // Nothing in it is obeyed by a terminal or by what runs a pipeline.
            return self.ui.out(&shown::text(text));
        }
        let text = std::mem::take(&mut self.rest) + text;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole].lines().for_each(|line| self.document(line));
        text[whole..].clone_into(&mut self.rest);
    }

    /// Prints the line that nobody has ended.
    fn end(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        rest.lines().for_each(|line| self.document(line));
    }

    fn document(&mut self, line: &str) {
        let (target, physical) = (self.job.id.clone(), self.physical.to_owned());
        self.documents.read(&Event::LogLine { target, physical, line: line.to_owned() });
    }
}

/// Prints new lines for as long as there may come some.
async fn follow(
    session: &Session,
    cx: &OpCx<'_>,
    reader: LogReader,
    printer: &mut Printer<'_>,
    is_running: impl AsyncFn() -> OpResult<bool>,
) -> OpResult<()> {
    let ui = printer.ui;
    let (reader, printer) = (Mutex::new(reader), Mutex::new(printer));
    let ended = cx.watch("new lines", EVERY, || async {
        // In this order: what was written before the end is read after it.
        let is_running = is_running().await?;
        let more = reader.lock().await.more(cx, session.bucket()).await?;
        if let Some(text) = &more {
            printer.lock().await.print(text);
        }
        // Nobody reads on, or nothing more comes.
        let is_over = ui.is_cut() || (!is_running && more.is_none());
        Ok(if is_over { Probe::Ready(()) } else { Probe::Pending("following".into()) })
    });
    ended.await
}
