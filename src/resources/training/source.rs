//! Uploads a job's source folder to where the job reads it.

use aws_sdk_s3::primitives::ByteStream;

use super::job::Code;
use crate::archive;
use crate::aws::{OpError, OpResult, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// Uploads the packed source. Always: what lies under its name may have been put there by somebody else.
pub async fn upload(cx: &OpCx<'_>, code: &Code) -> OpResult<()> {
    let Some(tree) = cx.inputs.accepted(&code.path, &code.use_as) else {
        return Err(OpError::local(
            "packing the source",
            format!("{} was not read for this run", code.path.display()),
        ));
    };
    let files: Vec<_> = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice())).collect();
    let body = ByteStream::from(archive::tar_gz(&files));
    let call = cx.aws.s3.put_object().bucket(&code.bucket).key(&code.key).body(body);
    call.send().await.op(action::s3::PutObject).map(drop)
}
