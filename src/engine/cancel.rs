//! How a run ends early: Ctrl-C, SIGTERM, SIGHUP and `--timeout`, in stages. The first stage starts nothing
//! new, drops waits and reads, and lets calls in flight finish; the second, a moment later or at the second
//! signal, drops those too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::aws::{OpError, OpErrorKind, OpResult};

/// How long a write may continue after the first stage before its answer is given up.
pub const GRACE: Duration = Duration::from_secs(3);
/// For what should be answered at once, such as taking or giving back the lease.
const MOMENT: Duration = Duration::from_secs(1);
/// For what a command has to tidy up after the second stage.
const TIDYING: Duration = Duration::from_secs(15);

/// Why a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP: the terminal was closed.
    Terminate,
    /// `--timeout` is over; it was this long.
    Deadline(Duration),
    /// The lease is somebody else's: whatever is not done yet is his to do.
    LeaseLost,
}

/// Shared by everything that runs.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Start nothing new, and stop waiting for what AWS continues by itself.
    pub drain: CancellationToken,
    /// Drop everything now.
    pub abort: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cause: OnceLock<Cause>,
    /// The command is changing something, and ends on its own, with a report.
    committed: AtomicBool,
    timeout: Option<Duration>,
    /// `None`: there is none, or a person is being asked.
    deadline: watch::Sender<Option<Instant>>,
}

impl Cancel {
    /// One whose [`Cancel::overdue`] comes after `timeout`.
    pub fn within(timeout: Option<Duration>) -> Self {
        // A duration beyond all clocks is none.
        let deadline = watch::Sender::new(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
        Self { shared: Arc::new(Shared { timeout, deadline, ..Shared::default() }), ..Self::default() }
    }

    /// The first stage. The first cause stays the cause.
    pub fn stop(&self, cause: Cause) {
        let _ = self.shared.cause.set(cause);
        self.drain.cancel();
    }

    /// Why, once the first stage has begun.
    pub fn cause(&self) -> Option<Cause> {
        let told = self.shared.cause.get().copied();
        told.or_else(|| self.drain.is_cancelled().then_some(Cause::Interrupt))
    }

    /// Waits until `--timeout` is over, and gives the cause.
    pub async fn overdue(&self) -> Cause {
        let mut deadline = self.shared.deadline.subscribe();
        loop {
            let at = *deadline.borrow_and_update();
            let changed = match at {
                Some(at) => timeout_at(at, deadline.changed()).await,
                None => Ok(deadline.changed().await),
            };
            match changed {
                Err(_) => return Cause::Deadline(self.shared.timeout.unwrap_or_default()),
                Ok(Err(_)) => std::future::pending().await, // nobody can move it any more
                Ok(Ok(())) => {}
            }
        }
    }

    /// Runs what a person has to answer. The time does not count for `--timeout`.
    pub async fn asking<T>(&self, question: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let deadline = self.shared.deadline.send_replace(None);
        let answer = question.await;
        self.shared.deadline.send_replace(deadline.map(|at| at + asked.elapsed()));
        answer
    }

    /// From here on the command changes something: a signal no longer cuts it off, it ends on its own.
    ///
    /// # Errors
    /// If it was stopped already.
    pub fn commit(&self) -> OpResult<()> {
        self.shared.committed.store(true, Ordering::SeqCst);
        match self.cause() {
            None => Ok(()),
            Some(_) => Err(self.stopped("nothing was started")),
        }
    }

    /// Whether something may have been changed.
    pub fn is_committed(&self) -> bool {
        self.shared.committed.load(Ordering::SeqCst)
    }

    /// Waits until a command that does not end on its own has to be abandoned: at once while it changes
    /// nothing, else when it had its time to tidy up.
    pub async fn cut(&self) -> Cause {
        self.drain.cancelled().await;
        if self.is_committed() {
            self.abort.cancelled().await;
            // A pause is a wait for what does not come.
            let _ = timeout_at(Instant::now() + TIDYING, std::future::pending::<()>()).await;
        }
        self.cause().unwrap_or(Cause::Interrupt)
    }

    /// A call that only reads: dropped in the first stage.
    pub async fn reading<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = OpResult<T>>,
    ) -> OpResult<T> {
        tokio::select! {
            biased;
            result = call => result,
            () = self.drain.cancelled() => Err(self.stopped(what)),
        }
    }

