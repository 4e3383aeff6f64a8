//! What a driver's verbs may use: the clients, the local sources, and the only two ways to pause.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::events::ms;
use super::{Cancel, Cause, Event, Events};
use crate::aws::{Clients, OpError, OpErrorKind, OpResult, PollPace};
use crate::domain::{Action, KindName, Owner, ResourceId, Scope, Tags, tags};
use crate::inputs::Inputs;
use crate::plan::StepId;

/// Everything a run shares.
pub struct RunContext {
    pub aws: Clients,
    pub scope: Scope,
    /// The tags of the user's own.
    pub tags: Tags,
    pub inputs: Inputs,
    /// A folder of this machine for what can be made again: checksums, copies, journals.
    pub cache: PathBuf,
    /// The wanted physical names, for kinds whose parts AWS lists only by their whole.
    pub wanted: Vec<(KindName, String)>,
    pub events: Events,
    pub cancel: Cancel,
    pub pace: PollPace,
    /// How long AWS's answers may lag behind what was done ([`PollPace::lag`]).
    pub lag: Duration,
    /// Upper bound of any one wait (`--timeout`).
    pub timeout: Option<Duration>,
    /// Whether, and how long, the lease is waited for.
    pub patience: Option<Patience>,
    /// When this run first looked, by AWS's clock.
    pub began: OnceLock<i64>,
}

/// How the lease is waited for while another run holds it.
#[derive(Clone)]
pub struct Patience {
    /// `None`: until something ends the command.
    pub limit: Option<Duration>,
    /// Hears once of each holder.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

/// One step's view of the world; or that of a look, which is no step of a plan.
pub struct OpCx<'a> {
    pub context: &'a RunContext,
    step: Option<StepId>,
    pub target: ResourceId,
}

impl<'a> OpCx<'a> {
    /// Beside all steps: what happens is no event of one.
    pub fn new(context: &'a RunContext, target: ResourceId) -> Self {
        Self { context, step: None, target }
    }

    /// The same in a step of the plan, whose events it sends.
    #[must_use]
    pub fn in_step(self, step: StepId) -> Self {
        Self { step: Some(step), ..self }
    }

    /// The step that it is in.
    pub fn step(&self) -> Option<StepId> {
        self.step
    }

    /// Sends an event of the step, if this is in one.
    pub fn tell(&self, event: impl FnOnce(StepId, ResourceId) -> Event) {
        if let Some(step) = self.step {
            self.events.send(event(step, self.target.clone()));
        }
    }
}

impl std::ops::Deref for OpCx<'_> {
    type Target = RunContext;
    fn deref(&self) -> &RunContext {
        self.context
    }
}

/// The answer of one poll of a resource in progress.
#[derive(Debug)]
pub enum Probe<T> {
    Ready(T),
    /// AWS's status word.
    Pending(String),
    /// AWS shows nothing of that name. Within [`RunContext::lag`] it may not be visible yet; after that it
    /// does not exist.
    Absent,
    Failed {
        status: String,
        reason: Option<String>,
    },
}

impl RunContext {
    /// The wanted physical names of one kind.
    pub fn wanted(&self, kind: KindName) -> impl Iterator<Item = &str> {
        self.wanted.iter().filter(move |(k, _)| *k == kind).map(|(_, name)| name.as_str())
    }

    /// Seconds since 1970 at this run's first look, by AWS's clock, which now shows `now`.
    pub fn clock(&self, now: i64) -> i64 {
        *self.began.get_or_init(|| now)
    }

    /// Polls every `every` until ready, failed, past `limit`, or canceled. `every` and `limit` are those of
    /// AWS's own waiter; what is not visible yet has a limit of its own.
    pub async fn wait<T, F, Fut>(
        &self,
        what: &'static str,
        every: Duration,
        limit: Duration,
        probe: F,
    ) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<Probe<T>>>,
    {
        self.poll(what, every, limit, probe, |_, _| ()).await
    }

