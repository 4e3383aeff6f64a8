//! Bytes to S3 and back: bounded, parallel, checked by S3 on arrival, and resumed after an interruption.
//!
//! One buffer is read, its CRC-64/NVME computed, and exactly that buffer is sent with that checksum: S3
//! refuses what arrives otherwise. Up to `LARGE` a file is one PUT; beyond, a multipart upload whose parts go
//! in parallel and whose whole is checked once more on completion. What is done is in the [`Journal`].

mod buffers;
mod client;
mod download;
mod journal;
mod lane;
mod large;
mod limit;
mod small;
mod tally;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

pub use download::{Object, Ranges, download, output};
pub use journal::{Journal, Noted};

use crate::aws::{OpError, OpErrorKind, OpResult, SdkResultExt};
use crate::domain::{Action, Crc64, ResourceId, Stored, action, shown};
use crate::engine::{Event, Events, OpCx};
use crate::inputs::{Entry, FileStamp};
use crate::plan::StepId;
use buffers::Buffers;
use lane::Lane;
use limit::{ConcurrencyLimit, Slot};
use tally::Tally;

/// Files up to this size go in one request.
const LARGE: u64 = 16 << 20;
/// The metadata of an object that says which project has sent it.
const WHOSE: &str = "opsctl";
/// Files that are read at the same time.
const READERS: usize = 8;
/// How often a damaged buffer is sent again.
const PATIENCE: usize = 4;

/// Where an upload goes, and how much may be in flight.
pub struct TransferOptions<'a> {
    pub bucket: &'a str,
    /// Before every path; ends with `/` or is empty.
    pub prefix: &'a str,
    /// The folder of the files.
    pub root: &'a Path,
    /// Requests at the same time, at most.
    pub max_concurrency: usize,
    pub bytes_per_second: Option<u64>,
    /// Paths that no upload has put there: what is there is somebody's, and is not replaced.
    pub fresh: Arc<HashSet<String>>,
}

/// What S3 has confirmed.
#[derive(Debug, Default)]
pub struct TransferReport {
    /// Path, the file as it was when it was read, and the object.
    pub files: Vec<(Arc<str>, FileStamp, Stored)>,
    /// Requests that had to be sent once more.
    pub again: usize,
    /// Bytes of contents that went out. Parts that an earlier run has sent did not.
    pub bytes: u64,
}

/// What the tasks of one upload share.
struct Route {
    s3: aws_sdk_s3::Client,
    lane: Lane,
    limit: Arc<ConcurrencyLimit>,
    tally: Tally,
    journal: Journal,
    bucket: String,
    prefix: String,
    /// Goes with each object as [`Object::whose`].
    whose: String,
    root: PathBuf,
    fresh: Arc<HashSet<String>>,
    events: Events,
    step: Option<StepId>,
    target: ResourceId,
    drain: CancellationToken,
    again: AtomicUsize,
    /// Bytes of contents that S3 has confirmed to this run.
    bytes: AtomicU64,
    outcome: Mutex<Results>,
    /// Of parts of large files.
    parts: Arc<Buffers>,
    /// Of small files.
    batches: Arc<Buffers>,
    /// Threads that read: few are enough for the page cache, and each costs memory.
    readers: Semaphore,
}

