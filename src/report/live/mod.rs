//! Readers of the event channel: the terminal, the log of a pipeline, and NDJSON.

mod noise;
mod running;
pub mod schema;
mod terminal;

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::interval;

use crate::engine::{Cancel, Cause, Event};

pub use terminal::{Look, Terminal};

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

/// One JSON document per line; the first says the version.
pub struct Ndjson {
    out: Sink,
    begun: bool,
}

impl Ndjson {
    /// Writes each line to `out`.
    pub fn new(out: Sink) -> Self {
        Self { out, begun: false }
    }
}

impl Reader for Ndjson {
    fn read(&mut self, event: &Event) {
        // A run that is refused before anything happens is one document, its error.
        if !std::mem::replace(&mut self.begun, true) {
            (self.out)(&json!({ "event": "version", "format": 1 }).to_string());
        }
        let line = serde_json::to_string(event).expect("an event is plain data");
        (self.out)(&line);
    }
}
