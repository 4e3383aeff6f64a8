//! Whose a thing is that a command is about to use: a name of ours may be somebody else's resource.

use super::Session;
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::{AnySeen, Kind as _};
use crate::domain::{Owner, ResourceId, action};
use crate::engine::OpCx;
use crate::resources::bucket::{self, Bucket};

/// Refuses what exists and is not this project's, and gives what was seen of it. What does not exist is for
/// the caller to say.
///
/// # Errors
/// [`OpErrorKind::AlreadyExists`], or what AWS said.
pub async fn ours(session: &Session, id: &ResourceId, physical: &str) -> OpResult<Option<AnySeen>> {
    let cx = OpCx::new(&session.context, id.clone());
    let look = session.registry.of(id.kind).observe(&cx, physical);
    let seen = session.context.cancel.reading("looking", look).await?;
    match seen.as_ref().map(|seen| seen.owner()) {
        Some(owner) if !owner.is_managed() => {
            let message =
                format!("{} `{physical}` is not this project's: its tags name {owner}", id.kind.words());
            Err(OpError::new(id.to_string(), OpErrorKind::AlreadyExists, message))
        }
        _ => Ok(seen),
    }
}

/// Refuses to read what lies in a bucket of the project's name that is somebody else's.
///
/// # Errors
/// As [`ours`].
pub async fn bucket_is_ours(session: &Session) -> OpResult<()> {
    let (id, name) = (Bucket::id(Bucket::MAIN), session.bucket());
    let cx = OpCx::new(&session.context, id.clone());
    let look = async {
        match bucket::owner(&cx, name).await? {
            // A bucket without tags is somebody's.
            None => {
                let head =
                    cx.aws.s3.head_bucket().bucket(name).send().await.op(action::s3::ListBucket).found()?;
                Ok(head.map(|_| Owner::Nobody))
            }
            owner => Ok(owner),
        }
    };
    match session.context.cancel.reading("looking", look).await? {
        Some(owner) if !owner.is_managed() => {
            let message = format!("bucket `{name}` is not this project's: its tags name {owner}");
            Err(OpError::new(id.to_string(), OpErrorKind::AlreadyExists, message))
        }
        _ => Ok(()),
    }
}
