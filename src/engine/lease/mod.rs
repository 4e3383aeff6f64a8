//! One writer at a time: an object in the project's bucket, written and deleted by conditional requests. It
//! expires by itself, by S3's clock, so a killed run or a cancelled CI job blocks nobody for longer than
//! [`LIFE`] (docs/decisions/0040).

mod claim;
mod proof;
mod wait;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Cancel, Cause, RunContext};
use crate::aws::{AnswerDate, Clients, OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, whole};
use crate::aws::{Fence, Held as Hold, LeaseLost, Moment};
use crate::domain::LEASE_KEY;
use crate::domain::action;
use claim::Claim;
pub use claim::{FoundLease, LIFE};
use proof::Proof;

/// The key of the lease object.
pub const KEY: &str = LEASE_KEY;

/// How often a lease is renewed, and how long it is relied upon.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTiming {
    /// For others; [`LIFE`] at most.
    pub life: Duration,
    pub heartbeat: Duration,
    /// How long before others may begin we stop writing: for a request on its way, and for S3's whole
    /// seconds.
    pub margin: Duration,
    /// Before a step begins, or continues after a wait, a lease confirmed longer ago than this is
    /// confirmed again.
    pub fresh: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        let [heartbeat, margin, fresh] = [30, 15, 5].map(Duration::from_secs);
        Self { life: LIFE, heartbeat, margin, fresh }
    }
}

/// Who holds the lease, for others to read.
#[derive(Clone, Debug, Default)]
pub struct LeaseHolder {
    pub user: String,
    pub host: String,
    pub process: u32,
}

impl std::fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}, process {}", self.user, self.host, self.process)
    }
}

/// A held lease, renewed in the background until it is released. While it is held, the fence of the run's
/// clients lets writes through only as long as the lease is certainly ours.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    /// Dropped without a release, as by a panic, it expires.
    ended: DropGuard,
    proof: Option<Proof>,
}

/// Takes the lease of the bucket, also over from a holder that stopped renewing it, and waits for one who has
/// not as long as the run has patience. The error names the holder.
///
/// # Errors
/// [`OpErrorKind::LeaseHeld`] if somebody else has it, [`OpErrorKind::NotFound`] if there is no bucket.
pub async fn acquire(
    context: &RunContext,
    bucket: &str,
    who: &LeaseHolder,
    terms: LeaseTiming,
) -> OpResult<Lease> {
    let claim = Claim {
        token: token(),
        who: who.to_string(),
        since: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
        life_s: terms.life.as_secs(),
    };
    // Before the first call: whoever is killed in it leaves a lease too.
    let proof = Proof::of(&context.cache, &claim.token);
    let place = Place::of(&context.aws, bucket);
    let taken = wait::patiently(context, &place, async || take(&place, &claim, &context.cache).await);
    let (etag, sent) = taken.await?;
    let fence = context.aws.fence.clone();
    let life = terms.life.saturating_sub(terms.margin);
    fence.hold(Hold { since: sent, life, fresh: terms.fresh });
    let held = Held {
        place,
        claim,
        terms,
        etag: tokio::sync::Mutex::new(etag),
        fence,
        cancel: context.cancel.clone(),
    };
    let (held, ended) = (Arc::new(held), CancellationToken::new());
    tokio::spawn(keep(Arc::clone(&held), ended.clone()));
    Ok(Lease { held, ended: ended.drop_guard(), proof })
}

/// Who holds the lease of the bucket.
pub async fn read(aws: &Clients, bucket: &str) -> OpResult<Option<FoundLease>> {
    Place::of(aws, bucket).read().await
}

/// Whether nobody holds the lease of a bucket that this run does not lock: one that the project had under
/// another name, where a run with the config of then may be under way, or one that has lost its tags.
///
/// # Errors
/// [`OpErrorKind::LeaseHeld`], or what AWS said.
pub async fn ensure_free(context: &RunContext, bucket: &str) -> OpResult<()> {
    let place = Place::of(&context.aws, bucket);
    let look = async || match place.read().await? {
        Some(found) if !found.left().is_zero() && !proof::is_dead(&context.cache, &found.claim.token) => {
            let message = format!("held by {found}, in the bucket {bucket}");
            Err(OpError::new("lease", OpErrorKind::LeaseHeld, message))
        }
        _ => Ok(()),
    };
    wait::patiently(context, &place, look).await
}

