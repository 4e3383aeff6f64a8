//! A training job's archive with the serving code in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use tokio::io::AsyncWriteExt;

use super::spec::{Model, Spec};
use crate::archive;
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;
use crate::inputs::Tree;
use crate::resources::objects::{bare, split};

/// Makes `models/<model>/model.tar.gz` from what was trained and the `code` folder, and gives its entity tag;
/// nothing is held in memory. Always: what lies under its name may have been put there by somebody else.
pub async fn repack(cx: &OpCx<'_>, model: &str, spec: &Spec) -> OpResult<Option<String>> {
    let Some(code) = &spec.code else { return Ok(None) };
    let Some(tree) = cx.inputs.accepted(&code.path, &code.use_as).cloned() else {
        return Err(OpError::local(
            "packing the model",
            format!("{} was not read for this run", code.path.display()),
        ));
    };
    let folder = tempfile::tempdir().map_err(|e| OpError::local("packing the model", e))?;
    let (trained, packed) = (folder.path().join("trained.tar.gz"), folder.path().join("model.tar.gz"));
    // AWS completes a job after its archive is there; emulators, where the container is played by somebody
    // else, may complete it before.
    let absent = |kind: &OpErrorKind| *kind == OpErrorKind::NotFound;
    cx.retry(action::s3::GetObject, Duration::from_secs(30), absent, || {
        download(cx, &spec.trained, &trained)
    })
    .await?;
    let output = packed.clone();
    let packing = tokio::task::spawn_blocking(move || pack(&trained, &tree, &output));
    packing.await.expect("packing does not panic").map_err(|e| OpError::local("packing the model", e))?;
    let body = ByteStream::from_path(&packed).await.map_err(|e| OpError::local("packing the model", e))?;
    let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(Model::key(model)).body(body);
    let put = call.send().await.op(action::s3::PutObject)?;
    Ok(Some(bare(put.e_tag())))
}

/// Streams an object into a file.
pub async fn download(cx: &OpCx<'_>, uri: &str, to: &Path) -> OpResult<()> {
    let (bucket, key) = split(uri)?;
    let found =
        cx.aws.s3.get_object().bucket(bucket).key(key).send().await.op(action::s3::GetObject).found()?;
    let Some(object) = found else {
        let message = format!("{uri} is not there: the training has left no model");
        return Err(OpError::new(action::s3::GetObject, OpErrorKind::NotFound, message));
    };
    let io = |e: &dyn std::fmt::Display| OpError::local("downloading the model", e);
    let mut body = object.body;
    let mut file = tokio::fs::File::create(to).await.map_err(|e| io(&e))?;
    while let Some(bytes) = body.next().await {
        let bytes =
            bytes.map_err(|e| OpError::new(action::s3::GetObject, OpErrorKind::Network, e.to_string()))?;
        file.write_all(&bytes).await.map_err(|e| io(&e))?;
    }
    file.flush().await.map_err(|e| io(&e))
}

/// The trained archive with the folder of code in it.
fn pack(trained: &Path, code: &Tree, packed: &Path) -> io::Result<()> {
    let (trained, packed) = (BufReader::new(File::open(trained)?), BufWriter::new(File::create(packed)?));
    archive::with_code(
        trained,
        code.entries.iter().map(|file| (&*file.path, file.content.as_slice())),
        packed,
    )
}
