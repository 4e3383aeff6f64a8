//! The jobs of a training: the one that the config asks for now, and those before it.

use std::cmp::Reverse;

use super::error::Failure;
use super::exit::Exit;
use super::session::Session;
use super::ui::Ui;
use crate::domain::{KindName, ResourceId, codes};
use crate::engine::{OpCx, elders};

/// Both kinds are a `[training.NAME]` in the config.
const KINDS: [KindName; 2] = [KindName::Training, KindName::Instance];

/// One job of a training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// As the config or `opsctl status` calls it.
    pub id: ResourceId,
    pub physical: String,
}

impl Job {
    /// The job that a name means: that of a `[training.NAME]`, or a name in AWS as `opsctl status` shows it.
    pub async fn named(session: &Session, name: &str) -> Result<Option<Self>, Failure> {
        let nodes = session.desired.nodes.iter().filter(|node| KINDS.contains(&node.id.kind));
        if let Some(node) = nodes.clone().find(|node| node.id.name == name || node.physical == name) {
            return Ok(Some(Self { id: node.id.clone(), physical: node.physical.clone() }));
        }
        for kind in KINDS {
            let target = ResourceId::new(kind, name);
            let cx = OpCx { world: &session.world, step: 0, target: target.clone() };
            if session.registry.of(kind).list(&cx).await?.iter().any(|found| found.physical == name) {
                return Ok(Some(Self { id: target, physical: name.to_owned() }));
            }
        }
        Ok(None)
    }

    /// Those that were made before it from another recipe of the same training, the newest first.
    async fn earlier(&self, session: &Session) -> Result<Vec<String>, Failure> {
        let Some(node) = session.desired.node(&self.id).filter(|node| node.physical == self.physical) else {
            return Ok(Vec::new());
        };
        let cx = OpCx { world: &session.world, step: 0, target: self.id.clone() };
        let mut found =
            elders(node, &session.registry.of(self.id.kind).list(&cx).await?, &session.world.scope);
        found.sort_by_key(|job| Reverse(job.created));
        Ok(found.into_iter().map(|job| job.physical).collect())
    }

    /// What `look` finds of this job, else of the newest earlier one that has some; then it is said which one
    /// that is.
    pub async fn newest_with<T>(
        &self,
        session: &Session,
        ui: &Ui,
        what: &str,
        look: impl AsyncFn(&str) -> Result<Option<T>, Failure>,
    ) -> Result<Option<(String, T)>, Failure> {
        if let Some(found) = look(&self.physical).await? {
            return Ok(Some((self.physical.clone(), found)));
        }
        for job in self.earlier(session).await? {
            if let Some(found) = look(&job).await? {
                ui.say(&format!(
                    "{} as it is now has no {what} yet; this is that of the job before it, {job}",
                    self.id
                ));
                return Ok(Some((job, found)));
            }
        }
        Ok(None)
    }

    /// Whether AWS is still at it.
    pub async fn is_busy(&self, session: &Session, physical: &str) -> Result<bool, crate::aws::OpError> {
        let driver = session.registry.of(self.id.kind);
        let cx = OpCx { world: &session.world, step: 0, target: self.id.clone() };
        let seen = driver.look(&cx, physical).await?;
        Ok(seen.is_some_and(|seen| driver.status_of(&seen).phase == crate::domain::Phase::Busy))
    }
}

/// There is no such name.
pub fn unknown(what: &str) -> Failure {
    Failure::said(
        codes::UNKNOWN_NAME,
        Exit::Usage,
        format!("the config has no {what}"),
        "`opsctl status` lists all",
    )
}
