//! A job is named after what it was made to read, and reads it later: until then that stays as it is
//! (docs/decisions/0085).

use futures_util::future::try_join_all;

use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::ResourceId;
use crate::engine::{OpCx, Registry, RunContext};

/// Nobody has told.
const NO_ANSWER: [OpErrorKind; 2] = [OpErrorKind::Denied, OpErrorKind::NotOffered];

/// Refuses to change what lies below `uri`, the place of this data set, while something may read it. A job
/// may be of a kind that the config has nothing of any more; who may not look then, or cannot, goes on.
///
/// # Errors
/// [`OpErrorKind::StillRead`], or what AWS said.
pub(super) async fn none_of(
    (context, registry): (&RunContext, &Registry),
    data: &ResourceId,
    uri: &str,
) -> OpResult<()> {
    let cx = OpCx::new(context, data.clone());
    let found = try_join_all(registry.0.iter().map(async |driver| {
        let is_wanted = cx.wanted(driver.name()).next().is_some();
        let found = match driver.reading(&cx, uri).await {
            Err(error) if !is_wanted && NO_ANSWER.contains(&error.kind) => Vec::new(),
            found => found?,
        };
        OpResult::Ok(found.into_iter().map(|physical| ResourceId::new(driver.name(), physical)))
    }));
    let readers: Vec<String> = found.await?.into_iter().flatten().map(|id| id.to_string()).collect();
    if readers.is_empty() {
        return Ok(());
    }
    let work = if readers.len() == 1 { "is at work and may read" } else { "are at work and may read" };
    let message = format!("{} {work} {uri}, so nothing was changed there", readers.join(" and "));
    let stop: Vec<String> = readers.iter().map(|reader| format!("`opsctl stop {reader}`")).collect();
    let help = format!("wait, or end it by {}, and run the same command again", stop.join(" and "));
    Err(OpError::new("upload", OpErrorKind::StillRead, message).with_help(help))
}
