//! Whether a bucket keeps versions.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::BucketVersioningStatus;

use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// `None`: it never did.
pub(super) async fn versioning(cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<BucketVersioningStatus>> {
    match cx.aws.s3.get_bucket_versioning().bucket(bucket).send().await {
        // moto 5.2 wraps the answer in an element of another name, which the SDK refuses to read.
        Err(SdkError::ServiceError(error)) if error.raw().status().is_success() => {
            let body = String::from_utf8_lossy(error.raw().body().bytes().unwrap_or_default()).into_owned();
            let is = |status: &BucketVersioningStatus| body.contains(&format!("<Status>{status}</Status>"));
            let known = [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended];
            Ok(known.into_iter().find(is))
        }
        answer => {
            let found = answer.op(action::s3::GetBucketVersioning).found()?;
            Ok(found.and_then(|v| v.status))
        }
    }
}
