//! Readers of the event channel: the terminal, and NDJSON.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::style::Styles;
use crate::domain::{grouped, shown};
use crate::engine::{Cancel, Cause, Event, Progress, RunResult, StepResult};
use crate::plan::{StepId, Verb};

/// Consumes events in their order until the channel closes.
pub trait Reader: Send {
    fn read(&mut self, event: &Event);
}

/// Passes every event to the reader, and tells it when the run is being stopped.
pub async fn drive(mut events: UnboundedReceiver<Event>, mut reader: Box<dyn Reader>, cancel: Cancel) {
    let mut told = false;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => reader.read(&event),
                None => return,
            },
            () = cancel.drain.cancelled(), if !told => {
                told = true;
                let reason = match cancel.cause() {
                    Some(Cause::Deadline(limit)) => {
                        format!("--timeout ({}) is over: no new step starts.", humantime::format_duration(limit))
                    }
                    Some(Cause::LeaseLost) => "The lease is lost: no new step starts.".to_owned(),
                    _ => "Stopping: no new step starts, and running ones get a moment to finish.".to_owned(),
                };
                reader.read(&Event::Cancelling { reason });
            }
        }
    }
}

/// Where a reader writes its lines.
pub type Sink = Box<dyn Fn(&str) + Send>;

/// One JSON document per line; the first says the version.
pub struct Ndjson {
    out: Sink,
}

impl Ndjson {
    pub fn new(out: Sink) -> Self {
        out(&json!({ "event": "version", "format": 1 }).to_string());
        Self { out }
    }
}

impl Reader for Ndjson {
    fn read(&mut self, event: &Event) {
        let line = serde_json::to_string(event).expect("an event is plain data");
        (self.out)(&line);
    }
}

/// Finished steps scroll up; on a terminal running ones have a live line each.
pub struct Terminal {
    err: Sink,
    styles: Styles,
    bars: Option<MultiProgress>,
    running: BTreeMap<StepId, Running>,
    total: usize,
    done: usize,
    place: String,
}

struct Running {
    bar: Option<ProgressBar>,
    /// The last status shown, so that a pipe sees each change once.
    status: String,
}

impl Terminal {
    /// `bars` has the live lines; what `err` writes goes above them. `place` says where the run goes: the
    /// sandbox, or an account and a region.
    pub fn new(err: Sink, styles: Styles, bars: Option<MultiProgress>, place: &str) -> Self {
        Self { err, styles, bars, running: BTreeMap::new(), total: 0, done: 0, place: place.to_owned() }
    }

    fn line(&self, text: &str) {
        (self.err)(text);
    }

    fn status(&mut self, step: StepId, target: &str, status: &str) {
        let Some(running) = self.running.get_mut(&step) else { return };
        if running.status == status {
            return;
        }
        status.clone_into(&mut running.status);
        match &running.bar {
            Some(bar) => bar.set_message(format!("{target}: {status}")),
            None => (self.err)(&format!("  … {target}: {status}")),
        }
    }
}

impl Reader for Terminal {
    fn read(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps } => self.total = *steps,
            Event::StepStarted { step, target, op, .. } => {
                let bar = self.bars.as_ref().map(|bars| {
                    let style = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}")
                        .expect("a valid template");
                    let bar = bars.add(ProgressBar::new_spinner().with_style(style));
                    bar.set_message(format!("{target}: {}", doing(*op)));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar
                });
                self.running.insert(*step, Running { bar, status: String::new() });
            }
            Event::StepWaiting { step, target, what, status, .. } => {
                let status = format!("{} ({})", shown::line(status), shown::line(what));
                self.status(*step, &target.to_string(), &status);
            }
            Event::StepRetrying { step, target, reason, .. } => {
                self.status(*step, &target.to_string(), &format!("trying again: {}", shown::line(reason)));
            }
            Event::StepProgress { step, target, progress } => {
                // A pipe does not want five lines per second.
                if self.bars.is_some() {
                    self.status(*step, &target.to_string(), &far(progress));
                }
            }
            Event::StepLog { target, line, .. } => {
                let text = self.styles.faint(&format!("    {target} | {line}"));
                self.line(&text);
            }
            Event::StepFinished { step, target, op, result, elapsed_ms } => {
                if let Some(bar) = self.running.remove(step).and_then(|r| r.bar) {
                    bar.finish_and_clear();
                }
                self.done += 1;
                let time = Duration::from_millis(*elapsed_ms);
                let time = if time.as_secs() > 0 { format!(" ({}s)", time.as_secs()) } else { String::new() };
                let s = self.styles;
                let text = match result {
                    StepResult::Ok => format!("  {} {target}{time}", s.create(&format!("{} ", done(*op)))),
                    StepResult::Failed { error, code, .. } => {
                        let failed = s.error(&format!("failed[{code}]"));
                        format!("  {failed} {target}{time}\n      {}", shown::text(error))
                    }
                    StepResult::Skipped { because_of } => {
                        format!("  {} {target}: {because_of} failed", s.faint("skipped"))
                    }
                    StepResult::Unfinished { reason } => {
                        format!("  {} {target}{time}: {}", s.update("unfinished"), shown::line(reason))
                    }
                    // The end tells how many they are.
                    StepResult::NotStarted => return,
                };
                self.line(&text);
            }
            // Told with the last words.
            Event::Error { .. } => {}
            Event::Cancelling { reason } => self.line(&format!("  {reason}")),
            Event::RunFinished { result, calls, elapsed_ms } => {
                let seconds = *elapsed_ms as f64 / 1000.0;
                let words = match result {
                    RunResult::Ok => self.styles.create("Done"),
                    RunResult::Failed => self.styles.error("Failed"),
                    RunResult::Interrupted => self.styles.update("Interrupted"),
                    RunResult::TimedOut => self.styles.update("Out of time"),
                };
                let (reads, writes) = (calls.reads, calls.writes);
                let place = &self.place;
                self.line(&format!("{words} in {seconds:.1} s, {reads} reads and {writes} writes ({place})"));
            }
        }
    }
}

/// `1,204 of 8,351 files, 158.2 MB of 1.1 GB, 212.0 MB/s, 5s left, train/beagle/0123.jpg`
fn far(p: &Progress) -> String {
    let left = p.eta_ms.map(|ms| format!(", {}s left", ms.div_ceil(1000))).unwrap_or_default();
    let slowest = p.slowest.as_deref().map(|path| format!(", {path}")).unwrap_or_default();
    format!(
        "{} of {} files, {} of {}, {}/s{left}{slowest}",
        grouped(p.files_done),
        grouped(p.files_total),
        super::bytes(p.done),
        super::bytes(p.total),
        super::bytes(p.bytes_per_second)
    )
}

fn doing(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "creating",
        Verb::Update => "updating",
        Verb::Delete => "deleting",
        Verb::Release => "releasing",
    }
}

fn done(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "created",
        Verb::Update => "updated",
        Verb::Delete => "deleted",
        Verb::Release => "released",
    }
}
