//! A training job's archive with the serving code in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;

use super::Model;
use super::section::Given;
use super::send::{self, Archive};
use super::spec::Spec;
use crate::archive;
use crate::aws::{OpError, OpErrorKind, OpResult, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;
use crate::inputs::{Output, PartFolder, Tree};
use crate::resources::objects::{bare, split};
use crate::transfer::{self, Object, Ranges};

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
    let io = |e: io::Error| OpError::local("packing the model", e);
    let folder = PartFolder::temporary().map_err(io)?;
    let packed = folder.path().join("model.tar.gz");
    let trained = trained(cx, spec, folder.path()).await?;
    let (input, output) = (trained.as_ref().map(Archive::path), packed.clone());
    let packing = tokio::task::spawn_blocking(move || pack(input.as_deref(), &tree, &output));
    packing.await.expect("packing does not panic").map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            let from = spec.given.as_ref().and_then(Given::path).map(|path| path.display().to_string());
            let from = from.unwrap_or_else(|| spec.trained.clone());
            OpError::local("packing the model", format!("{from} is no whole .tar.gz archive: {error}"))
        }
        _ => io(error),
    })?;
    if let Some(trained) = trained.filter(|trained| !trained.is_unchanged().unwrap_or_default()) {
        let text = format!("{} changed while it was packed; run the command again", trained.path().display());
        return Err(OpError::local("packing the model", text));
    }
    let key = Model::key(model);
    if packed.metadata().map_err(io)?.len() > ONE_REQUEST {
        let archive = Archive::of(folder.path(), "model.tar.gz").map_err(io)?;
        return send::send(cx, &spec.bucket, &key, &archive).await.map(Some);
    }
    let body = ByteStream::from_path(&packed).await.map_err(|e| OpError::local("packing the model", e))?;
    let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(key).body(body);
    let put = call.send().await.op(action::s3::PutObject)?;
    Ok(Some(bare(put.e_tag())))
}

/// Bytes that S3 takes in one PutObject
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>).
const ONE_REQUEST: u64 = 5 << 30;

/// What the code is put beside, as a file; `None`: there is nothing but code.
async fn trained(cx: &OpCx<'_>, spec: &Spec, folder: &Path) -> OpResult<Option<Archive>> {
    let etag = match &spec.given {
        Some(Given::Nothing) => return Ok(None),
        Some(Given::Local { path, .. }) => {
            let place = folder.join("given");
            std::fs::create_dir(&place).map_err(|e| OpError::local("packing the model", e))?;
            return send::local(cx, path, &place).await.map(Some);
        }
        Some(Given::Remote { etag }) => Some(etag.as_str()).filter(|etag| !etag.is_empty()),
        None => None,
    };
    let file = folder.join("trained.tar.gz");
    // AWS completes a job after its archive is there; emulators, where the container is played by somebody
    // else, may complete it before.
    let absent = |kind: &OpErrorKind| *kind == OpErrorKind::NotFound;
    cx.retry(action::s3::GetObject, Duration::from_secs(30), absent, || {
        fetch(cx, &spec.trained, etag, &file)
    })
    .await?;
    let archive = Archive::of(folder, "trained.tar.gz");
    archive.map(Some).map_err(|e| OpError::local("packing the model", e))
}

/// Fetches an object into a file: of this entity tag, where one is known.
async fn fetch(cx: &OpCx<'_>, uri: &str, etag: Option<&str>, to: &Path) -> OpResult<()> {
    let (bucket, key) = split(uri)?;
    let Some(object) = Object::head(&cx.aws.s3, bucket, key).await? else {
        let message = format!("{uri} is not there: the training has left no model");
        return Err(OpError::new(action::s3::GetObject, OpErrorKind::NotFound, message));
    };
    if etag.is_some_and(|etag| etag != bare(Some(&object.etag))) {
        let message = format!("{uri} is not what it was when it was looked at; run the command again");
        return Err(OpError::new(action::s3::GetObject, OpErrorKind::Conflict, message));
    }
    let output = transfer::output(to, Output::inside)?;
    transfer::download(cx, (bucket, key), &object, output, &Ranges::default()).await
}

/// The trained archive with the folder of code in it.
fn pack(trained: Option<&Path>, code: &Tree, packed: &Path) -> io::Result<()> {
    let packed = BufWriter::new(File::create(packed)?);
    let code = code.entries.iter().map(|file| (&*file.path, file.content.as_slice()));
    match trained {
        Some(trained) => archive::with_code(BufReader::new(File::open(trained)?), code, packed),
        None => archive::with_code(archive::tar_gz(&[]).as_slice(), code, packed),
    }
}
