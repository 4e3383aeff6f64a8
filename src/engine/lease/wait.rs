//! Waiting for a lease that another run holds (`--wait`).

use std::time::Duration;

use tokio::time::Instant;

use super::Place;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::{KindName, ResourceId};
use crate::engine::{Event, OpCx, RunContext};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// Does `take` again and again while somebody else holds the lease, if this run has the patience.
pub(super) async fn patiently<T>(
    context: &RunContext,
    place: &Place,
    take: impl AsyncFn() -> OpResult<T>,
) -> OpResult<T> {
    let cx = OpCx::new(context, ResourceId::new(KindName::Bucket, "main"));
    let (began, mut told) = (Instant::now(), None);
    loop {
        let held = match take().await {
            Err(error) if error.kind == OpErrorKind::LeaseHeld => error,
            taken => return taken,
        };
        let Some(patience) = &context.patience else { return Err(held) };
        if let Some(limit) = patience.limit.filter(|limit| began.elapsed() >= *limit) {
            let limit = humantime::format_duration(limit);
            return Err(OpError { message: format!("{}; waited {limit}", held.message), ..held });
        }
        let holder = place.read().await.ok().flatten().map(|found| found.who());
        if let Some(holder) = holder.filter(|holder| told.as_ref() != Some(holder)) {
            (patience.tell)(&holder);
            context.events.send(Event::LeaseWaiting { holder: holder.clone() });
            told = Some(holder);
        }
        cx.pause("waiting for the lease", context.pace.interval(EVERY, began.elapsed())).await?;
    }
}