impl Route {
    /// Records that a file has arrived, or why not.
    fn ended(&self, path: Arc<str>, sent: OpResult<(FileStamp, Stored)>) {
        self.tally.finish(&path);
        match sent {
            Ok((stamp, stored)) => {
                self.journal.sent(&path, stamp, &stored);
                self.outcome().files.push((path, stamp, stored));
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: OpError) {
        let mut outcome = self.outcome();
        if error.kind == OpErrorKind::Local {
            return outcome.unread.push(error);
        }
        // The first one tells why; being interrupted is only a consequence.
        if outcome.fatal.as_ref().is_none_or(|known| known.kind == OpErrorKind::Cancelled) {
            outcome.fatal = Some(error);
        }
        self.drain.cancel();
    }

    fn outcome(&self) -> MutexGuard<'_, Results> {
        self.outcome.lock().expect("nobody panics")
    }

    /// Reads on a thread that may block.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> T {
        let _reader = self.readers.acquire().await.expect("never closed");
        spawn_blocking(read).await.expect("reading does not panic")
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    async fn enter(&self, bytes: u64) -> OpResult<(Slot, OwnedSemaphorePermit)> {
        self.limit.enter(bytes, &self.drain).await.ok_or_else(interrupted)
    }

    /// Whether nothing may be there yet.
    fn is_fresh(&self, path: &str) -> bool {
        self.fresh.contains(path)
    }

    /// A PUT through the SDK, whose errors are worth telling.
    async fn put(&self, path: &str, body: Bytes, crc: Crc64) -> OpResult<String> {
        let size = body.len() as u64;
        let call = self.s3.put_object().bucket(&self.bucket).key(self.key(path));
        let call = call.metadata(WHOSE, &self.whose);
        let call = call.set_if_none_match(self.none_match(path)).checksum_crc64_nvme(crc.to_string());
        let call = call.body(ByteStream::from(body)).customize();
        // TLS protects the body; over plain HTTP the signature must.
        let call = if self.lane.over_tls { call.disable_payload_signing() } else { call };
        match call.send().await.op(action::s3::PutObject) {
            Err(error) if self.is_taken(path, &error) => self.same(path, (size, crc), error).await,
            sent => Ok(sent?.e_tag.unwrap_or_default()),
        }
    }

    /// The condition under which a file is sent.
    fn none_match(&self, path: &str) -> Option<String> {
        self.is_fresh(path).then(|| "*".to_owned())
    }

    /// Whether something is there under a fresh path.
    fn is_taken(&self, path: &str, error: &OpError) -> bool {
        error.kind == OpErrorKind::Conflict && self.is_fresh(path)
    }

    /// The ETag of what is there, if it is the same file: the answer to an earlier try was lost, or another
    /// machine has sent it. Anything else is somebody's.
    async fn same(&self, path: &str, content: (u64, Crc64), error: OpError) -> OpResult<String> {
        let Some(there) = Object::look(&self.s3, &self.bucket, &self.key(path)).await? else {
            return Err(if error.kind == OpErrorKind::Conflict { self.others(path) } else { error });
        };
        let is_same = (there.size, there.crc) == (content.0, Some(content.1));
        if is_same { Ok(there.etag) } else { Err(self.others(path)) }
    }

    fn others(&self, path: &str) -> OpError {
        let uri = format!("s3://{}/{}", self.bucket, self.key(path));
        let uri = shown::line(&uri);
        let message = format!("{uri} is there already, and no upload knows it");
        let help = "move it away (`aws s3 mv`), or delete it if nobody needs it (`aws s3 rm`)";
        OpError::new("upload", OpErrorKind::AlreadyExists, message).with_help(help)
    }

    fn again(&self, action: Action, reason: &str) {
        self.again.fetch_add(1, Ordering::Relaxed);
        if let Some(step) = self.step {
            let (target, reason) = (self.target.clone(), reason.to_owned());
            self.events.send(Event::StepRetrying { step, target, action: action.name, reason });
        }
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
    let message = "interrupted; what was sent is kept, and the same command resumes from there";
    OpError::new("upload", OpErrorKind::Cancelled, message)
}

fn panicked(error: &JoinError) -> OpError {
    OpError::new("upload", OpErrorKind::Unexpected, error.to_string())
}

/// Repeats a call that sends a buffer, while S3 finds it damaged on arrival, and tells `again` each time. The
/// SDK does not repeat: it takes the checksum for wrong, not the wire.
pub async fn undamaged<T, Fut: Future<Output = OpResult<T>>>(
    mut call: impl FnMut() -> Fut,
    again: impl Fn(),
) -> OpResult<T> {
    for _ in 1..PATIENCE {
        match call().await {
            Err(error) if error.kind == OpErrorKind::Damaged => again(),
            answer => return answer,
        }
    }
    call().await
}

const DAMAGED: &str = "the bytes were damaged on the way";

/// Sends files; those that cannot be read do not keep the others from being sent. What was sent before an
/// error is in the journal's file, and the next run finds it there.
pub async fn upload(
    cx: &OpCx<'_>,
    order: TransferOptions<'_>,
    journal: Journal,
    files: &[&Entry],
) -> OpResult<(TransferReport, Journal)> {
    send(cx, order, journal, files).await.map_err(|error| cx.cancel.named(error))
}

async fn send(
    cx: &OpCx<'_>,
    order: TransferOptions<'_>,
    journal: Journal,
    files: &[&Entry],
) -> OpResult<(TransferReport, Journal)> {
    let limit = Arc::new(ConcurrencyLimit::new(order.max_concurrency.max(1), order.bytes_per_second));
    let route = Arc::new(Route {
        s3: client::client_with_retries(&cx.aws, limit.clone()),
        lane: Lane::open(cx, order.bucket, limit.clone()).await?,
        limit,
        tally: Tally::new(files.len(), files.iter().map(|e| e.size()).sum()),
        journal,
        bucket: order.bucket.to_owned(),
        prefix: order.prefix.to_owned(),
        whose: cx.scope.whose(),
        root: order.root.to_owned(),
        fresh: order.fresh,
        events: cx.events.clone(),
        step: cx.step(),
        target: cx.target.clone(),
        // A fatal error ends the others, too.
        drain: cx.cancel.drain.child_token(),
        again: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
        outcome: Mutex::new(Results { files: Vec::with_capacity(files.len()), ..Results::default() }),
        parts: Buffers::new(usize::MAX),
        batches: small::buffers(),
        readers: Semaphore::new(READERS),
    });
    let stop = CancellationToken::new();
    let sent = async {
        let ended = tokio::select! {
            () = feed(&route, files) => Ok(()),
            () = cx.cancel.abort.cancelled() => Err(interrupted()),
        };
        stop.cancel();
        ended
    };
    let (ended, ()) = futures_util::join!(sent, route.tally.tell(cx, &stop));
    ended?;
    let outcome = std::mem::take(&mut *route.outcome());
    let files = outcome.finish(route.drain.is_cancelled())?;
    large::abort_abandoned(&route).await?;
    let route = Arc::into_inner(route).expect("all tasks have ended");
    Ok((
        TransferReport { files, again: route.again.into_inner(), bytes: route.bytes.into_inner() },
        route.journal,
    ))
}

/// Large files and small ones at the same time, each group in its order.
async fn feed(route: &Arc<Route>, files: &[&Entry]) {
    let (large, small): (Vec<&Entry>, Vec<&Entry>) = files.iter().copied().partition(|e| e.size() > LARGE);
    futures_util::join!(large::send_all(route, &large), small::send_all(route, &small));
}

/// The results of all files so far.
#[derive(Default)]
struct Results {
    files: Vec<(Arc<str>, FileStamp, Stored)>,
    /// Files of this machine that could not be read.
    unread: Vec<OpError>,
    /// Of AWS: no use in going on.
    fatal: Option<OpError>,
}

impl Results {
    fn finish(mut self, interrupted_since: bool) -> OpResult<Vec<(Arc<str>, FileStamp, Stored)>> {
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
        if interrupted_since { Err(interrupted()) } else { Ok(self.files) }
    }
}
