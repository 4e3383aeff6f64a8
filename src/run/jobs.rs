//! The jobs of a training: the one in the config now, and its predecessors.

use std::cmp::Reverse;

use super::{Session, whose};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::AnySeen;
use crate::domain::{Phase, ResourceId};
use crate::engine::{OpCx, previous_generations};

/// One job of a training; or anything else that writes a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name in the config or in `opsctl status`.
    pub id: ResourceId,
    pub physical: String,
}

/// What was found, and the job that it belongs to.
#[derive(Debug)]
pub struct Newest<T> {
    pub physical: String,
    /// It is not that of the job which the config asks for now, but of one before it.
    pub is_earlier: bool,
    /// What AWS says of that job, if it knows it still.
    pub seen: Option<AnySeen>,
    pub found: T,
}

impl Job {
    /// What the config has by this id.
    pub fn of(session: &Session, id: ResourceId) -> Self {
        Self { physical: session.physical(&id), id }
    }

    /// Where one of its jobs leaves its artifact: a key of the project's bucket.
    pub fn artifact(&self, session: &Session, physical: &str) -> String {
        session.kind(self.id.kind).artifact(physical).unwrap_or_default()
    }

    /// The earlier jobs of the same training, with other inputs, newest first.
    async fn earlier(&self, session: &Session) -> OpResult<Vec<String>> {
        let node = session.desired.node(&self.id).filter(|node| node.physical == self.physical);
        let Some(node) = node.filter(|_| session.kind(self.id.kind).fingerprinted()) else {
            return Ok(Vec::new());
        };
        let cx = OpCx::new(&session.context, self.id.clone());
        let owned = session.registry.of(self.id.kind).owned(&cx).await?;
        let mut found = previous_generations(node, &owned, &session.context.scope);
        found.sort_by_key(|job| Reverse(job.created));
        Ok(found.into_iter().map(|job| job.physical).collect())
    }

    /// What `look` finds of this job, else of the newest earlier one that has some. Nothing is looked for in
    /// what is somebody else's.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn newest_with<T>(
        &self,
        session: &Session,
        look: impl AsyncFn(&str) -> OpResult<Option<T>>,
    ) -> OpResult<Option<Newest<T>>> {
        let seen = whose::ours(session, &self.id, &self.physical).await?;
        if let Some(found) = look(&self.physical).await? {
            return Ok(Some(Newest { physical: self.physical.clone(), is_earlier: false, seen, found }));
        }
        for physical in self.earlier(session).await? {
            let seen = match whose::ours(session, &self.id, &physical).await {
                // Its name only begins like ours.
                Err(error) if error.kind == OpErrorKind::AlreadyExists => continue,
                other => other?,
            };
            if let Some(found) = look(&physical).await? {
                return Ok(Some(Newest { physical, is_earlier: true, seen, found }));
            }
        }
        Ok(None)
    }

    /// Says, for people, that `what` belongs to an earlier job.
    pub fn is_of_earlier(&self, what: &str, physical: &str) -> String {
        format!("{} as it is now has no {what} yet; this is that of the job before it, {physical}", self.id)
    }

    /// Whether there is one of this name.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn is_there(&self, session: &Session) -> OpResult<bool> {
        let cx = OpCx::new(&session.context, self.id.clone());
        Ok(session.registry.of(self.id.kind).observe(&cx, &self.physical).await?.is_some())
    }

    /// Whether more output may follow: a job ends, a server does not.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn is_running(&self, session: &Session, physical: &str) -> Result<bool, OpError> {
        if !session.kind(self.id.kind).fingerprinted() {
            return Ok(true);
        }
        let driver = session.registry.of(self.id.kind);
        let cx = OpCx::new(&session.context, self.id.clone());
        let seen = driver.observe(&cx, physical).await?;
        Ok(seen.is_some_and(|seen| seen.status().phase == Phase::Busy))
    }
}
