//! Bytes to S3 and back: bounded, parallel, checked by S3 on arrival, and gone on with after an interruption.
//!
//! One buffer is read, its CRC-64/NVME computed, and exactly that buffer is sent with that checksum: S3 refuses what
//! arrives otherwise. Up to [`LARGE`] a file is one PUT; beyond, a multipart upload whose parts go in parallel and whose
//! whole is checked once more on completion. What is done is in the [`Journal`].

mod buffers;
mod client;
mod download;
mod gate;
mod journal;
mod lane;
mod large;
mod tally;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

pub use download::{Object, Ranges, download};
pub use journal::Journal;

use crate::domain::{Crc64, ResourceId, Stored};
use crate::engine::{Event, Events, OpCx, OpError, OpErrorKind, OpResult, Outcomes};
use crate::inputs::{Entry, Stamp, read_whole};
use crate::plan::StepId;
use buffers::Buffers;
use gate::{Gate, Slot};
use lane::Lane;
use tally::Tally;

/// Files up to this size go in one request.
const LARGE: u64 = 16 << 20;
/// Multipart uploads at the same time; their parts share the gate with everything else.
const LARGE_AT_ONCE: usize = 4;
/// Files that are read at the same time.
const READERS: usize = 8;
/// How often a buffer that arrived damaged is read and sent again.
const PATIENCE: usize = 4;

/// Where to, and how hard.
pub struct Order<'a> {
    pub bucket: &'a str,
    /// Before every path; ends with `/` or is empty.
    pub prefix: &'a str,
    /// The folder of the files.
    pub root: &'a Path,
    /// Requests at the same time, at most.
    pub max_concurrency: usize,
    pub bytes_per_second: Option<u64>,
}

/// What S3 has confirmed.
#[derive(Debug, Default)]
pub struct Sent {
    /// By path: the file as it was when it was read, and the object.
    pub files: BTreeMap<String, (Stamp, Stored)>,
    /// Requests that had to be sent once more.
    pub again: usize,
}

/// What the tasks of one upload share.
struct Route {
    s3: aws_sdk_s3::Client,
    lane: Lane,
    gate: Arc<Gate>,
    tally: Tally,
    journal: Journal,
    bucket: String,
    prefix: String,
    root: PathBuf,
    events: Events,
    step: StepId,
    target: ResourceId,
    drain: CancellationToken,
    again: AtomicUsize,
    buffers: Arc<Buffers>,
    /// Threads that read: few are enough for the page cache, and each costs memory.
    readers: Semaphore,
}

impl Route {
    /// Reads on a thread that may block.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> T {
        let _reader = self.readers.acquire().await.expect("never closed");
        spawn_blocking(read).await.expect("reading does not panic")
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    async fn enter(&self, bytes: u64) -> OpResult<(Slot, OwnedSemaphorePermit)> {
        self.gate.enter(bytes, &self.drain).await.ok_or_else(interrupted)
    }

    fn again(&self, action: &'static str, reason: &str) {
        self.again.fetch_add(1, Ordering::Relaxed);
        let (step, target, reason) = (self.step, self.target.clone(), reason.to_owned());
        self.events.send(Event::StepRetrying { step, target, action, reason });
    }

    fn local(&self, path: &str, error: &io::Error) -> OpError {
        let file = self.root.join(path);
        let why = match error.kind() {
            io::ErrorKind::NotFound => "it vanished while the folder was being uploaded".to_owned(),
            _ => error.to_string(),
        };
        OpError::local("reading the data set", format!("{}: {why}", file.display()))
    }
}

fn interrupted() -> OpError {
    let message = "interrupted; what was sent is kept, and the same command goes on from there";
    OpError::new("upload", OpErrorKind::Cancelled, message)
}

/// S3 compared the bytes with their checksum, and they differ.
fn is_damage(error: &OpError) -> bool {
    ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"]
        .iter()
        .any(|code| error.message.starts_with(code))
}