/// Takes the lease away from the holder that was looked at, and from nobody else.
///
/// # Errors
/// [`OpErrorKind::Conflict`] if it was renewed or changed hands since.
pub async fn remove(aws: &Clients, bucket: &str, found: &FoundLease) -> OpResult<()> {
    Place::of(aws, bucket).delete(&found.etag).await
}

async fn take(place: &Place, claim: &Claim, cache: &Path) -> OpResult<(String, Moment)> {
    let mut over = None;
    let mut dead: Option<String> = None;
    // Each try that fails does so because somebody else has just done something.
    for _ in 0..5 {
        let sent = Moment::now();
        match place.put(claim, over.as_deref()).await {
            Ok(etag) => {
                if let Some(token) = &dead {
                    proof::forget(cache, token);
                }
                return Ok((etag, sent));
            }
            Err(error) if error.kind == OpErrorKind::Conflict => {}
            // What was to be taken over was given back.
            Err(error) if error.kind == OpErrorKind::NotFound && over.is_some() => {}
            Err(error) => return Err(error),
        }
        over = match place.read().await? {
            None => None,
            // The answer to our own request was lost, and the SDK sent it again.
            Some(found) if found.claim.token == claim.token => return Ok((found.etag, sent)),
            Some(found) if found.left().is_zero() || proof::is_dead(cache, &found.claim.token) => {
                dead = Some(found.claim.token);
                Some(found.etag)
            }
            Some(found) => {
                return Err(OpError::new("lease", OpErrorKind::LeaseHeld, format!("held by {found}")));
            }
        };
    }
    Err(OpError::new("lease", OpErrorKind::LeaseHeld, "others keep taking it"))
}

