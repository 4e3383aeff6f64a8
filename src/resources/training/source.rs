//! Uploads a job's source folder to where the job reads it.

use aws_sdk_s3::primitives::ByteStream;

use super::job::Code;
use crate::archive;
use crate::aws::{OpError, OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// Uploads the packed source, unless an earlier job of the same source has done so: the digest is in the key.
pub async fn upload(cx: &OpCx<'_>, code: &Code) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    if s3
        .head_object()
        .bucket(&code.bucket)
        .key(&code.key)
        .send()
        .await
        .op(action::s3::GetObject)
        .found()?
        .is_some()
    {
        return Ok(());
    }
    let Some(tree) = cx.inputs.code(&code.path) else {
        return Err(OpError::local(
            "packing the source",
            format!("{} was not read for this run", code.path.display()),
        ));
    };
    let files: Vec<_> = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice())).collect();
    let body = ByteStream::from(archive::tar_gz(&files));
    s3.put_object()
        .bucket(&code.bucket)
        .key(&code.key)
        .body(body)
        .send()
        .await
        .op(action::s3::PutObject)
        .map(drop)
}