/// Repeats a call that sends a buffer, while S3 finds it damaged on arrival. The SDK does not: it takes the checksum for
/// wrong, not the wire.
pub async fn undamaged<T, Fut: Future<Output = OpResult<T>>>(mut call: impl FnMut() -> Fut) -> OpResult<T> {
    for _ in 1..PATIENCE {
        match call().await {
            Err(error) if is_damage(&error) => {}
            answer => return answer,
        }
    }
    call().await
}

const DAMAGED: &str = "the bytes were damaged on the way";

/// Sends files; those that cannot be read do not keep the others from being sent. The journal is given back with the
/// error, too, because it is on disk.
pub async fn upload(
    cx: &OpCx<'_>,
    order: Order<'_>,
    journal: Journal,
    files: &[&Entry],
) -> OpResult<(Sent, Journal)> {
    let gate = Arc::new(Gate::new(order.max_concurrency.max(1), order.bytes_per_second));
    let route = Arc::new(Route {
        s3: client::careful(&cx.aws, gate.clone()),
        lane: Lane::open(&cx.aws, order.bucket, &cx.scope.region, gate.clone()).await?,
        gate,
        tally: Tally::new(files.len(), files.iter().map(|e| e.size()).sum()),
        journal,
        bucket: order.bucket.to_owned(),
        prefix: order.prefix.to_owned(),
        root: order.root.to_owned(),
        events: cx.events.clone(),
        step: cx.step,
        target: cx.target.clone(),
        // A fatal error ends the others, too.
        drain: cx.cancel.drain.child_token(),
        again: AtomicUsize::new(0),
        buffers: Arc::default(),
        readers: Semaphore::new(READERS),
    });
    let stop = CancellationToken::new();
    let sent = async {
        let sent = tokio::select! {
            sent = feed(&route, files) => sent,
            () = cx.cancel.abort.cancelled() => Err(interrupted()),
        };
        stop.cancel();
        sent
    };
    let (sent, ()) = futures_util::join!(sent, route.tally.tell(cx, &stop));
    let files_sent = sent?;
    large::abort_abandoned(&route).await?;
    let route = Arc::into_inner(route).expect("all tasks have ended");
    Ok((Sent { files: files_sent, again: route.again.into_inner() }, route.journal))
}

type Done = OpResult<(String, Stamp, Stored)>;

/// Gives every file its task: a few large ones beside the small ones, each group in its order.
async fn feed(route: &Arc<Route>, files: &[&Entry]) -> OpResult<BTreeMap<String, (Stamp, Stored)>> {
    let mut tasks: JoinSet<Done> = JoinSet::new();
    let mut collected = Collected::default();
    let (large, small): (Vec<&&Entry>, Vec<&&Entry>) = files.iter().partition(|e| e.size() > LARGE);
    let mut large = large.into_iter();
    for entry in large.by_ref().take(LARGE_AT_ONCE) {
        spawn_large(&mut tasks, route, entry);
    }
    for entry in small {
        let Ok(entered) = route.enter(entry.size()).await else { break };
        let (task_route, path) = (route.clone(), entry.path.clone());
        tasks.spawn(async move { small_file(&task_route, path, entered).await });
        while let Some(done) = tasks.try_join_next() {
            if collected.take(route, done) {
                large.by_ref().take(1).for_each(|entry| spawn_large(&mut tasks, route, entry));
            }
        }
        if collected.fatal.is_some() {
            break;
        }
    }
    loop {
        if collected.fatal.is_none() && !route.drain.is_cancelled() {
            while tasks.len() < LARGE_AT_ONCE
                && let Some(entry) = large.next()
            {
                spawn_large(&mut tasks, route, entry);
            }
        }
        match tasks.join_next().await {
            Some(done) => drop(collected.take(route, done)),
            None => break,
        }
    }
    collected.finish(route)
}

fn spawn_large(tasks: &mut JoinSet<Done>, route: &Arc<Route>, entry: &Entry) {
    let (route, path) = (route.clone(), entry.path.clone());
    tasks.spawn(async move {
        route.tally.start(&path);
        let (stamp, stored) = large::send(&route, &path).await?;
        Ok((path, stamp, stored))
    });
}

