//! Who holds the lease of a project, and how it is taken away from a run that is dead.

use super::Session;
use crate::aws::OpResult;
use crate::desired::Kind;
use crate::domain::{KindName, Owner};
use crate::engine::lease::{self, FoundLease, KEY};
use crate::engine::{OpCx, Registry, RunContext};
use crate::plan::Plan;
use crate::resources::bucket::{self, Bucket, Which, empty};

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
        Self::find_with(&session.context, &session.registry).await
    }

    async fn find_with(context: &RunContext, registry: &Registry) -> OpResult<Option<Self>> {
        let Some(name) = context.wanted(KindName::Bucket).next() else { return Ok(None) };
        let cx = OpCx::new(context, Bucket::id(Bucket::MAIN));
        let here = match bucket::owner(&cx, name).await? {
            Some(Owner::Other(_)) => None,
            // One that has lost its tags is no less held.
            _ => Self::in_bucket(context, name).await?,
        };
        if here.as_ref().is_some_and(Self::is_held) {
            return Ok(here);
        }
        for other in registry.of(KindName::Bucket).owned(&cx).await? {
            let is_here = other.physical == name;
            let there = if is_here { None } else { Self::in_bucket(context, &other.physical).await? };
            if let Some(held) = there.filter(Self::is_held) {
                return Ok(Some(held));
            }
        }
        Ok(here)
    }

    /// The lease in a bucket that a destroy leaves to others: by its tags it is theirs, because the run that
    /// was to adopt it has not come to that.
    pub(super) async fn beside(context: &RunContext, registry: &Registry, plan: &Plan) -> Option<Self> {
        let is_theirs = plan.foreign.iter().any(|foreign| foreign.target.kind == KindName::Bucket);
        // Nothing depends on it: who may not look is told nothing.
        let found =
            if is_theirs && plan.destroys() { Self::find_with(context, registry).await } else { Ok(None) };
        found.ok().flatten()
    }

    /// That it is left, and what deletes it.
    pub fn is_left(&self) -> String {
        let Self { bucket, found } = self;
        format!(
            "`{bucket}` holds `{KEY}` of a run that did not give it back ({found}). If that run is dead, \
             `opsctl lease break` deletes it."
        )
    }

    async fn in_bucket(context: &RunContext, bucket: &str) -> OpResult<Option<Self>> {
        let found = lease::read(&context.aws, bucket).await?;
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
        let Session { context, .. } = session;
        let cx = OpCx::new(context, Bucket::id(Bucket::MAIN));
        let owner = bucket::owner(&cx, &self.bucket).await?;
        // From here on it may be gone.
        context.cancel.commit()?;
        let remove = async {
            lease::remove(&context.aws, &self.bucket, &self.found).await?;
            // In a bucket of ours old versions expire.
            if owner.is_some_and(|owner| owner.is_managed()) {
                return Ok(());
            }
            let is_past = |key: &str, version: Which<'_>| {
                key == KEY && matches!(version, Which::Old(_) | Which::Marker)
            };
            empty::remove(&cx, &self.bucket, KEY, is_past).await.map(drop)
        };
        context.cancel.writing("waiting for an answer", remove).await
    }
}
