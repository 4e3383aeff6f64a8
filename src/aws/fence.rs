//! No write without the lease: whatever a run still sends after it lost the lease, or slept past it, is
//! stopped here, whichever step, retry or upload it comes from.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::calls::reads;

/// How long a writer waits to learn whether the lease is still ours.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shared by all clients of a run. Without a lease it lets everything through: what only looks takes none.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    /// Somebody wants to write, and the lease has to be confirmed first.
    overdue: Notify,
    /// Why the lease was not given back at the end.
    left: OnceLock<String>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::Open), overdue: Notify::new(), left: OnceLock::new() }
    }
}

#[derive(Clone, Debug)]
enum State {
    /// Nobody needs a lease.
    Open,
    Held(Held),
    Lost(String),
}

/// Since when it is ours for certain, for how long a write may rely on that, and for how long what begins
/// something new may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub since: Moment,
    pub life: Duration,
    pub fresh: Duration,
}

/// A point in time by two clocks: the steady one stands still while a machine sleeps, the other may be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The longer of both: to think that a lease is over too early costs one call, too late costs two
    /// writers.
    pub(crate) fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// The lease is not ours any more, or nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaseLost(pub String);

impl State {
    fn check(&self) -> Result<(), LeaseLost> {
        match self {
            Self::Open => Ok(()),
            Self::Held(held) if held.since.elapsed() < held.life => Ok(()),
            Self::Held(_) => Err(LeaseLost("the lease was not renewed in time".into())),
            Self::Lost(why) => Err(LeaseLost(why.clone())),
        }
    }
}

impl Fence {
    /// Notes that the lease was not given back, and why: it expires by itself.
    pub fn leave(&self, why: String) {
        let _ = self.0.left.set(why);
    }

    /// Why the lease was not given back, if it was not.
    pub fn left(&self) -> Option<&str> {
        self.0.left.get().map(String::as_str)
    }

    /// Whether a request that changes something may go out now.
    ///
    /// # Errors
    /// If the lease is lost, or was not confirmed within its life.
    pub fn check(&self) -> Result<(), LeaseLost> {
        self.0.state.borrow().check()
    }

    /// The same of a request by the name of its operation; what only reads may always go.
    ///
    /// # Errors
    /// As [`Fence::check`].
    pub fn admits(&self, operation: &str) -> Result<(), LeaseLost> {
        if reads(operation) { Ok(()) } else { self.check() }
    }

    /// The same before something begins, or continues after a wait: a lease that was not confirmed a moment
    /// ago is confirmed first. A step writes within a moment of that, so a lease that is taken away is obeyed
    /// by the next step.
    ///
    /// # Errors
    /// If it is lost, or its life is over and it cannot be confirmed.
    pub async fn ready(&self) -> Result<(), LeaseLost> {
        let mut state = self.0.state.subscribe();
        let mut asked = false;
        loop {
            let now = state.borrow_and_update().clone();
            match (now.check(), &now) {
                (Ok(()), State::Held(held)) if !asked && held.since.elapsed() >= held.fresh => {}
                (Err(_), State::Held(_)) => {}
                (checked, _) => return checked,
            }
            asked = true;
            self.0.overdue.notify_one();
            // Whoever renews it answers, one way or the other; if nobody does any more, it is lost.
            match timeout(PATIENCE, state.changed()).await {
                Ok(Ok(())) => {}
                _ => return self.check(),
            }
        }
    }

    /// Why the lease was lost, if it was.
    pub fn lost(&self) -> Option<LeaseLost> {
        match &*self.0.state.borrow() {
            State::Lost(why) => Some(LeaseLost(why.clone())),
            _ => None,
        }
    }

    /// From here on no lease is needed: what it guarded is done, or is what is being deleted.
    pub fn open(&self) {
        self.0.state.send_replace(State::Open);
    }

    /// Whether a lease is what lets writes through.
    pub fn is_held(&self) -> bool {
        matches!(&*self.0.state.borrow(), State::Held(_))
    }

    /// The lease was taken.
    pub(crate) fn hold(&self, held: Held) {
        self.0.state.send_replace(State::Held(held));
    }

    /// It was confirmed by one sent at `since`.
    pub(crate) fn prolong(&self, since: Moment) {
        self.0.state.send_modify(|state| {
            if let State::Held(held) = state {
                held.since = since;
            }
        });
    }

    /// It could not be confirmed, and is ours as long as before: whoever waits to know, knows.
    pub(crate) fn unconfirmed(&self) {
        self.0.state.send_modify(|_| {});
    }

    /// Whether it was confirmed a moment ago.
    pub(crate) fn is_fresh(&self) -> bool {
        match &*self.0.state.borrow() {
            State::Held(held) => held.since.elapsed() < held.fresh.min(held.life),
            _ => false,
        }
    }

    pub(crate) fn lose(&self, why: String) {
        self.0.state.send_replace(State::Lost(why));
    }

    /// Waits until somebody wants the lease confirmed.
    pub(crate) async fn overdue(&self) {
        self.0.overdue.notified().await;
    }
}

#[dyn_dispatch_hint]
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "Fence"
    }

    // Before the counter's hook: what is refused here is not sent, and not counted.
    fn modify_before_transmit(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.load::<Metadata>().map_or(Ok(()), |call| self.admits(call.name())).map_err(BoxError::from)
    }
}
