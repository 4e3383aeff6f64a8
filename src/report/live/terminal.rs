//! Events for people: lines that are rewritten on a terminal, timed lines in a pipe.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::noise::is_installers;
use super::running::{Running, done};
use super::{Reader, Sink};
use crate::domain::{clock, many, shown, workflow};
use crate::engine::{Event, RunResult, StepResult};
use crate::plan::StepId;
use crate::report::style::Styles;

/// A pipe hears at least this often that something is under way.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// So many of the steps under way are told in a heartbeat.
const TOLD: usize = 5;

/// So much of a line that somebody else wrote is shown.
const LONGEST: usize = 500;

/// What the reader may do, and how it looks.
pub struct TerminalLook {
    pub styles: Styles,
    /// The lines that are rewritten; `None`: each line stays, with its time.
    pub bars: Option<MultiProgress>,
    /// Columns of the terminal now.
    pub width: Box<dyn Fn() -> usize + Send>,
    /// Time since the run began.
    pub clock: Box<dyn Fn() -> Duration + Send>,
    /// Show what is folded otherwise: installers, and how many calls were made.
    pub verbose: bool,
    /// The log is one of GitHub Actions, which folds groups of lines.
    pub github: bool,
    /// The project and its environment.
    pub title: String,
    /// Where the run goes: the sandbox, or an account and a region.
    pub place: String,
}

/// Ended steps scroll up; on a terminal running ones have a live line each.
pub struct Terminal {
    err: Sink,
    look: TerminalLook,
    running: BTreeMap<StepId, (Running, Option<ProgressBar>)>,
    total: usize,
    /// How many steps have ended.
    ended: usize,
    /// How many steps ended how, in the words of a sentence.
    counts: BTreeMap<&'static str, usize>,
    /// When the last line was written.
    told: Duration,
}

impl Terminal {
    /// What `err` writes goes above the live lines.
    pub fn new(err: Sink, look: TerminalLook) -> Self {
        let (running, counts) = (BTreeMap::new(), BTreeMap::new());
        Self { err, look, running, total: 0, ended: 0, counts, told: Duration::ZERO }
    }

    fn line(&self, text: &str) {
        (self.err)(text);
    }

    /// A line about the run; in a pipe with its time.
    fn tell(&mut self, text: &str) {
        self.told = (self.look.clock)();
        match self.look.bars {
            Some(_) => self.line(&format!("  {text}")),
            None => self.line(&format!("{:>7}  {text}", clock(self.told))),
        }
    }

    /// A line that somebody else wrote.
    fn pass_on(&self, target: &str, line: &str) {
        let line = shown::line(line);
        let end = line.char_indices().nth(LONGEST).filter(|_| !self.look.verbose).map(|(end, _)| end);
        let line = match end {
            Some(end) => {
                let more = many(line[end..].chars().count(), "character");
                format!("{}… (and {more} more, in its log)", &line[..end]).into()
            }
            None => line,
        };
        self.line(&self.look.styles.faint(&format!("    {target} | {line}")));
    }

    fn refresh(&self, step: StepId) {
        // The spinner and the blanks around it.
        const SPINNER: usize = 4;
        if let Some((running, Some(bar))) = self.running.get(&step) {
            let room = (self.look.width)().saturating_sub(SPINNER + 1);
            bar.set_message(running.line((self.look.clock)(), room));
        }
    }

    /// Takes AWS's word for how far a step is; a pipe is told each change once.
    fn phase(&mut self, step: StepId, phase: String) {
        let Some((running, _)) = self.running.get_mut(&step) else { return };
        if running.phase.as_deref() == Some(phase.as_str()) {
            return;
        }
        running.phase = Some(phase);
        let line = join(&running.head(), &running.state());
        match self.look.bars {
            Some(_) => self.refresh(step),
            None => self.tell(&line),
        }
    }

