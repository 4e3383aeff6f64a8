//! Stops and starts what runs, one resource at a time.

use super::jobs::Job;
use super::{Session, leased, release, whose};
use crate::aws::{OpError, OpErrorKind};
use crate::domain::Phase;
use crate::engine::{OpCx, lease};

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Stop,
    Start,
}

/// What was found or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// It had ended before.
    AlreadyEnded,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum ChangeError {
    Op(OpError),
    Absent,
}

impl From<OpError> for ChangeError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// Stops or starts it. What runs on its own is changed without the lease: a deploy that waits for it sees its
/// end, and `held` is told who that is.
///
/// # Errors
/// See [`ChangeError`].
pub async fn change(
    session: &Session,
    job: &Job,
    change: Change,
    held: impl FnOnce(&str),
) -> Result<Changed, ChangeError> {
    let driver = session.registry.of(job.id.kind);
    let cx = OpCx::new(&session.context, job.id.clone());
    whose::ours(session, &job.id, &job.physical).await?;
    let look = driver.observe(&cx, &job.physical);
    let seen = session.context.cancel.reading("looking", look).await?.ok_or(ChangeError::Absent)?;
    let starts = session.kind(job.id.kind).starts();
    if matches!(seen.status().phase, Phase::Ready | Phase::Failed) && !starts {
        return Ok(Changed::AlreadyEnded);
    }
    session.context.cancel.commit()?;
    // A notebook has settings that a deploy changes.
    let lease = match starts {
        true => {
            let take = leased(&session.context, &session.who);
            session.context.cancel.briefly("lease", take).await?
        }
        // A job is stopped also while a deploy waits for it, which may be why.
        false => {
            let look = lease::ensure_free(&session.context, session.bucket());
            match session.context.cancel.briefly("lease", look).await {
                Err(error) if error.kind == OpErrorKind::LeaseHeld => held(&error.message),
                // Who may not look stops it all the same.
                _ => {}
            }
            None
        }
    };
    let act = async {
        match change {
            Change::Stop => driver.stop(&cx, &job.physical).await,
            Change::Start => driver.start(&cx, &job.physical).await,
        }
    };
    let acted = session.context.cancel.writing("waiting for an answer", act).await;
    let lost = release(&session.context, lease).await;
    acted?;
    match lost {
        Some(lost) => Err(OpError::lost(&lost).into()),
        None => Ok(Changed::Done),
    }
}
