//! One large file: parts in parallel, resumed after an interruption, verified as a whole at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::download::Object;
use super::journal::Upload;
use super::{DAMAGED, PATIENCE, Route, WHOSE, interrupted, panicked, undamaged};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::{Crc64, Stored, action};
use crate::inputs::{Entry, FileStamp};

/// S3 takes at most so many parts (docs/aws/s3.md#limits), so that they grow with the file.
const MOST_PARTS: u64 = 10_000;
/// The size of a part as long as there are few enough: small, because parts in flight are in memory.
const PART: u64 = 8 << 20;

/// Multipart uploads at the same time.
const AT_ONCE: usize = 4;

/// Whole MiB.
fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

/// A part that S3 has.
struct Part {
    size: u64,
    crc: Crc64,
    etag: String,
}

/// Sends all, a few at a time; their parts share the limit with everything else.
pub(super) async fn send_all(route: &Arc<Route>, files: &[&Entry]) {
    let sends = files.iter().map(|entry| {
        let (route, path) = (route.clone(), entry.path.clone());
        async move {
            if !route.drain.is_cancelled() {
                route.tally.start(&path);
                let sent = send(&route, &path).await;
                route.ended(path, sent);
            }
        }
    });
    stream::iter(sends.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await
}

/// Uploads the file as it is when its last byte is read; a change in between restarts it.
pub(super) async fn send(route: &Arc<Route>, path: &str) -> OpResult<(FileStamp, Stored)> {
    for _ in 0..PATIENCE {
        let name = route.root.join(path);
        let opened = route.read(move || -> io::Result<(File, FileStamp)> {
            let file = File::open(name)?;
            let stamp = FileStamp::from(&file.metadata()?);
            Ok((file, stamp))
        });
        let (file, stamp) = opened.await.map_err(|error| route.local(path, &error))?;
        if stamp.size == 0 {
            // Emptied since it was looked at: there are no parts of nothing.
            let etag = route.put(path, Bytes::new(), Crc64::EMPTY).await?;
            return Ok((stamp, Stored { size: 0, crc: Crc64::EMPTY, etag }));
        }
        let file = Arc::new(file);
        let (upload, there) = begin(route, path, stamp).await?;
        let parts = send_parts(route, path, &file, &upload, there).await?;
        let now = file.metadata().map_err(|error| route.local(path, &error))?;
        if FileStamp::from(&now) != stamp {
            route.again(action::s3::UploadPart, "the file changed while it was read");
            abort(route, path, &upload.id).await?;
            continue;
        }
        match complete(route, path, &upload, &parts).await {
            Ok(stored) => {
                route.journal.end(&upload.id);
                return Ok((stamp, stored));
            }
            // Parts of an earlier run that are not what they were said to be.
            Err(error) if error.kind == OpErrorKind::Damaged || are_others(&error) => {
                route.again(action::s3::CompleteMultipartUpload, DAMAGED);
                abort(route, path, &upload.id).await?;
            }
            Err(error) if error.kind == OpErrorKind::AlreadyExists => {
                abort(route, path, &upload.id).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(route.local(path, &io::Error::other("it keeps changing while it is read")))
}

/// Whether S3 has other parts than it is told of
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
fn are_others(error: &OpError) -> bool {
    ["InvalidPart", "InvalidPartOrder"].into_iter().any(|code| error.is(code))
}

/// The upload of an earlier run with the parts that S3 has of it, or a new one.
async fn begin(route: &Route, path: &str, stamp: FileStamp) -> OpResult<(Upload, BTreeMap<i32, Part>)> {
    if let Some(earlier) = route.journal.begun(path, stamp)
        && let Some(parts) = parts_there(route, path, &earlier.id).await?
    {
        return Ok((earlier.clone(), parts));
    }
    let made = route
        .s3
        .create_multipart_upload()
        .bucket(&route.bucket)
        .key(route.key(path))
        .metadata(WHOSE, &route.whose)
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(ChecksumType::FullObject)
        .send()
        .await
        .op(action::s3::CreateMultipartUpload)?;
    let id = made.upload_id.unwrap_or_default();
    let upload = Upload { id, part_size: part_size(stamp.size), stamp };
    route.journal.begin(path, &upload);
    Ok((upload, BTreeMap::new()))
}

/// What S3 has of an upload, by part number; `None`: the upload is gone.
async fn parts_there(route: &Route, path: &str, id: &str) -> OpResult<Option<BTreeMap<i32, Part>>> {
    let call = route.s3.list_parts().bucket(&route.bucket).key(route.key(path)).upload_id(id);
    let mut pages = call.into_paginator().send();
    let mut parts = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::s3::ListMultipartUploadParts).found()? else { return Ok(None) };
        parts.extend(page.parts().iter().filter_map(|part| {
            let size = part.size()?.try_into().ok()?;
            let crc = part.checksum_crc64_nvme()?.parse().ok()?;
            Some((part.part_number()?, Part { size, crc, etag: part.e_tag()?.to_owned() }))
        }));
    }
    Ok(Some(parts))
}

async fn send_parts(
    route: &Arc<Route>,
    path: &str,
    file: &Arc<File>,
    upload: &Upload,
    mut there: BTreeMap<i32, Part>,
) -> OpResult<BTreeMap<i32, Part>> {
    // Ctrl-C, or the first part that fails, lets those under way arrive: each is one less for the next run.
    let stop = route.drain.child_token();
    let mut tasks = JoinSet::new();
    let size = upload.stamp.size;
    for (number, at) in (1..).zip((0..size).step_by(usize::try_from(upload.part_size).unwrap_or(usize::MAX)))
    {
        let length = upload.part_size.min(size - at);
        let (route, file, path, id) = (route.clone(), file.clone(), path.to_owned(), upload.id.clone());
        let (known, stop) = (there.remove(&number), stop.clone());
        tasks.spawn(async move {
            let part = send_part(&route, &file, (&path, &id), (number, at, length), known, &stop).await?;
            route.tally.add(length);
            Ok::<_, OpError>((number, part))
        });
    }
    let (mut parts, mut failed) = (BTreeMap::new(), None);
    while let Some(done) = tasks.join_next().await {
        match done.unwrap_or_else(|error| Err(panicked(&error))) {
            Ok(part) => parts.extend([part]),
            Err(error) => {
                stop.cancel();
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(parts), Err)
}

async fn send_part(
    route: &Route,
    file: &Arc<File>,
    (path, id): (&str, &str),
    (number, at, length): (i32, u64, u64),
    known: Option<Part>,
    stop: &CancellationToken,
) -> OpResult<Part> {
    let _entered = route.limit.enter(length, stop).await.ok_or_else(interrupted)?;
    let (file, buffers) = (file.clone(), route.parts.clone());
    let read = route.read(move || -> io::Result<(Bytes, Crc64)> {
        let mut content = buffers.take();
        content.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        file.read_exact_at(&mut content, at)?;
        let crc = Crc64::of(&content);
        Ok((Bytes::from_owner(content), crc))
    });
    let (body, crc) = read.await.map_err(|error| route.local(path, &error))?;
    if let Some(known) = known.filter(|known| (known.size, known.crc) == (length, crc)) {
        return Ok(known);
    }
    route.limit.pace(length, stop).await.ok_or_else(interrupted)?;
    let put = || async {
        let call = route
            .s3
            .upload_part()
            .bucket(&route.bucket)
            .key(route.key(path))
            .upload_id(id)
            .part_number(number)
            .checksum_crc64_nvme(crc.to_string())
            .body(ByteStream::from(body.clone()))
            .customize();
        // TLS protects the body; over plain HTTP the signature must.
        let call = if route.lane.over_tls { call.disable_payload_signing() } else { call };
        call.send().await.op(action::s3::UploadPart)
    };
    let done = undamaged(put, || route.again(action::s3::UploadPart, DAMAGED)).await?;
    route.bytes.fetch_add(length, Ordering::Relaxed);
    Ok(Part { size: length, crc, etag: done.e_tag.unwrap_or_default() })
}

/// Puts the parts together. S3 compares the whole with the checksum and the size that we expect.
async fn complete(
    route: &Route,
    path: &str,
    upload: &Upload,
    parts: &BTreeMap<i32, Part>,
) -> OpResult<Stored> {
    let crc = parts.values().fold(Crc64::EMPTY, |crc, part| crc.then(part.crc, part.size));
    let size = upload.stamp.size;
    let list = parts.iter().map(|(number, part)| {
        CompletedPart::builder()
            .part_number(*number)
            .e_tag(&part.etag)
            .checksum_crc64_nvme(part.crc.to_string())
            .build()
    });
    let parts = CompletedMultipartUpload::builder().set_parts(Some(list.collect())).build();
    let call = route.s3.complete_multipart_upload().bucket(&route.bucket).key(route.key(path));
    let call = call.set_if_none_match(route.none_match(path)).upload_id(&upload.id).multipart_upload(parts);
    let call = call.checksum_type(ChecksumType::FullObject).checksum_crc64_nvme(crc.to_string());
    let call = call.mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX));
    match call.send().await.op(action::s3::CompleteMultipartUpload) {
        Err(error) if route.is_taken(path, &error) => {
            let etag = route.same(path, (size, crc), error).await?;
            abort(route, path, &upload.id).await?;
            Ok(Stored { size, crc, etag })
        }
        Ok(done) => Ok(Stored { size, crc, etag: done.e_tag.unwrap_or_default() }),
        // An answer that was lost: the first attempt did it, and the second finds no upload.
        Err(error) if error.kind == OpErrorKind::NotFound => {
            let there = Object::head(&route.s3, &route.bucket, &route.key(path)).await?;
            let there = there.filter(|there| (there.size, there.crc) == (size, Some(crc)));
            there.map(|there| Stored { size, crc, etag: there.etag }).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

async fn abort(route: &Route, path: &str, id: &str) -> OpResult<()> {
    let call = route.s3.abort_multipart_upload().bucket(&route.bucket).key(route.key(path)).upload_id(id);
    call.send().await.op(action::s3::AbortMultipartUpload).ignore_not_found()?;
    route.journal.end(id);
    Ok(())
}

/// Uploads of an earlier run that nobody resumes: the file changed since, is gone, or is small now.
/// Their parts would cost money until the bucket's lifecycle rule finds them.
pub(super) async fn abort_abandoned(route: &Route) -> OpResult<()> {
    for (path, id) in route.journal.abandoned() {
        abort(route, path, id).await?;
    }
    Ok(())
}
