//! The progress of a transfer, reported twice per second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::engine::{Event, OpCx, Progress};

/// Counts what is done, and knows what is under way.
pub(super) struct Tally {
    begun: Instant,
    files: AtomicUsize,
    bytes: AtomicU64,
    total_files: usize,
    total_bytes: u64,
    under_way: Mutex<BTreeMap<Arc<str>, Instant>>,
}

impl Tally {
    /// Nothing done yet of so many files and bytes.
    pub fn new(total_files: usize, total_bytes: u64) -> Self {
        Self {
            begun: Instant::now(),
            files: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            total_files,
            total_bytes,
            under_way: Mutex::default(),
        }
    }

    /// A file is under way.
    pub fn start(&self, path: &Arc<str>) {
        self.under_way.lock().expect("nobody panics").insert(path.clone(), Instant::now());
    }

    /// So many bytes more have been sent.
    pub fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A file is done.
    pub fn finish(&self, path: &str) {
        self.under_way.lock().expect("nobody panics").remove(path);
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    fn progress(&self) -> Progress {
        let (done, seconds) = (self.bytes.load(Ordering::Relaxed), self.begun.elapsed().as_secs_f64());
        let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
        let left = self.total_bytes.saturating_sub(done) as f64;
        let under_way = self.under_way.lock().expect("nobody panics");
        Progress {
            done,
            total: self.total_bytes,
            files_done: self.files.load(Ordering::Relaxed),
            files_total: self.total_files,
            bytes_per_second: rate as u64,
            eta_ms: (rate > 0.0).then(|| (left / rate * 1000.0) as u64),
            slowest: under_way.iter().min_by_key(|(_, since)| **since).map(|(path, _)| path.as_ref().into()),
        }
    }

    /// Sends a progress event every now and then, and a last one when `stop` is cancelled.
    pub async fn tell(&self, cx: &OpCx<'_>, stop: &CancellationToken) {
        let every = Duration::from_millis(500);
        loop {
            let ended = timeout(every, stop.cancelled()).await.is_ok();
            cx.tell(|step, target| Event::StepProgress { step, target, progress: self.progress() });
            if ended {
                return;
            }
        }
    }
}