    /// [`Self::wait`] for what ends when somebody ends it: without a limit, but for that of `--timeout`.
    pub async fn watch<T, F, Fut>(&self, what: &'static str, every: Duration, probe: F) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<Probe<T>>>,
    {
        self.wait(what, every, Duration::MAX, probe).await
    }

    /// [`Self::wait`]; `pending` hears the status of each look, and for how long it is waited.
    async fn poll<T, F, Fut>(
        &self,
        what: &'static str,
        every: Duration,
        limit: Duration,
        mut probe: F,
        pending: impl Fn(&str, Duration),
    ) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<Probe<T>>>,
    {
        let limit = self.timeout.unwrap_or(limit);
        let start = Instant::now();
        let mut last = None;
        let mut absent_since = None;
        // The last status says more than that we stopped waiting.
        let left = |error: OpError, last: Option<&String>| match last {
            Some(status) if self.cancel.caused(&error) => {
                OpError { message: format!("still {status}"), ..error }
            }
            _ => error,
        };
        loop {
            let looked = self.cancel.reading(what, probe()).await;
            let looked = looked.map_err(|error| left(error, last.as_ref()))?;
            if !matches!(looked, Probe::Absent) {
                absent_since = None;
            }
            let status = match looked {
                // What was waited for is what the next write is for.
                Probe::Ready(ready) => return self.confirm_lease().await.map(|()| ready),
                Probe::Pending(status) => status,
                Probe::Absent => {
                    if absent_since.get_or_insert_with(Instant::now).elapsed() > self.lag {
                        let lag = humantime::format_duration(self.lag);
                        let message = format!("AWS has shown nothing of it for {lag}: it does not exist");
                        return Err(OpError::ended(OpErrorKind::Missing, message));
                    }
                    "not visible yet".to_owned()
                }
                Probe::Failed { status, reason } => return Err(failed(status, reason)),
            };
            pending(&status, start.elapsed());
            if start.elapsed() > limit {
                let message = format!("still {status} after {}", humantime::format_duration(limit));
                return Err(OpError::ended(OpErrorKind::TimedOut, message));
            }
            let pause = self.pause(what, self.pace.interval(every, start.elapsed())).await;
            pause.map_err(|error| left(error, Some(&status)))?;
            last = Some(status);
        }
    }

    /// After a wait: much can have happened, so the lease must still be ours.
    async fn confirm_lease(&self) -> OpResult<()> {
        self.aws.fence.ready().await.map_err(|lost| {
            self.cancel.stop(Cause::LeaseLost);
            OpError::lease_lost(&lost)
        })
    }

    pub(super) async fn pause(&self, what: &'static str, interval: Duration) -> OpResult<()> {
        // A pause is a wait for a cancellation that usually does not come.
        match timeout(interval, self.cancel.drain.cancelled()).await {
            Ok(()) => Err(self.cancel.stopped(what)),
            Err(_) => Ok(()),
        }
    }
}

fn failed(status: String, reason: Option<String>) -> OpError {
    let message = match reason.filter(|reason| !reason.is_empty()) {
        // That it failed is said of whatever did.
        Some(reason) if status == "Failed" => reason,
        Some(reason) => format!("{status}: {reason}"),
        None => format!("AWS gives no reason ({status})"),
    };
    OpError::ended(OpErrorKind::BadState, message)
}

impl OpCx<'_> {
    /// The tags of this step's resource: the user's, and those that say whose it is (docs/decisions/0021).
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.user_tags().into_iter().chain(self.scope.tags(&self.target)).collect()
    }

    /// The user's own, and the list of their keys.
    pub fn user_tags(&self) -> Tags {
        tags::with_list(&self.context.tags)
    }

    /// The tags that make this step's resource this project's, when it has those of `owner`: what opsctl made
    /// gets back what it has lost, anything else was made by somebody else.
    pub fn tags_back(&self, owner: &Owner) -> BTreeMap<String, String> {
        if owner.is_made() { self.tags() } else { self.scope.adopted_tags(&self.target) }
    }

    /// Whether a physical name can be of this project and environment. Tags decide; names only narrow the
    /// search.
    pub fn may_be_ours(&self, physical: &str) -> bool {
        physical.starts_with(&self.scope.prefix())
    }

    /// As [`RunContext::wait`], and says at each look what is awaited.
    pub async fn wait<T, F, Fut>(
        &self,
        what: &'static str,
        every: Duration,
        limit: Duration,
        probe: F,
    ) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<Probe<T>>>,
    {
        let pending = |status: &str, elapsed| {
            let (status, elapsed_ms) = (status.to_owned(), ms(elapsed));
            self.tell(|step, target| Event::StepWaiting { step, target, what, status, elapsed_ms });
        };
        self.poll(what, every, limit, probe, pending).await
    }

    /// Repeats one call while it fails with one documented inconsistency
    /// (docs/aws/errors-and-retries.md#eventual-consistency). Throttling and network faults are the SDK's to
    /// retry, not ours.
    pub async fn retry<T, F, Fut>(
        &self,
        action: Action,
        limit: Duration,
        again: impl Fn(&OpErrorKind) -> bool,
        mut call: F,
    ) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<T>>,
    {
        let start = Instant::now();
        loop {
            match self.cancel.writing(action.name, call()).await {
                Err(error) if again(&error.kind) && start.elapsed() < limit => {
                    let (called, reason) = (action.name, error.message);
                    self.tell(|step, target| Event::StepRetrying { step, target, action: called, reason });
                    let interval = self.pace.interval(Duration::from_secs(5), start.elapsed());
                    self.pause(action.name, interval).await.map_err(still_refused)?;
                    self.confirm_lease().await?;
                }
                result => return result,
            }
        }
    }

    /// Repeats a call while a role or profile made a moment ago has not reached the service yet: up to two
    /// minutes, after which the same words mean a real problem.
    pub async fn retry_new_role<T, F, Fut>(&self, action: Action, call: F) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<T>>,
    {
        self.retry(action, Duration::from_secs(120), |kind| *kind == OpErrorKind::NotYetConsistent, call)
            .await
    }

    /// Repeats a call while something else (often our own previous call) is changing the same resource.
    pub async fn retry_busy<T, F, Fut>(&self, action: Action, call: F) -> OpResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = OpResult<T>>,
    {
        self.retry(action, Duration::from_secs(300), |kind| *kind == OpErrorKind::Conflict, call).await
    }
}

/// The error of a run that was stopped before a call succeeded.
pub(super) fn still_refused(error: OpError) -> OpError {
    OpError { refused: true, ..error }
}
