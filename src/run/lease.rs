//! Who holds the lease of a project, and how it is taken away from a run that is dead.

use super::Session;
use crate::aws::OpResult;
use crate::desired::Kind;
use crate::domain::{KindName, Owner};
use crate::engine::OpCx;
use crate::engine::lease::{self, FoundLease};
use crate::plan::Plan;
use crate::resources::bucket::{self, Bucket};

/// A lease as it was found, and the bucket that it is in.
#[derive(Clone, Debug)]
pub struct ProjectLease {
    pub bucket: String,
    pub found: FoundLease,
}

impl ProjectLease {
    /// The lease of the project: that in the bucket of the config, else in one that it had under another
    /// name, where a run with the config of then may be under way. `None`: nobody ever held it.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn find(session: &Session) -> OpResult<Option<Self>> {
        let Some(name) = session.context.wanted(KindName::Bucket).next() else { return Ok(None) };
        let cx = OpCx::new(&session.context, Bucket::id(Bucket::MAIN));
        let here = match bucket::owner(&cx, name).await? {
            Some(Owner::Other(_)) => None,
            // One that has lost its tags is no less held.
            _ => Self::in_bucket(session, name).await?,
        };
        if here.as_ref().is_some_and(Self::is_held) {
            return Ok(here);
        }
        for other in session.registry.of(KindName::Bucket).owned(&cx).await? {
            let is_here = other.physical == name;
            let there = if is_here { None } else { Self::in_bucket(session, &other.physical).await? };
            if let Some(held) = there.filter(Self::is_held) {
                return Ok(Some(held));
            }
        }
        Ok(here)
    }

    /// The lease in a bucket that a plan leaves to others: by its tags it is theirs, because the run that was
    /// to adopt it has not come to that.
    pub async fn beside(session: &Session, plan: &Plan) -> Option<Self> {
        let is_theirs = plan.foreign.iter().any(|foreign| foreign.target.kind == KindName::Bucket);
        // Nothing depends on it: who may not look is told nothing.
        if is_theirs { Self::find(session).await.ok().flatten() } else { None }
    }

    async fn in_bucket(session: &Session, bucket: &str) -> OpResult<Option<Self>> {
        let found = lease::read(&session.context.aws, bucket).await?;
        Ok(found.map(|found| Self { bucket: bucket.to_owned(), found }))
    }

    /// Whether a run may be under way: who does not renew it loses it.
    pub fn is_held(&self) -> bool {
        !self.found.left().is_zero()
    }

    /// Takes it away from the holder that was found, and from nobody else.
    ///
    /// # Errors
    /// [`crate::aws::OpErrorKind::Conflict`] if it was renewed or changed hands since, or what AWS said.
    pub async fn take_away(&self, session: &Session) -> OpResult<()> {
        let cancel = &session.context.cancel;
        // From here on it may be gone.
        cancel.commit()?;
        let remove = lease::remove(&session.context.aws, &self.bucket, &self.found);
        cancel.writing("waiting for an answer", remove).await
    }
}
