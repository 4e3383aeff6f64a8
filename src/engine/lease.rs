//! One deploy at a time (D5): an object in the project's bucket, written with conditional PUTs. It expires by itself,
//! so a killed run or a cancelled CI job blocks nobody for longer than [`LIFE`].

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Expected, OpError, OpErrorKind, OpResult, Outcomes};
use crate::aws::Clients;

/// Where it lies. Old versions of it go with the bucket's lifecycle.
const KEY: &str = ".opsctl/lease.json";
/// How long it holds without being renewed.
const LIFE: Duration = Duration::from_secs(90);
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Who holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// `user@host, process 4711`: who to ask.
    who: String,
    /// Seconds since 1970.
    expires: u64,
    /// Where, and as which process.
    #[serde(default)]
    host: String,
    #[serde(default)]
    process: u32,
}

impl Holder {
    /// Whether it was killed: a process of this very machine that is no longer there.
    fn is_dead(&self, host: &str) -> bool {
        let processes = Path::new("/proc");
        self.host == host
            && self.process != 0
            && processes.join("self").exists()
            && !processes.join(self.process.to_string()).exists()
    }
}

/// Who we are, for others to read.
#[derive(Clone, Debug, Default)]
pub struct Who {
    pub user: String,
    pub host: String,
    pub process: u32,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}, process {}", self.user, self.host, self.process)
    }
}

/// A held lease, renewed in the background until it is released.
#[derive(Debug)]
pub struct Lease {
    s3: aws_sdk_s3::Client,
    bucket: String,
    ended: CancellationToken,
}

/// Takes the lease of the bucket, also over from a holder that stopped renewing it. The error names the holder.
pub async fn acquire(aws: &Clients, bucket: &str, who: &Who) -> OpResult<Lease> {
    let s3 = aws.s3.clone();
    let etag = match put(&s3, bucket, who, None).await {
        Ok(etag) => etag,
        Err(error) if error.kind == OpErrorKind::Conflict => take_over(&s3, bucket, who).await?,
        Err(error) => return Err(error),
    };
    let ended = CancellationToken::new();
    tokio::spawn(renew(s3.clone(), bucket.to_owned(), who.clone(), etag, ended.clone()));
    Ok(Lease { s3, bucket: bucket.to_owned(), ended })
}

impl Lease {
    /// Gives it back. If that fails it expires by itself.
    pub async fn release(self) {
        self.ended.cancel();
        let deleted = self.s3.delete_object().bucket(&self.bucket).key(KEY).send().await;
        if let Err(error) = deleted.op("s3:DeleteObject").gone() {
            tracing::debug!(%error, "the lease was not given back");
        }
    }
}

/// Writes the lease if nobody has (`etag` is `None`), or if it is still the one we know.
async fn put(s3: &aws_sdk_s3::Client, bucket: &str, who: &Who, etag: Option<&str>) -> OpResult<String> {
    let holder = Holder {
        who: who.to_string(),
        expires: now() + LIFE.as_secs(),
        host: who.host.clone(),
        process: who.process,
    };
    let body = serde_json::to_vec(&holder).expect("a holder is plain data");
    let call = s3.put_object().bucket(bucket).key(KEY).body(body.into());
    let call = match etag {
        Some(etag) => call.if_match(etag),
        None => call.if_none_match("*"),
    };
    Ok(call.send().await.op("s3:PutObject")?.e_tag.unwrap_or_default())
}

async fn take_over(s3: &aws_sdk_s3::Client, bucket: &str, who: &Who) -> OpResult<String> {
    let found = s3.get_object().bucket(bucket).key(KEY).send().await.op("s3:GetObject").found()?;
    let Some(object) = found else {
        return put(s3, bucket, who, None).await; // given back between the two calls
    };
    let etag = object.e_tag().unwrap_or_default().to_owned();
    let body = object.body.collect().await.map(|b| b.into_bytes()).unwrap_or_default();
    // One that cannot be read was not written by us, and holds nobody back.
    if let Ok(holder) = serde_json::from_slice::<Holder>(&body)
        && holder.expires > now()
        && !holder.is_dead(&who.host)
    {
        let left = humantime::format_duration(Duration::from_secs(holder.expires - now()));
        let message = format!("{} is at it; the lease expires in {left} unless it is renewed", holder.who);
        return Err(OpError::new("lease", OpErrorKind::LeaseHeld, message));
    }
    put(s3, bucket, who, Some(&etag)).await.map_err(|error| match error.kind {
        OpErrorKind::Conflict => {
            OpError::new("lease", OpErrorKind::LeaseHeld, "somebody else has just taken it")
        }
        _ => error,
    })
}

async fn renew(s3: aws_sdk_s3::Client, bucket: String, who: Who, mut etag: String, ended: CancellationToken) {
    // A pause is a wait for the end.
    while timeout(HEARTBEAT, ended.cancelled()).await.is_err() {
        match put(&s3, &bucket, &who, Some(&etag)).await {
            Ok(new) => etag = new,
            Err(error) => tracing::debug!(%error, "the lease was not renewed"),
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
