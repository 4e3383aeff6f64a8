//! Files of one request each.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::buffers::Buffers;
use super::limit::Slot;
use super::{DAMAGED, LARGE, Route, interrupted, large, panicked, undamaged};
use crate::aws::OpResult;
use crate::domain::{Crc64, Stored, action};
use crate::inputs::{Entry, read_whole};

/// Files that one task reads at once, and sends one after the other: for files of some KiB, handing them from
/// thread to thread costs more than reading them.
const BATCH: usize = 8;
/// Bytes of a batch of more than one file.
const BATCH_BYTES: usize = 256 << 10;

/// What a batch is read into, with a byte for each file to notice that it grows. A file beyond has its own.
const BUFFER: usize = BATCH_BYTES + BATCH;

pub(super) fn buffers() -> Arc<Buffers> {
    Buffers::new(BUFFER)
}

/// Sends all, batch by batch.
pub(super) async fn send_all(route: &Arc<Route>, files: &[&Entry]) {
    let mut tasks = JoinSet::new();
    let mut rest = files;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(batch_of(rest, route.limit.most()));
        rest = later;
        let bytes = batch.iter().map(|e| e.size()).sum();
        let Ok(entered) = route.enter(bytes).await else { break };
        let paths = batch.iter().map(|e| e.path.clone()).collect();
        tasks.spawn(send_batch(route.clone(), paths, entered));
        while let Some(ended) = tasks.try_join_next() {
            ended.unwrap_or_else(|error| route.fail(panicked(&error)));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|error| route.fail(panicked(&error)));
    }
}

/// How many of these files are the next batch: fewer towards the end, so that none is long under way when all
/// others are done.
fn batch_of(files: &[&Entry], lanes: usize) -> usize {
    let most = (files.len() / (2 * lanes)).clamp(1, BATCH);
    let mut bytes = 0;
    let fit = files.iter().take(most).take_while(|entry| {
        bytes += entry.size();
        bytes <= BATCH_BYTES as u64
    });
    fit.count().max(1)
}

async fn send_batch(route: Arc<Route>, paths: Vec<Arc<str>>, entered: (Slot, OwnedSemaphorePermit)) {
    let files: Vec<_> = paths.iter().map(|path| route.root.join(&**path)).collect();
    let buffers = route.batches.clone();
    let (content, read) = route
        .read(move || {
            let mut content = buffers.take();
            content.clear();
            content.reserve_exact(BUFFER);
            let mut read = |file| -> io::Result<_> {
                let start = content.len();
                let stamp = read_whole(file, LARGE, &mut content)?;
                Ok(stamp.map(|stamp| (stamp, start..content.len())))
            };
            let read: Vec<_> = files.iter().map(|file| read(file)).collect();
            (Bytes::from_owner(content), read)
        })
        .await;
    let mut grown = Vec::new();
    for (path, read) in paths.into_iter().zip(read) {
        route.tally.start(&path);
        let sent = match read {
            _ if route.drain.is_cancelled() => Err(interrupted()),
            Ok(Some((stamp, range))) => {
                send(&route, &path, content.slice(range)).await.map(|stored| (stamp, stored))
            }
            Ok(None) => {
                grown.push(path);
                continue;
            }
            Err(error) => Err(route.local(&path, &error)),
        };
        route.ended(path, sent);
        // The connection goes back to the pool in a task of its own; before that, the next request would open
        // another.
        tokio::task::yield_now().await;
    }
    // What has grown since it was looked at needs slots and memory of its own, and this batch may hold the
    // last.
    drop((content, entered));
    for path in grown {
        // Boxed, because this is rare and its future large.
        let sent = Box::pin(large::send(&route, &path)).await;
        route.ended(path, sent);
    }
}

async fn send(route: &Route, path: &str, body: Bytes) -> OpResult<Stored> {
    let size = body.len() as u64;
    route.limit.pace(size, &route.drain).await.ok_or_else(interrupted)?;
    let (crc, etag) = match route.lane.put(&route.key(path), body.clone(), route.is_fresh(path)).await {
        Some(done) => done,
        None => {
            let crc = Crc64::of(&body);
            let put = || route.put(path, body.clone(), crc);
            let etag = Box::pin(undamaged(put, || route.again(action::s3::PutObject, DAMAGED))).await?;
            route.again(action::s3::PutObject, "it could not be sent at first");
            (crc, etag)
        }
    };
    route.tally.add(size);
    route.bytes.fetch_add(size, Ordering::Relaxed);
    Ok(Stored { size, crc, etag })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(sizes: &[u64], lanes: usize) -> Vec<usize> {
        let entry = |size: &u64| Entry {
            path: "".into(),
            stamp: crate::inputs::FileStamp { size: *size, modified: 0, changed: 0, inode: 0 },
            crc: None,
            content: Vec::new(),
        };
        let entries: Vec<_> = sizes.iter().map(entry).collect();
        let entries: Vec<_> = entries.iter().collect();
        let (mut batches, mut rest) = (Vec::new(), entries.as_slice());
        while !rest.is_empty() {
            let batch = batch_of(rest, lanes);
            batches.push(batch);
            rest = &rest[batch..];
        }
        batches
    }

    #[test]
    fn tiny_files_go_together_and_the_last_ones_alone() {
        let of_tiny = batches(&[2048; 10_000], 64);
        assert_eq!(of_tiny[..100], [BATCH; 100]);
        assert_eq!(of_tiny[of_tiny.len() - 128..], [1; 128]);
        assert_eq!(of_tiny.iter().sum::<usize>(), 10_000);
        assert_eq!(batches(&[2048; 20], 64), [1; 20], "a few files all go at the same time");
    }

    #[test]
    fn a_batch_of_more_than_one_fits_its_buffer() {
        let half = BATCH_BYTES as u64 / 2;
        assert_eq!(batches(&[half, half, half, half + 1, half, LARGE], 1), [2, 1, 1, 1, 1]);
    }
}
