//! How much may be in flight at once: requests, bytes in memory, bytes per second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Bytes of file content in memory, whatever the files' sizes: the bound of the whole transfer.
const MEMORY: usize = 64 << 20;
/// The unit of the memory's permits.
const PAGE: u64 = 4 << 10;
/// Never fewer requests than these.
const FEWEST: usize = 4;
/// S3 answers SlowDown to all requests in flight: one halving for each burst.
const BURST: Duration = Duration::from_secs(1);

/// Limits the requests in flight. Halves on SlowDown, and grows back by one per round of good answers,
/// as TCP does (S3 spreads a busy prefix over more partitions while it answers 503,
/// docs/aws/s3.md#request-rates).
pub(super) struct ConcurrencyLimit {
    slots: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    most: usize,
    /// Slots that exist, those to be taken away included.
    open: AtomicUsize,
    /// Slots to take away as they are given back.
    debt: Arc<AtomicUsize>,
    good: AtomicUsize,
    last_burst: std::sync::Mutex<Option<Instant>>,
    pace: Option<Throttle>,
}

struct Throttle {
    bytes_per_second: u64,
    /// When the next bytes may be sent.
    free: Mutex<Instant>,
}

/// One request's place. Given back when dropped.
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    debt: Arc<AtomicUsize>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let paid = self.debt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| debt.checked_sub(1));
        if let (Ok(_), Some(permit)) = (paid, self.permit.take()) {
            permit.forget();
        }
    }
}

impl ConcurrencyLimit {
    /// At most so many requests at once, and so many bytes per second.
    pub fn new(most: usize, bytes_per_second: Option<u64>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(most)),
            memory: Arc::new(Semaphore::new(MEMORY / PAGE as usize)),
            most,
            open: AtomicUsize::new(most),
            debt: Arc::default(),
            good: AtomicUsize::new(0),
            last_burst: std::sync::Mutex::new(None),
            pace: bytes_per_second
                .map(|n| Throttle { bytes_per_second: n, free: Mutex::new(Instant::now()) }),
        }
    }

    /// Requests at the same time, at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Waits for a slot and for memory of `bytes`. `None`: cancelled meanwhile.
    pub async fn enter(
        &self,
        bytes: u64,
        cancel: &CancellationToken,
    ) -> Option<(Slot, OwnedSemaphorePermit)> {
        let enter = async {
            let pages = bytes.div_ceil(PAGE).clamp(1, (MEMORY as u64) / PAGE);
            // Memory first: whoever waits for it must not keep a slot.
            let memory = self.memory.clone().acquire_many_owned(pages as u32).await.expect("never closed");
            let permit = self.slots.clone().acquire_owned().await.expect("never closed");
            (Slot { permit: Some(permit), debt: self.debt.clone() }, memory)
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            entered = enter => Some(entered),
        }
    }

    /// Waits until `bytes` may be sent. `None`: cancelled meanwhile.
    pub async fn pace(&self, bytes: u64, cancel: &CancellationToken) -> Option<()> {
        let Some(pace) = &self.pace else { return Some(()) };
        let start = pace.reserve(bytes).await;
        // Cancelled within the time, or not.
        timeout_at(start, cancel.cancelled()).await.is_err().then_some(())
    }

    /// S3 said SlowDown.
    pub fn slow_down(&self) {
        let mut last = self.last_burst.lock().expect("nobody panics");
        if last.is_some_and(|at| at.elapsed() < BURST) {
            return;
        }
        *last = Some(Instant::now());
        let open = self.open.load(Ordering::Relaxed);
        let fewer = (open / 2).max(FEWEST.min(open));
        self.open.store(fewer, Ordering::Relaxed);
        self.debt.fetch_add(open - fewer, Ordering::Relaxed);
        self.good.store(0, Ordering::Relaxed);
    }

    /// A request went well.
    pub fn speed_up(&self) {
        let open = self.open.load(Ordering::Relaxed);
        if open >= self.most || self.good.fetch_add(1, Ordering::Relaxed) < open {
            return;
        }
        self.good.store(0, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        let owed = self.debt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| debt.checked_sub(1));
        if owed.is_err() {
            self.slots.add_permits(1);
        }
    }
}

impl Throttle {
    /// Takes the next stretch of the wire, and tells when it begins.
    async fn reserve(&self, bytes: u64) -> Instant {
        let mut free = self.free.lock().await;
        let start = (*free).max(Instant::now());
        *free = start + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn halves_once_per_burst_and_grows_back() {
        let (limit, never) = (ConcurrencyLimit::new(16, None), CancellationToken::new());
        limit.slow_down();
        limit.slow_down();
        assert_eq!(limit.open.load(Ordering::Relaxed), 8);
        // The sixteen that are under way end; eight of their slots are not given back.
        let mut slots = Vec::new();
        for _ in 0..16 {
            slots.push(limit.enter(1, &never).await.expect("not cancelled"));
        }
        drop(slots);
        assert_eq!(limit.slots.available_permits(), 8);
        for _ in 0..9 {
            limit.speed_up();
        }
        assert_eq!(limit.slots.available_permits(), 9);
    }

    #[tokio::test]
    async fn each_waits_for_the_wire() {
        let pace = Throttle { bytes_per_second: 1_000, free: Mutex::new(Instant::now()) };
        let starts = [pace.reserve(1_000).await, pace.reserve(500).await, pace.reserve(1).await];
        assert_eq!(starts[1] - starts[0], Duration::from_secs(1));
        assert_eq!(starts[2] - starts[1], Duration::from_millis(500));
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_cancellation() {
        let (limit, cancel) = (ConcurrencyLimit::new(1, None), CancellationToken::new());
        let _held = limit.enter(1, &cancel).await.expect("free");
        cancel.cancel();
        assert!(limit.enter(1, &cancel).await.is_none());
    }
}
