//! Uploads a job's source folder to where the job reads it.

use aws_sdk_s3::primitives::ByteStream;

use super::job::Code;
use super::packages;
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
    let packages = packages::file(&code.packages);
    let files = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice()));
    let files: Vec<_> = files.chain((!packages.is_empty()).then_some((packages::FILE, &*packages))).collect();
    let body = ByteStream::from(archive::tar_gz(&files));
    let call = cx.aws.s3.put_object().bucket(&code.bucket).key(&code.key).body(body);
    call.send().await.op(action::s3::PutObject).map(drop)
}