#[derive(Default)]
struct Collected {
    files: BTreeMap<String, (Stamp, Stored)>,
    /// Files of this machine that could not be read.
    unread: Vec<OpError>,
    /// Of AWS: no use in going on.
    fatal: Option<OpError>,
}

impl Collected {
    /// Whether it was a large file, whose place is free now.
    fn take(&mut self, route: &Route, done: Result<Done, tokio::task::JoinError>) -> bool {
        match done {
            Ok(Ok((path, stamp, stored))) => {
                route.journal.sent(&path, stamp, &stored);
                route.tally.finish(&path);
                let large = stored.size > LARGE;
                self.files.insert(path, (stamp, stored));
                large
            }
            Ok(Err(error)) if error.kind == OpErrorKind::Local => {
                self.unread.push(error);
                false
            }
            Ok(Err(error)) => {
                // The first one tells why; being interrupted is only a consequence.
                if self.fatal.as_ref().is_none_or(|known| known.kind == OpErrorKind::Cancelled) {
                    self.fatal = Some(error);
                }
                route.drain.cancel();
                false
            }
            Err(panicked) => {
                self.fatal = Some(OpError::new("upload", OpErrorKind::Unexpected, panicked.to_string()));
                route.drain.cancel();
                false
            }
        }
    }

    fn finish(mut self, route: &Route) -> OpResult<BTreeMap<String, (Stamp, Stored)>> {
        if let Some(error) = self.fatal {
            return Err(error);
        }
        let more = self.unread.len().saturating_sub(1);
        if let Some(mut error) = (!self.unread.is_empty()).then(|| self.unread.swap_remove(0)) {
            if more > 0 {
                error.message += &format!(" (and {more} more)");
            }
            return Err(error);
        }
        if route.drain.is_cancelled() { Err(interrupted()) } else { Ok(self.files) }
    }
}

/// One file in one request.
async fn small_file(route: &Arc<Route>, path: String, entered: (Slot, OwnedSemaphorePermit)) -> Done {
    route.tally.start(&path);
    let key = route.key(&path);
    let mut last = None;
    for _ in 0..PATIENCE {
        let file = route.root.join(&path);
        let read = route.read(move || -> io::Result<_> {
            let grown = std::fs::metadata(&file)?.len() > LARGE;
            Ok(if grown { None } else { Some(read_whole(&file)?) })
        });
        let read = read.await.map_err(|error| route.local(&path, &error))?;
        let Some((stamp, content)) = read else {
            // It has grown since it was looked at, and would not fit into the memory that was set aside.
            drop(entered);
            let (stamp, stored) = large::send(route, &path).await?;
            return Ok((path, stamp, stored));
        };
        let body = Bytes::from(content);
        route.gate.pace(stamp.size, &route.drain).await.ok_or_else(interrupted)?;
        let (crc, etag) = match route.lane.put(&key, body.clone()).await {
            Some(done) => done,
            None => {
                let crc = Crc64::of(&body);
                match put(route, &key, body, crc).await {
                    Ok(etag) => {
                        route.again("s3:PutObject", "it could not be sent at first");
                        (crc, etag)
                    }
                    Err(error) if is_damage(&error) => {
                        route.again("s3:PutObject", DAMAGED);
                        last = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        route.tally.add(stamp.size);
        drop(entered);
        return Ok((path, stamp, Stored { size: stamp.size, crc, etag }));
    }
    Err(last.expect("only damage goes round"))
}

/// A PUT through the SDK, whose errors are worth telling.
async fn put(route: &Route, key: &str, body: Bytes, crc: Crc64) -> OpResult<String> {
    let call = route.s3.put_object().bucket(&route.bucket).key(key).checksum_crc64_nvme(crc.to_string());
    let done = call.body(ByteStream::from(body)).send().await;
    Ok(done.op("s3:PutObject")?.e_tag.unwrap_or_default())
}