impl Lease {
    /// Releases it, if it is still ours. If that fails it expires.
    ///
    /// # Errors
    /// If it was somebody else's already: what was done last was done beside him.
    pub async fn release(self) -> Result<(), LeaseLost> {
        drop(self.ended);
        let Held { place, claim, etag, fence, .. } = &*self.held;
        let _renewed = etag.lock().await; // a renewal under way ends first, or is dropped
        if let Some(lost) = fence.lost() {
            return Err(lost);
        }
        let given_back = match fence.is_held() {
            // The bucket is gone, and the lease with it; or it could not be deleted.
            false => match place.read().await {
                Ok(Some(found)) if found.claim.token == claim.token => place.delete(&found.etag).await,
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            // A look first, because a delete succeeds also when somebody else has taken it away.
            true => match place.read().await {
                Ok(Some(found)) if found.claim.token == claim.token => place.delete(&found.etag).await,
                Ok(found) => {
                    let lost = lost_to(found.as_ref());
                    fence.lose(lost.clone());
                    return Err(LeaseLost(lost));
                }
                Err(error) => Err(error),
            },
        };
        fence.open();
        match (given_back, self.proof) {
            (Ok(()), Some(proof)) => proof.remove(),
            (Ok(()), None) => {}
            // Our end is proof that it is nobody's, for the next run on this machine.
            (Err(error), _) => fence.leave(error.to_string()),
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Held {
    place: Place,
    claim: Claim,
    terms: LeaseTiming,
    etag: tokio::sync::Mutex<String>,
    fence: Fence,
    cancel: Cancel,
}

/// Renews the lease until it is given back, or lost.
async fn keep(held: Arc<Held>, ended: CancellationToken) {
    let mut pause = held.terms.heartbeat;
    loop {
        // A pause is a wait for the end, or for somebody who wants to write and has to know.
        let asked = tokio::select! {
            () = ended.cancelled() => return,
            waited = timeout(pause, held.fence.overdue()) => waited.is_ok(),
        };
        if !held.fence.is_held() {
            return;
        }
        // Some ask at the same time.
        if asked && held.fence.is_fresh() {
            continue;
        }
        let renewed = tokio::select! {
            renewed = timeout(held.terms.heartbeat, held.renew()) => renewed,
            // A run that was stopped gives it back at once; it looks first whether this one has arrived.
            () = given_back_early(&held, &ended) => return,
        };
        let why = match renewed.unwrap_or_else(|_| Err(Renewal::Failed("no answer in time".into()))) {
            Ok(()) => {
                pause = held.terms.heartbeat;
                continue;
            }
            // Others may have it by now, and somebody waits to know.
            Err(Renewal::Failed(why)) if asked && held.fence.check().is_err() => {
                format!("the lease could not be renewed in time: {why}")
            }
            Err(Renewal::Failed(why)) => {
                tracing::debug!(why, "the lease was not renewed");
                held.fence.unconfirmed();
                pause = held.terms.heartbeat / 6;
                continue;
            }
            Err(Renewal::Lost(why)) => why,
        };
        held.fence.lose(why);
        held.cancel.stop(Cause::LeaseLost);
        return;
    }
}

/// Waits until a run that was stopped gives the lease back.
async fn given_back_early(held: &Held, ended: &CancellationToken) {
    ended.cancelled().await;
    held.cancel.drain.cancelled().await;
}

enum Renewal {
    Lost(String),
    /// Nobody knows; it may be ours still.
    Failed(String),
}

impl Held {
    async fn renew(&self) -> Result<(), Renewal> {
        let mut etag = self.etag.lock().await;
        for _ in 0..3 {
            let sent = Moment::now();
            match self.place.put(&self.claim, Some(&etag)).await {
                Ok(new) => {
                    *etag = new;
                    self.fence.prolong(sent);
                    return Ok(());
                }
                Err(error) if matches!(error.kind, OpErrorKind::Conflict | OpErrorKind::NotFound) => {}
                Err(error) => return Err(Renewal::Failed(error.to_string())),
            }
            match self.place.read().await {
                // An earlier renewal arrived, but its answer did not: once more, to know since when.
                Ok(Some(found)) if found.claim.token == self.claim.token => *etag = found.etag,
                Ok(found) => return Err(Renewal::Lost(lost_to(found.as_ref()))),
                Err(error) => return Err(Renewal::Failed(error.to_string())),
            }
        }
        Err(Renewal::Failed("it keeps changing".into()))
    }
}

/// Why a lease is not ours, by what is in its place.
fn lost_to(found: Option<&FoundLease>) -> String {
    match found {
        Some(found) => format!("the lease is lost to {}", found.who()),
        None => {
            "the lease is gone: somebody else had it meanwhile, or took it away (`opsctl lease break`)".into()
        }
    }
}

/// The lease object, and a client of its own: the lease's requests bypass the fence that they control.
#[derive(Debug)]
struct Place {
    s3: aws_sdk_s3::Client,
    bucket: String,
}

impl Place {
    fn of(aws: &Clients, bucket: &str) -> Self {
        Self { s3: aws.unfenced_s3(), bucket: bucket.to_owned() }
    }

    /// Writes it if nobody has (`over` is `None`), or if it is still the one we know.
    async fn put(&self, claim: &Claim, over: Option<&str>) -> OpResult<String> {
        let body = serde_json::to_vec(claim).expect("a claim is plain data");
        let call = self.s3.put_object().bucket(&self.bucket).key(KEY).body(body.into());
        let call = match over {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        Ok(call.send().await.op(action::s3::PutObject)?.e_tag.unwrap_or_default())
    }

    async fn read(&self) -> OpResult<Option<FoundLease>> {
        let date = AnswerDate::default();
        let call = self.s3.get_object().bucket(&self.bucket).key(KEY);
        let found = whole(|| call.clone().customize().interceptor(date.clone()).send()).await;
        let Some((object, body)) = found.op(action::s3::GetObject).found()? else { return Ok(None) };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        // Without S3's time ours has to do.
        let now = date.get().unwrap_or_else(|| DateTime::from(SystemTime::now())).secs();
        let changed = object.last_modified().map_or(now, DateTime::secs);
        // What cannot be read was not written by us; it holds all the same, but not for longer.
        let claim = serde_json::from_slice(&body).unwrap_or_default();
        let age = Duration::from_secs(u64::try_from(now.saturating_sub(changed)).unwrap_or_default());
        Ok(Some(FoundLease { claim, etag, age }))
    }

    async fn delete(&self, etag: &str) -> OpResult<()> {
        let call = self.s3.delete_object().bucket(&self.bucket).key(KEY).if_match(etag);
        call.send().await.op(action::s3::DeleteObject).ignore_not_found()
    }
}

/// 128 random bits: each `RandomState` has keys of its own, from the operating system's randomness.
fn token() -> String {
    use std::hash::{BuildHasher, RandomState};
    let bits = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", bits(), bits())
}
