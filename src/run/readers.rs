//! A job is named after what it was made to read, and reads it later: until then that stays as it is.

use futures_util::try_join;

use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::KindName;
use crate::engine::OpCx;
use crate::resources::{instance, training};

/// Refuses to change what lies below `uri` while a job may read it.
///
/// # Errors
/// [`OpErrorKind::StillRead`], or what AWS said.
pub(super) async fn none_of(cx: &OpCx<'_>, uri: &str) -> OpResult<()> {
    let is_wanted = |kind| cx.wanted(kind).next().is_some();
    let on_sagemaker = async {
        if is_wanted(KindName::Training) { training::reading(cx, uri).await } else { Ok(Vec::new()) }
    };
    let on_ec2 = async {
        if is_wanted(KindName::Instance) { instance::reading(cx, uri).await } else { Ok(Vec::new()) }
    };
    let (first, second) = try_join!(on_sagemaker, on_ec2)?;
    let jobs: Vec<String> = first.into_iter().chain(second).map(|job| format!("training/{job}")).collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let work = if jobs.len() == 1 { "is at work and may read" } else { "are at work and may read" };
    let message = format!("{} {work} {uri}, so nothing was changed there", jobs.join(" and "));
    let help = "wait for its end, or end it (`opsctl stop`), and run the same command again";
    Err(OpError::new("upload", OpErrorKind::StillRead, message).with_help(help))
}