    fn ended(
        &mut self,
        step: StepId,
        target: &str,
        words: &'static str,
        result: &StepResult,
        elapsed_ms: u64,
    ) {
        *self.counts.entry(counted(words, result)).or_default() += 1;
        self.ended += 1;
        let (head, folded) = match self.running.remove(&step) {
            Some((mut running, bar)) => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                running.number.0 = self.ended;
                (running.head(), running.folded().collect::<Vec<_>>())
            }
            None => (format!("[{}/{}] {}", self.ended, self.total, shown::line(target)), Vec::new()),
        };
        let took = Duration::from_millis(elapsed_ms);
        let took = if took < Duration::from_secs(1) { String::new() } else { clock(took) };
        let s = self.look.styles;
        let text = match result {
            StepResult::Ok if took.is_empty() => s.create(words),
            StepResult::Ok => format!("{} in {took}", s.create(words)),
            StepResult::Failed { code, .. } => {
                folded.iter().for_each(|line| self.pass_on(target, line));
                let after = if took.is_empty() { took } else { format!(" after {took}") };
                format!("{}{after}", s.error(&format!("failed[{code}]")))
            }
            StepResult::Skipped { because_of } => {
                format!("{}: {because_of} failed", s.faint("skipped"))
            }
            StepResult::Unfinished { reason } => {
                format!("{}: {}", s.update("unfinished"), shown::line(reason))
            }
            // The end tells how many they are.
            StepResult::NotStarted => return,
        };
        self.tell(&join(&head, &text));
        self.running.values_mut().for_each(|(running, _)| running.number.0 = self.ended);
    }

    fn finished(&self, result: RunResult, reads: u64, writes: u64, elapsed_ms: u64) {
        if self.look.github {
            self.line(&workflow::command("endgroup", &[], ""));
        }
        if result == RunResult::Ok && self.counts.is_empty() && !self.look.verbose {
            // The plan has said that there is nothing to do.
            return;
        }
        let s = &self.look.styles;
        let (sign, words) = match result {
            RunResult::Ok => (s.create("✓"), ""),
            // How many, the counts say.
            RunResult::Failed => (s.error("✗"), ""),
            RunResult::Interrupted => (s.update("■"), "interrupted"),
            RunResult::TimedOut => (s.update("■"), "out of time"),
        };
        // In the order of their words: created, deleted, failed …
        let mut counts: Vec<String> = self.counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
        counts.extend(counts.is_empty().then(|| "nothing to do".to_owned()));
        let calls = match self.look.verbose {
            true => format!(", {} and {}", many(reads, "read"), many(writes, "write")),
            false => String::new(),
        };
        let time = Duration::from_millis(elapsed_ms);
        let time = match time.as_secs() {
            0..10 => format!("{:.1} s", time.as_secs_f64()),
            seconds @ 10..60 => format!("{seconds} s"),
            _ => clock(time),
        };
        let after = if result == RunResult::Ok { "in" } else { "after" };
        let words = if words.is_empty() { String::new() } else { format!("{words}, ") };
        let (title, place, counts) = (&self.look.title, &self.look.place, counts.join(", "));
        self.line(&format!("{sign} {title} ({place}): {words}{counts} {after} {time}{calls}"));
    }
}

/// What a step that ended so is counted as.
fn counted(words: &'static str, result: &StepResult) -> &'static str {
    match result {
        StepResult::Ok => words,
        StepResult::Failed { .. } => "failed",
        StepResult::Skipped { .. } => "skipped",
        StepResult::Unfinished { .. } => "unfinished",
        StepResult::NotStarted => "not started",
    }
}

fn join(head: &str, rest: &str) -> String {
    format!("{head}  {rest}")
}

fn spinner(bars: &MultiProgress) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {msg}").expect("a valid template");
    let bar = bars.add(ProgressBar::new_spinner().with_style(style));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

impl Reader for Terminal {
    fn read(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps } => {
                self.total = *steps;
                if self.look.github && *steps > 0 {
                    let title = format!("{} in {}", many(*steps, "step"), self.look.place);
                    self.line(&workflow::command("group", &[], &title));
                }
            }
            Event::StepStarted { step, target, op, usual_ms, .. } => {
                let bar = self.look.bars.as_ref().map(spinner);
                let (number, now) = ((self.ended, self.total), (self.look.clock)());
                let usual = usual_ms.map(Duration::from_millis);
                let running = Running::new(number, target.clone(), *op, now, usual);
                self.running.insert(*step, (running, bar));
                self.refresh(*step);
            }
            Event::StepWaiting { step, status, .. } => {
                self.phase(*step, shown::line(status).into_owned());
            }
            Event::StepRetrying { step, reason, .. } => {
                self.phase(*step, format!("trying again: {}", shown::line(reason)));
            }
            // Said at the end if it stays so.
            // The command says it with the plan.
            Event::Verifying { .. } | Event::Unread { .. } => {}
            Event::StepProgress { step, progress, .. } => {
                if let Some((running, _)) = self.running.get_mut(step) {
                    running.advance(progress);
                    self.refresh(*step);
                }
            }
            Event::StepMetric { step, name, value, of, .. } => {
                if let Some((running, _)) = self.running.get_mut(step) {
                    running.measure(name, *value, *of);
                    self.refresh(*step);
                }
            }
            Event::StepLog { step, target, line } => match self.running.get_mut(step) {
                Some((running, _)) if !self.look.verbose && is_installers(line) => running.fold(line),
                _ => self.pass_on(&target.to_string(), line),
            },
            Event::StepFinished { step, target, op, result, elapsed_ms } => {
                self.ended(*step, &target.to_string(), done(*op), result, *elapsed_ms);
            }
            // Told with the last words; and before there was anything to show.
            Event::Error { .. }
            | Event::Continues { .. }
            | Event::Kept { .. }
            | Event::LeaseWaiting { .. } => {}
            // Of no run.
            Event::LogLine { .. } => {}
            Event::Cancelling { reason } => self.tell(reason),
            Event::RunFinished { result, calls, elapsed_ms } => {
                self.finished(*result, calls.reads, calls.writes, *elapsed_ms);
            }
        }
    }

    fn tick(&mut self) {
        let now = (self.look.clock)();
        if self.look.bars.is_some() {
            self.running.keys().for_each(|step| self.refresh(*step));
        } else if now.saturating_sub(self.told) >= HEARTBEAT && !self.running.is_empty() {
            let lines: Vec<String> =
                self.running.values().take(TOLD).map(|(step, _)| step.line(now, usize::MAX)).collect();
            lines.iter().for_each(|line| self.tell(line));
            if let Some(more) = self.running.len().checked_sub(TOLD).filter(|more| *more > 0) {
                self.tell(&format!("and {more} more"));
            }
        }
    }
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