    /// A call that writes: dropped in the second stage.
    pub async fn writing<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = OpResult<T>>,
    ) -> OpResult<T> {
        tokio::select! {
            biased;
            result = call => result,
            () = self.abort.cancelled() => Err(self.unanswered(what)),
        }
    }

    /// A call that writes and is usually answered at once: given a moment after the first stage has begun.
    pub async fn briefly<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = OpResult<T>>,
    ) -> OpResult<T> {
        let moment = async {
            self.drain.cancelled().await;
            // A pause is a wait for what does not come.
            let _ = timeout_at(Instant::now() + MOMENT, std::future::pending::<()>()).await;
        };
        tokio::select! {
            biased;
            result = call => result,
            () = moment => Err(self.unanswered(what)),
        }
    }

    /// The error of what was dropped.
    pub fn stopped(&self, what: &'static str) -> OpError {
        match self.cause() {
            Some(Cause::Deadline(limit)) => {
                let message = format!("not finished within {}", humantime::format_duration(limit));
                OpError::new(what, OpErrorKind::TimedOut, message)
            }
            Some(Cause::LeaseLost) => OpError::new(what, OpErrorKind::LeaseLost, "the lease was lost"),
            _ => OpError::new(what, OpErrorKind::Cancelled, "interrupted"),
        }
    }

    fn unanswered(&self, what: &'static str) -> OpError {
        let error = self.stopped(what);
        OpError { message: format!("{} before AWS answered", error.message), unanswered: true, ..error }
    }

    /// The same error as it is called when `--timeout` was the cause.
    pub fn named(&self, error: OpError) -> OpError {
        match (&error.kind, self.cause()) {
            (OpErrorKind::Cancelled, Some(Cause::Deadline(limit))) => {
                let limit = humantime::format_duration(limit);
                let message = error.message.replace("interrupted", &format!("not finished within {limit}"));
                OpError { kind: OpErrorKind::TimedOut, message, ..error }
            }
            _ => error,
        }
    }

    /// Whether an error only says that the run was stopped.
    pub fn caused(&self, error: &OpError) -> bool {
        match self.cause() {
            Some(Cause::Deadline(_)) if error.kind == OpErrorKind::TimedOut => true,
            Some(Cause::LeaseLost) if error.kind == OpErrorKind::LeaseLost => true,
            _ => error.kind == OpErrorKind::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn time_at_a_prompt_does_not_count() {
        let cancel = Cancel::within(Some(SHORT));
        // The person thinks for longer than everything may take.
        let thinking = timeout(3 * SHORT, cancel.overdue());
        assert!(cancel.asking(thinking).await.is_err(), "it was overdue at the prompt");
        assert_eq!(cancel.overdue().await, Cause::Deadline(SHORT));
    }

    #[tokio::test]
    async fn a_look_is_dropped_at_once_and_a_write_in_the_second_stage() {
        let cancel = Cancel::default();
        let never = std::future::pending::<OpResult<()>>;
        cancel.stop(Cause::Terminate);
        cancel.stop(Cause::Interrupt);
        assert_eq!(cancel.reading("look", never()).await.unwrap_err().kind, OpErrorKind::Cancelled);
        assert!(timeout(SHORT, cancel.writing("create", never())).await.is_err(), "dropped too early");
        cancel.abort.cancel();
        assert!(cancel.briefly("lease", never()).await.is_err());
        assert!(cancel.writing("create", never()).await.is_err());
        let nested = cancel.writing("waiting for an answer", cancel.writing("ec2:RunInstances", never()));
        let error = nested.await.unwrap_err();
        assert!(error.unanswered && error.action == "ec2:RunInstances", "{error}");
        // What was answered in time counts, whatever came meanwhile.
        assert!(cancel.writing("create", std::future::ready(Ok(()))).await.is_ok());
        assert_eq!(cancel.cause(), Some(Cause::Terminate));
    }

    #[tokio::test]
    async fn what_changes_nothing_is_cut_off_and_what_does_may_tidy_up() {
        let (reading, writing) = (Cancel::default(), Cancel::default());
        writing.commit().unwrap();
        for cancel in [&reading, &writing] {
            cancel.stop(Cause::Interrupt);
        }
        assert_eq!(reading.cut().await, Cause::Interrupt);
        assert!(timeout(SHORT, writing.cut()).await.is_err(), "cut off in the middle of a change");
        assert!(reading.commit().is_err());
    }

    #[tokio::test]
    async fn the_end_of_the_time_is_not_called_an_interruption() {
        let cancel = Cancel::within(Some(SHORT));
        cancel.stop(cancel.overdue().await);
        let error = OpError::new("upload", OpErrorKind::Cancelled, "interrupted; what was sent is kept");
        let error = cancel.named(error);
        assert_eq!(error.to_string(), "upload: not finished within 30ms; what was sent is kept");
        assert!(cancel.caused(&error) && error.kind == OpErrorKind::TimedOut);
    }
}
