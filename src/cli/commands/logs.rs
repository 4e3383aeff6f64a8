//! `opsctl logs KIND/NAME`: what the user's own code printed, wherever it ran.

use std::ops::ControlFlow;

use clap::Args;

use super::stop::absent;
use crate::cli::args::{self, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named, say_latest};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{codes, shown};
use crate::engine::Event;
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
    let Some(newest) = logs::newest(session, job, follows).await? else {
        if !job.is_there(session).await? {
            return Err(absent(job));
        }
        let message = format!("{} has no log yet", job.id);
        let help = "it begins with the first line of output";
        return Err(Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    let Newest { physical, is_earlier, found: (text, reader), .. } = newest;
    if is_earlier {
        ui.err(&job.is_of_earlier("log", &physical));
    }
    let mut printer = Printer::new(job, &physical, ui);
    printer.print(&text);
    if follows {
        let print = |new: Option<&str>| {
            if let Some(text) = new {
                printer.print(text);
            }
            // Nobody reads on.
            if ui.is_cut() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        logs::follow(session, job, &physical, reader, print).await?;
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
