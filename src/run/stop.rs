//! Stops and starts what runs, one resource at a time.

use std::collections::BTreeSet;

use super::jobs::Job;
use super::{MonthlyLimit, OverBudget, Session, gate, leased, release, whose};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::Node;
use crate::domain::{Money, Phase};
use crate::engine::{self, OpCx};
use crate::plan::{Op, Step};

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Stop,
    /// With another limit than the config's, where one is given.
    Start {
        monthly: Option<Money>,
    },
}

/// What was found or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    Done,
    /// It had ended before.
    AlreadyEnded,
    /// It was about to begin, and nothing of it runs.
    NeverRan,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum ChangeError {
    Op(OpError),
    /// By another run, which may be waiting for it.
    Held(OpError),
    Absent,
    /// What a budget counts could not be read.
    Unread(OpError),
    /// What runs again is billed again.
    OverBudget(OverBudget),
}

impl From<OpError> for ChangeError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// Puts off the end of a project that has one: what is started after it would run without an end.
async fn renew(session: &Session) -> OpResult<()> {
    let is_end = |node: &&Node| node.spec.usage().ends_after.is_some();
    let Some(node) = session.desired.nodes.iter().find(is_end) else { return Ok(()) };
    let cx = OpCx::new(&session.context, node.id.clone());
    let driver = session.registry.of(node.id.kind);
    if driver.observe(&cx, &node.physical).await?.is_none_or(|seen| !seen.owner().is_managed()) {
        let message = format!("{}, which would end it, is not deployed: run `opsctl deploy` first", node.id);
        return Err(OpError::new("start", OpErrorKind::NotFound, message));
    }
    let (target, physical, spec) = (node.id.clone(), node.physical.clone(), node.spec.clone());
    let op = Op::Update { spec, changes: Vec::new() };
    driver.perform(&cx, &Step { id: 0, target, physical, op, after: BTreeSet::new(), why: Vec::new() }).await
}

/// Stops or starts it, under the lease: a deploy changes the settings of a notebook, and waits for a job.
/// With `force` a job is stopped also while another run holds the lease, and `held` is told who that is.
///
/// # Errors
/// See [`ChangeError`].
pub async fn change(
    session: &Session,
    job: &Job,
    change: Change,
    force: bool,
    held: impl FnOnce(&str),
) -> Result<ChangeOutcome, ChangeError> {
    let driver = session.registry.of(job.id.kind);
    let cx = OpCx::new(&session.context, job.id.clone());
    whose::ours(session, &job.id, &job.physical).await?;
    let look = driver.observe(&cx, &job.physical);
    let seen = session.context.cancel.reading("looking", look).await?.ok_or(ChangeError::Absent)?;
    let starts = session.kind(job.id.kind).starts();
    if matches!(seen.status().phase, Phase::Ready | Phase::Failed) && !starts {
        return Ok(ChangeOutcome::AlreadyEnded);
    }
    if let Change::Start { monthly } = change
        && let Some(limit) = MonthlyLimit::of(session, monthly)
        // What runs already costs no more.
        && seen.status().phase != Phase::Ready
    {
        let look = Box::pin(engine::observe(&session.desired, &session.registry, &session.context));
        let have = session.context.cancel.reading("looking", look).await.map_err(ChangeError::Unread)?;
        gate::afford_start(session, limit, &have).await.map_err(ChangeError::OverBudget)?;
    }
    session.context.cancel.commit()?;
    let take = leased(&session.context, &session.who);
    let lease = match session.context.cancel.briefly("lease", take).await {
        Err(error) if starts => return Err(error.into()),
        Err(error) if error.kind == OpErrorKind::LeaseHeld && force => {
            held(&error.message);
            None
        }
        Err(error) if error.kind == OpErrorKind::LeaseHeld => return Err(ChangeError::Held(error)),
        // What costs money is stopped also by whoever may not read the bucket.
        Err(error) if error.kind == OpErrorKind::Denied => None,
        taken => taken?,
    };
    let act = async {
        match change {
            Change::Stop => driver.stop(&cx, &job.physical).await,
            Change::Start { .. } => {
                renew(session).await?;
                driver.start(&cx, &job.physical).await
            }
        }
    };
    let acted = session.context.cancel.writing("waiting for an answer", act).await;
    let lost = release(&session.context, lease).await;
    acted?;
    if let Some(lost) = lost {
        return Err(OpError::lease_lost(&lost).into());
    }
    // A job that has been stopped has ended; one that was noted and never begun is as it was.
    let is_as_before = change == Change::Stop
        && !starts
        && driver.observe(&cx, &job.physical).await?.is_some_and(|seen| seen.status().phase == Phase::Busy);
    Ok(if is_as_before { ChangeOutcome::NeverRan } else { ChangeOutcome::Done })
}
