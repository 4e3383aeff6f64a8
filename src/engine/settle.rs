//! Waiting for names: a new resource is not visible at once, and an old one blocks its name until it is
//! gone.

use std::time::Duration;

use tokio::time::Instant;

use super::cx::still_refused;
use super::{Driver, Event, OpCx, Probe};
use crate::aws::{OpErrorKind, OpResult};
use crate::domain::{Action, Owner, Phase};

/// The longest that AWS deletes: endpoints and notebooks take minutes.
const LEAVING: Duration = Duration::from_secs(3600);
const EVERY: Duration = Duration::from_secs(5);

/// Makes the resource by `call`. That the name is taken is success when ours has it: a killed run is being
/// repeated. One that AWS is still deleting is not: it is awaited, and the call repeated. So is one that does
/// not show, because it may have gone or come a moment ago.
pub async fn make<D, F, Fut>(
    driver: &D,
    cx: &OpCx<'_>,
    physical: &str,
    action: Action,
    mut call: F,
) -> OpResult<()>
where
    D: Driver,
    F: FnMut() -> Fut,
    Fut: Future<Output = OpResult<()>>,
{
    let start = Instant::now();
    loop {
        let taken = match cx.cancel.writing(action.name, call()).await {
            Err(error) if error.kind == OpErrorKind::AlreadyExists => error,
            result => return result,
        };
        let seen = driver.observe(cx, physical).await?;
        let (limit, reason) = match seen.map(|seen| (seen.owner, seen.status)) {
            Some((_, status)) if status.phase == Phase::Leaving => (LEAVING, status.word),
            Some((Owner::Ours, _)) => return Ok(()),
            // Tags may show later than what they are on.
            Some((Owner::Nobody | Owner::Partly { .. }, _)) => (cx.lag, "no tags yet".to_owned()),
            Some((Owner::Other(_) | Owner::Adopted, _)) => return Err(taken),
            None => (cx.lag, "the name is not free yet".to_owned()),
        };
        if start.elapsed() > cx.timeout.unwrap_or(limit).min(limit) {
            return Err(taken);
        }
        cx.tell(|step, target| Event::StepRetrying { step, target, action: action.name, reason });
        cx.pause(action.name, cx.pace.interval(EVERY, start.elapsed())).await.map_err(still_refused)?;
    }
}

/// Waits until nothing of the resource is left: AWS answers many deletes before it has begun with them.
pub async fn gone<D: Driver>(driver: &D, cx: &OpCx<'_>, physical: &str) -> OpResult<()> {
    cx.wait("gone", EVERY, LEAVING, || async {
        Ok(match driver.observe(cx, physical).await? {
            Some(seen) if seen.status.phase == Phase::Leaving || seen.owner.is_managed() => {
                Probe::Pending(seen.status.word)
            }
            // What is there without our tags is somebody else's, or a record that cannot be deleted.
            _ => Probe::Ready(()),
        })
    })
    .await
}
