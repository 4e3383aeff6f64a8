//! One object to one file: parallel ranges of one version, verified, moved into its place in one step.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::WHOSE;
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::{Crc64, Stored, action};
use crate::engine::OpCx;
use crate::inputs::Output;

/// Bytes per request.
const RANGE: u64 = 8 << 20;
/// Ranges of one object at the same time; all objects of a command share the [`Ranges`].
const AT_ONCE: usize = 8;
/// How often a range whose answer broke off is asked for again.
const PATIENCE: usize = 4;

/// How many ranges are in memory at once, whatever is fetched: twelve, so 96 MiB.
#[derive(Debug)]
pub struct Ranges(Semaphore);

impl Default for Ranges {
    fn default() -> Self {
        Self(Semaphore::new(12))
    }
}

/// An object as it is fetched: this version, and no other.
#[derive(Clone, Debug)]
pub struct Object {
    pub size: u64,
    pub etag: String,
    /// Of the whole; S3 has none of objects that were uploaded with another algorithm.
    pub crc: Option<Crc64>,
    /// The project and environment that have uploaded it, if opsctl has.
    pub whose: Option<String>,
}

impl From<&Stored> for Object {
    fn from(stored: &Stored) -> Self {
        Self { size: stored.size, etag: stored.etag.clone(), crc: Some(stored.crc), whose: None }
    }
}

impl Object {
    /// With its checksum; `None`: S3 has none of it.
    pub fn stored(self) -> Option<Stored> {
        let Self { size, etag, crc, whose: _ } = self;
        Some(Stored { size, crc: crc?, etag })
    }

    /// Looks at an object; `None`: there is none.
    pub async fn head(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> OpResult<Option<Self>> {
        let head = s3.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        Ok(head.send().await.op(action::s3::GetObject).found()?.map(Self::from))
    }

    /// The same of an object that may be somebody's: one that may not be looked at, because it is under a key
    /// of theirs, is as good as none.
    pub async fn look(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> OpResult<Option<Self>> {
        match Self::head(s3, bucket, key).await {
            Err(error) if error.is_no_look() => Ok(None),
            found => found,
        }
    }
}

impl From<HeadObjectOutput> for Object {
    fn from(head: HeadObjectOutput) -> Self {
        let whole = head.checksum_type().is_none_or(|kind| *kind == ChecksumType::FullObject);
        Self {
            size: head.content_length().unwrap_or_default().try_into().unwrap_or_default(),
            crc: head.checksum_crc64_nvme().filter(|_| whole).and_then(|text| text.parse().ok()),
            whose: head.metadata.and_then(|mut metadata| metadata.remove(WHOSE)),
            etag: head.e_tag.unwrap_or_default(),
        }
    }
}

/// Fetches `object`. Its place changes only when everything has arrived and the checksum is right.
pub async fn download(
    cx: &OpCx<'_>,
    (bucket, key): (&str, &str),
    object: &Object,
    output: Output,
    at_once: &Ranges,
) -> OpResult<()> {
    let file = output.file().display().to_string();
    let local = |error: io::Error| OpError::local("writing a file", format!("{file}: {error}"));
    let content = Arc::new(output.content().try_clone().map_err(local)?);
    let starts = (0..object.size).step_by(RANGE as usize);
    // Boxed, because the compiler cannot yet name the futures of a stream of borrows (rust-lang/rust#102211).
    let ranges = starts.map(|at| {
        let content = content.clone();
        async move {
            let length = RANGE.min(object.size - at);
            let _one = at_once.0.acquire().await.expect("never closed");
            let bytes = range(cx, bucket, key, object, at, length).await?;
            let crc = write_at(content, at, bytes).await.map_err(local)?;
            Ok((crc, length))
        }
        .boxed()
    });
    // In their order, so that the checksums can be put together.
    let mut ranges = stream::iter(ranges.collect::<Vec<_>>()).buffered(AT_ONCE);
    let mut crc = Crc64::EMPTY;
    while let Some(range) = ranges.next().await {
        let (next, length): (Crc64, u64) = range?;
        crc = crc.then(next, length);
    }
    if let Some(expected) = object.crc.filter(|expected| *expected != crc) {
        let message = format!("s3://{bucket}/{key} arrived with the checksum {crc}, it should be {expected}");
        return Err(OpError::new(action::s3::GetObject, OpErrorKind::Network, message));
    }
    spawn_blocking(|| output.finish()).await.expect("writing does not panic").map_err(local)
}

/// Begins a file; folders on the way to it are made.
pub fn output(file: &Path, begin: impl FnOnce(&Path) -> io::Result<Output>) -> OpResult<Output> {
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| begin(file))
        .map_err(|error| OpError::local("writing a file", format!("{}: {error}", file.display())))
}

async fn range(
    cx: &OpCx<'_>,
    bucket: &str,
    key: &str,
    object: &Object,
    at: u64,
    length: u64,
) -> OpResult<Bytes> {
    let mut last = None;
    for _ in 0..PATIENCE {
        let call = cx.aws.s3.get_object().bucket(bucket).key(key).if_match(&object.etag);
        let call = call.range(format!("bytes={at}-{}", at + length - 1)).send();
        let answer = cx.cancel.reading("download", async { call.await.op(action::s3::GetObject) }).await;
        let answer = answer.map_err(|error| match error.kind {
            OpErrorKind::Conflict => {
                let message =
                    format!("s3://{bucket}/{key} is not what it was when it was looked up; for data, `opsctl upload --verify` fixes that");
                OpError { message, ..error }
            }
            _ => error,
        })?;
        let body = async { Ok(answer.body.collect().await.map(|body| body.into_bytes())) };
        match cx.cancel.reading("download", body).await? {
            Ok(bytes) if bytes.len() as u64 == length => return Ok(bytes),
            Ok(_) => last = Some("the answer was cut off".to_owned()),
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(OpError::new(action::s3::GetObject, OpErrorKind::Network, last.unwrap_or_default()))
}

async fn write_at(file: Arc<File>, at: u64, bytes: Bytes) -> io::Result<Crc64> {
    let write = spawn_blocking(move || {
        file.write_all_at(&bytes, at)?;
        Ok(Crc64::of(&bytes))
    });
    write.await.expect("writing does not panic")
}
