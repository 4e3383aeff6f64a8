//! What happened since the last reset.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use cpu_time::ProcessTime;

#[derive(Default)]
pub struct Counters(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    operations: BTreeMap<&'static str, u64>,
    events: BTreeMap<&'static str, u64>,
    bytes: u64,
    cpu_before: Duration,
}

/// What is counted beside operations.
pub mod event {
    /// Connections on which at least one request came.
    pub const CONNECTIONS: &str = "connections";
    /// Bodies that the bucket already had under that key, or the upload under that part number.
    pub const IDENTICAL: &str = "identical";
    /// Bodies refused because a checksum did not match.
    pub const REJECTED: &str = "rejected";
    pub const SLOW_DOWN: &str = "slow_down";
    pub const RESET: &str = "reset";
    pub const CORRUPTED: &str = "corrupted";
}

impl Counters {
    fn with<T>(&self, work: impl FnOnce(&mut Counts) -> T) -> T {
        work(&mut self.0.lock().expect("no holder of this lock panics"))
    }

    pub fn operation(&self, name: &'static str) {
        self.with(|counts| *counts.operations.entry(name).or_default() += 1);
    }

    pub fn event(&self, name: &'static str) {
        self.with(|counts| *counts.events.entry(name).or_default() += 1);
    }

    pub fn bytes(&self, bytes: u64) {
        self.with(|counts| counts.bytes += bytes);
    }

    pub fn reset(&self) {
        self.with(|counts| {
            *counts = Counts { cpu_before: ProcessTime::now().as_duration(), ..Counts::default() }
        });
    }

    pub fn json(&self) -> String {
        let counts = self.with(|counts| counts.clone());
        let operations: Vec<String> =
            counts.operations.iter().map(|(name, n)| format!("\"{name}\": {n}")).collect();
        let events = [
            event::CONNECTIONS,
            event::IDENTICAL,
            event::REJECTED,
            event::SLOW_DOWN,
            event::RESET,
            event::CORRUPTED,
        ];
        let events: Vec<String> = events
            .iter()
            .map(|name| format!("\"{name}\": {}", counts.events.get(name).unwrap_or(&0)))
            .collect();
        let cpu = ProcessTime::now().as_duration().saturating_sub(counts.cpu_before).as_secs_f64();
        format!(
            "{{\"total\": {}, \"operations\": {{{}}}, {}, \"bytes\": {}, \"cpu_s\": {cpu:.3}}}\n",
            counts.operations.values().sum::<u64>(),
            operations.join(", "),
            events.join(", "),
            counts.bytes
        )
    }
}
