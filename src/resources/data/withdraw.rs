//! Removes a data set from the bucket: what its manifests name, and what is left of it as old versions.
//! Others may have put files under the same prefix, and in an adopted bucket they probably have.

use crate::aws::{OpResult, SdkResultExt};
use crate::domain::{Owner, action};
use crate::engine::OpCx;
use crate::resources::bucket::data_sets::below;
use crate::resources::bucket::{Which, empty, owner};
use crate::resources::manifest::Manifest;
use crate::resources::objects::split;

/// Deletes the data set. First its manifest loses its digest: from then on an upload looks at what is there,
/// and a run that is killed here still knows what to delete.
pub async fn withdraw(cx: &OpCx<'_>, uri: &str) -> OpResult<()> {
    let (bucket, prefix) = split(uri)?;
    let bucket_owner = owner(cx, bucket).await?.unwrap_or(Owner::Nobody);
    let mut there = below(cx, bucket, prefix, &bucket_owner).await?;
    if let Some(manifest) = there.manifest.take() {
        let body = Manifest { digest: String::new(), ..manifest }.to_json();
        let call = cx.aws.s3.put_object().bucket(bucket).key(Manifest::key(prefix)).body(body.into());
        call.expected_bucket_owner(&cx.scope.account).send().await.op(action::s3::PutObject)?;
    }
    let ours = |key: &str, version: Which<'_>| {
        key.strip_prefix(prefix).and_then(|path| there.paths.get(path)).is_some_and(|it| it.has(version))
    };
    empty::remove(cx, bucket, prefix, ours).await?;
    // By its whole name: others' may begin so.
    let key = Manifest::key(prefix);
    empty::remove(cx, bucket, &key, |found, _| there.is_ours && found == key).await.map(drop)
}
