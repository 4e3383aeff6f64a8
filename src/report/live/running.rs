//! A step that is under way: what is known of it, in one line that fits.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::{ResourceId, Verb, bytes, clock, figure, grouped, many, shown};
use crate::engine::Progress;

/// So many of an installer's last lines are kept, for the case that it fails.
const FOLDED: usize = 40;

/// So much of a name says which it is.
const NAMED: usize = 12;

/// What is known of a step that has started.
#[derive(Debug)]
pub(super) struct Running {
    /// How many steps have ended, of how many.
    pub number: (usize, usize),
    pub target: ResourceId,
    verb: Verb,
    /// AWS's own word for how far it is.
    pub phase: Option<String>,
    /// In the order in which they came first.
    metrics: Vec<(String, String)>,
    progress: Option<Progress>,
    /// Since the beginning of the run.
    pub began: Duration,
    usual: Option<Duration>,
    folded: VecDeque<String>,
}

impl Running {
    /// A step that begins. `number` is how many have finished before it, and how many there are.
    pub fn new(
        number: (usize, usize),
        target: ResourceId,
        verb: Verb,
        began: Duration,
        usual: Option<Duration>,
    ) -> Self {
        let (phase, progress) = (None, None);
        let (metrics, folded) = (Vec::new(), VecDeque::new());
        Self { number, target, verb, phase, metrics, progress, began, usual, folded }
    }

    /// Takes a new value of a metric.
    pub fn measure(&mut self, name: &str, value: f64, of: Option<f64>) {
        let of = of.map(|of| format!("/{}", figure(of))).unwrap_or_default();
        let (name, value) = (shown::line(name).into_owned(), format!("{}{of}", figure(value)));
        match self.metrics.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.metrics.push((name, value)),
        }
    }

    /// Keeps how far an upload or download is, for the next line.
    pub fn advance(&mut self, progress: &Progress) {
        self.progress = Some(progress.clone());
    }

    /// Keeps a line that is shown only if the step fails.
    pub fn fold(&mut self, line: &str) {
        if self.folded.len() == FOLDED {
            self.folded.pop_front();
        }
        self.folded.push_back(line.to_owned());
    }

    /// What was kept.
    pub fn folded(&mut self) -> impl Iterator<Item = String> + '_ {
        self.folded.drain(..)
    }

    /// `[9/18] training/numbers`
    pub fn head(&self) -> String {
        let (number, total) = self.number;
        format!("[{number}/{total}] {}", shown::line(&self.target.to_string()))
    }

    /// How it is, without how long: AWS's phase and what is measured.
    pub fn state(&self) -> String {
        let mut parts = vec![self.phase.clone().unwrap_or_else(|| doing(self.verb).to_owned())];
        parts.extend(self.facts());
        join(&parts)
    }

    /// The line of a step under way, in at most `width` columns: the least important goes first, what names
    /// the step and how long it takes goes last.
    pub fn line(&self, now: Duration, width: usize) -> String {
        let head = self.head();
        let phase = self.phase.clone().unwrap_or_else(|| doing(self.verb).to_owned());
        let facts = self.facts();
        let passed = now.saturating_sub(self.began);
        let elapsed = clock(passed);
        let whole = self.usual.map(|usual| match passed > usual {
            true => format!("{elapsed}, longer than usual ({})", about(usual)),
            false => format!("{elapsed} of about {}", about(usual)),
        });
        let bar = self.progress.as_ref().map(bar);
        for times in [whole.as_ref(), Some(&elapsed)].into_iter().flatten() {
            for kept in (0..=facts.len()).rev() {
                let some = facts[..kept].join(" · ");
                let with_bar = [Some(head.clone()), bar.clone(), Some(some.clone()), Some(times.clone())];
                let without = [Some(head.clone()), Some(phase.clone()), Some(some), Some(times.clone())];
                let candidates = [bar.as_ref().map(|_| with_bar), bar.is_none().then_some(without)];
                for parts in candidates.into_iter().flatten() {
                    let line = join(&parts.into_iter().flatten().collect::<Vec<_>>());
                    if columns(&line) <= width {
                        return line;
                    }
                }
            }
        }
        // In a narrow terminal the phase stays: of the lines above, none says it.
        let room = width.saturating_sub(columns(&phase) + columns(&elapsed) + 4);
        let target = shown::line(&self.target.to_string()).into_owned();
        if bar.is_none() && room >= columns(&head) - columns(&target) + NAMED {
            return join(&[cut(&head, room), phase, elapsed]);
        }
        if bar.is_none() && room >= NAMED {
            return join(&[cut(&target, room), phase, elapsed]);
        }
        let room = width.saturating_sub(columns(&elapsed) + 2);
        join(&[cut(&head, room), elapsed]).chars().take(width).collect()
    }

    /// From the most important one on: what the config measures, or how far a transfer is.
    fn facts(&self) -> Vec<String> {
        match &self.progress {
            Some(progress) => far(progress),
            None => self.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect(),
        }
    }
}

fn join(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  ")
}

/// Characters are counted, as the names of resources have no wide ones.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// The beginning of a text, with a sign that it is one.
fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A usual time, as exact as it is known.
fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=89 => format!("{seconds}s"),
        seconds @ 90..=5399 => format!("{}m", (seconds + 30) / 60),
        seconds => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `45%`, `5s left`, `158.2 MB of 1.1 GB`, `1,204 of 8,351 files`, `212.0 MB/s`, and the slowest file.
fn far(p: &Progress) -> Vec<String> {
    let percent = p.done.min(p.total).saturating_mul(100).checked_div(p.total).unwrap_or(100);
    let mut facts = vec![format!("{percent}%")];
    let left = p.eta_ms.filter(|_| p.done < p.total);
    facts.extend(left.map(|ms| format!("{} left", about(Duration::from_millis(ms.max(1000))))));
    facts.push(format!("{} of {}", bytes(p.done), bytes(p.total)));
    facts.push(format!("{} of {}", grouped(p.files_done), many(p.files_total, "file")));
    facts.push(format!("{}/s", bytes(p.bytes_per_second)));
    facts.extend(p.slowest.as_deref().map(|path| shown::line(path).into_owned()));
    facts
}

/// Ten columns, full as far as the bytes are.
fn bar(p: &Progress) -> String {
    const WIDTH: u64 = 10;
    let full = p.done.min(p.total).saturating_mul(WIDTH).checked_div(p.total).unwrap_or(WIDTH);
    (0..WIDTH).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

fn doing(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "creating",
        Verb::Update => "updating",
        Verb::Delete => "deleting",
        Verb::Release => "releasing",
    }
}

pub(super) fn done(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "created",
        Verb::Update => "updated",
        Verb::Delete => "deleted",
        Verb::Release => "released",
    }
}
