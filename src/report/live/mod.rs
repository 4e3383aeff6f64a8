//! Readers of the event channel: the terminal, the log of a pipeline, and NDJSON.

mod noise;
mod running;
pub mod schema;
mod terminal;

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::interval;

use crate::engine::{Cancel, Cause, Event, RunError, StepResult};

pub use terminal::{Terminal, TerminalLook};

/// Consumes events in their order until the channel closes.
pub trait Reader: Send {
    fn read(&mut self, event: &Event);

    /// A second has passed.
    fn tick(&mut self) {}
}

/// How often the clocks on the terminal move on.
const TICK: Duration = Duration::from_secs(1);

/// Passes every event to the reader, tells it when the run is being stopped, and that time passes.
pub async fn drive(mut events: UnboundedReceiver<Event>, mut reader: Box<dyn Reader>, cancel: Cancel) {
    let mut told = false;
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => reader.read(&event),
                None => return,
            },
            _ = ticks.tick() => reader.tick(),
            () = cancel.drain.cancelled(), if !told => {
                told = true;
                let reason = match cancel.cause() {
                    Some(Cause::Deadline(limit)) => {
                        let limit = humantime::format_duration(limit);
                        format!("--timeout ({limit}) is over: no new step starts.")
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

/// Puts into the commands of a text what they need to go where this one goes.
pub type Suggest = Box<dyn Fn(&str) -> String + Send>;

/// One JSON document per line; the first says the version.
pub struct Ndjson {
    out: Sink,
    suggest: Suggest,
    begun: bool,
}

impl Ndjson {
    /// Writes each line to `out`.
    pub fn new(out: Sink, suggest: Suggest) -> Self {
        Self { out, suggest, begun: false }
    }

    /// The event, with whole commands in opsctl's own words; what a program or AWS has said stays as it is.
    fn whole(&self, event: &Event) -> Event {
        let whole = |text: &String| (self.suggest)(text);
        match event.clone() {
            Event::Error { error } => {
                let (message, help) = (whole(&error.message), whole(&error.help));
                Event::Error { error: RunError { message, help, ..error } }
            }
            Event::Continues { target, reason, stop } => {
                // Alone it is a command, and in a text it stands between backquotes.
                let stop = stop.map(|stop| whole(&format!("`{stop}`")).trim_matches('`').to_owned());
                Event::Continues { target, reason: whole(&reason), stop }
            }
            Event::Kept { target, physical, reason, used_by } => {
                Event::Kept { target, physical, reason: whole(&reason), used_by }
            }
            Event::StepFinished { step, target, op, mut result, elapsed_ms } => {
                if let StepResult::Failed { error, .. } = &mut result {
                    *error = whole(error);
                }
                Event::StepFinished { step, target, op, result, elapsed_ms }
            }
            event => event,
        }
    }
}

impl Reader for Ndjson {
    fn read(&mut self, event: &Event) {
        // A run that is refused before anything happens is one document, its error.
        if !std::mem::replace(&mut self.begun, true) {
            (self.out)(&json!({ "event": "version", "format": 1 }).to_string());
        }
        let line = serde_json::to_string(&self.whole(event)).expect("an event is plain data");
        (self.out)(&line);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;
    use crate::domain::{KindName, ResourceId, codes};

    /// What a program is to run reaches the same place as what a person is told to run.
    #[test]
    fn commands_in_events_are_whole() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let out = Box::new(move |line: &str| into.lock().unwrap().push(line.to_owned()));
        let suggest = |text: &str| text.replace("`opsctl ", "`opsctl --sandbox -c 'my \"o\".toml' ");
        let mut reader = Ndjson::new(out, Box::new(suggest));
        let target = ResourceId::new(KindName::Training, "lab");
        let told = "somebody took it away (`opsctl lease break`)".to_owned();
        let error = RunError {
            code: codes::LEASE_LOST,
            message: told.clone(),
            help: told.clone(),
            resource: None,
            retryable: true,
        };
        reader.read(&Event::Error { error });
        let stop = Some("opsctl stop training/lab".to_owned());
        reader.read(&Event::Continues { target: target.clone(), reason: "still running.".into(), stop });
        reader.read(&Event::StepLog { step: 0, target, line: told.clone() });
        let lines: Vec<Value> =
            lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let whole = suggest(&told);
        assert_eq!(
            (&lines[1]["error"]["message"], &lines[1]["error"]["help"]),
            (&whole.clone().into(), &whole.into())
        );
        assert_eq!(lines[2]["stop"], "opsctl --sandbox -c 'my \"o\".toml' stop training/lab");
        assert_eq!(lines[3]["line"], told, "a program's own words");
    }
}
