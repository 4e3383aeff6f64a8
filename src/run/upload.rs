//! Uploads of data sets, in as few requests as there are changes.
//!
//! Where [`Run`](super::Run) observes every resource, this reads the manifests alone. What is up to date
//! takes no lease. An [`intent`] says which are meant, [`compare`] what differs, and a [`Comparison`] is
//! sent, or left; [`carry_out`] is all of it, for callers that need not see what differs.

use std::path::Path;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{Intent, Session, UnknownName, readers, release};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::Kind as _;
use crate::domain::{Diagnostic, Diagnostics, KindName, Owner, ResourceId, Verb};
use crate::engine::lease::{self, Lease, LeaseTiming};
use crate::engine::{Event, OpCx, RunResult, StepResult, ms};
use crate::inputs::Tree;
use crate::resources::bucket::{self, Bucket};
use crate::resources::data::sync::{self, RemoteState};
use crate::resources::data::{Data, Difference, Spec, State};

/// One data set, and its state in the bucket.
pub struct DataSet {
    pub id: ResourceId,
    pub spec: Spec,
    there: RemoteState,
    /// Whether the manifest must be written whatever differs.
    pub rewrite: bool,
    /// What others have put between its objects, after a look at those.
    mixed: Option<String>,
}

impl DataSet {
    /// Its files here.
    pub fn tree<'a>(&self, session: &'a Session) -> &'a Tree {
        let tree = session.context.inputs.tree(&self.spec.path, &self.spec.use_as());
        tree.and_then(|tree| tree.as_ref().ok()).expect("the session has read it")
    }

    /// What will be sent and, where the data set says so, deleted.
    pub fn difference<'a>(&'a self, session: &'a Session) -> Difference<'a> {
        Difference::of(self.tree(session), &self.there.manifest.files, self.spec.delete)
    }

    /// Why it may not be sent, as a plan would say it.
    fn problems(&self, session: &Session) -> Vec<Diagnostic> {
        let state = State { mixed: self.mixed.clone(), ..State::default() };
        let mixed = Data::mixed(&state).map(|mixed| {
            let text = mixed.said(self.id.kind, &self.spec.uri());
            (mixed.code, text, mixed.help)
        });
        let mistake = sync::mistaken(&self.spec, self.tree(session), &self.there.manifest.files);
        let mistake = mistake.map(|it| (it.code, it.why, it.help));
        let at = || session.desired.origin.get(&self.id).cloned().unwrap_or_default();
        let problems = mixed.into_iter().chain(mistake);
        problems.map(|(code, text, help)| Diagnostic::error(code, at(), text, help)).collect()
    }

    /// Whether there is something to do.
    pub fn has_work(&self, session: &Session) -> bool {
        let current = self.tree(session).digest().is_some_and(|digest| digest == self.there.manifest.digest);
        self.rewrite || !current || !self.difference(session).is_empty()
    }

    /// Whether the data set is uploaded for the first time.
    pub fn verb(&self) -> Verb {
        if self.there.etag.is_some() { Verb::Update } else { Verb::Create }
    }
}

/// Why no data sets are meant.
#[derive(Debug)]
pub enum NotMeant {
    Unknown(UnknownName),
    /// The config has it, and it is in another bucket: opsctl moves nothing to or from there.
    Elsewhere(ResourceId),
}

/// The data sets of these names, or all, with the bucket that they are in.
///
/// # Errors
/// See [`NotMeant`].
pub fn intent(session: &Session, names: &[String]) -> Result<Intent, NotMeant> {
    Intent::subset(session, &[KindName::Data], names).map_err(|unknown| {
        let is_given = |name: &&str| names.is_empty() || names.iter().any(|given| given == name);
        let id = session.names(KindName::Data).into_iter().find(is_given).map(Data::id);
        let id = id.filter(|id| session.desired.node(id).is_none());
        id.map_or(NotMeant::Unknown(unknown), NotMeant::Elsewhere)
    })
}

/// What is sent, and what is in the bucket as it is here.
pub struct Comparison {
    pub todo: Vec<DataSet>,
    pub done: Vec<DataSet>,
}

impl Comparison {
    /// Leaves all as it is. What was read of the files is kept for the next run.
    pub fn leave(self, session: &Session) {
        session.context.inputs.remember(&session.context.cache);
    }
}

/// Compares the intent's data sets with what is in the bucket: by the manifests, with `verify` by the objects
/// too. `reading` is called for each folder that has to be read for it, with the bytes that are unread.
/// `None`: there is no bucket of ours yet, so a deploy of the same intent makes it and sends them.
///
/// # Errors
/// What AWS said, or a file that cannot be read.
pub async fn compare(
    session: &mut Session,
    intent: &Intent,
    verify: bool,
    reading: impl FnMut(&Path, u64),
) -> Result<Option<Comparison>, UploadRefusal> {
    let read = read_manifests(session, intent, verify).await.map_err(UploadRefusal::Op)?;
    let Some(sets) = read else { return Ok(None) };
    let mut problems = Diagnostics::default();
    problems.extend(sets.iter().flat_map(|set| set.problems(session)));
    if problems.has_errors() {
        return Err(UploadRefusal::Problems(problems));
    }
    read_files(session, &sets, reading)
        .map_err(|problem| UploadRefusal::Problems(Diagnostics(vec![problem])))?;
    let (todo, done) = sets.into_iter().partition(|set| set.has_work(session));
    Ok(Some(Comparison { todo, done }))
}

/// The whole upload. `None`: as of [`compare`].
///
/// # Errors
/// See [`UploadRefusal`]; what went wrong after that is in [`Uploaded`].
pub async fn carry_out(
    session: &mut Session,
    intent: &Intent,
    verify: bool,
) -> Result<Option<Uploaded>, UploadRefusal> {
    let Some(compared) = compare(session, intent, verify, |_, _| ()).await? else { return Ok(None) };
    let upload = Upload::begin(session, compared).await?;
    Ok(Some(upload.send(session).await))
}

/// The manifests of the intent's data sets, all read at once; with `verify` the objects too. `None`: the
/// bucket has to be made or looked at first.
async fn read_manifests(session: &Session, intent: &Intent, verify: bool) -> OpResult<Option<Vec<DataSet>>> {
    let nodes = intent.desired.nodes.iter().filter_map(|node| Some((&node.id, node.spec_as::<Data>()?)));
    // Whatever a manifest says: what has lost its tags, or never had them, gets no data.
    let owner = async {
        let cx = OpCx::new(&session.context, Bucket::id(Bucket::MAIN));
        bucket::owner(&cx, session.bucket()).await
    };
    let sets = try_join_all(nodes.map(|(id, spec): (&ResourceId, &Spec)| async move {
        let cx = OpCx::new(&session.context, id.clone());
        let mut there = sync::read(&cx, &spec.uri()).await?;
        let (mut rewrite, mut mixed) = (false, None);
        if verify && !there.bucket_is_missing {
            let said = there.manifest.files.clone();
            let tree = session.context.inputs.tree(&spec.path, &spec.use_as());
            let tree = tree.and_then(|tree| tree.as_ref().ok()).expect("the session has walked it");
            let unlike;
            (there, unlike) = sync::verify(&cx, spec, tree, there).await?;
            (rewrite, mixed) = (there.manifest.files != said, unlike.words().1);
        }
        OpResult::Ok(DataSet { id: id.clone(), spec: spec.clone(), there, rewrite, mixed })
    }));
    let (owner, sets) = futures_util::try_join!(owner, sets)?;
    let whose = session.context.scope.whose();
    let may_be_sent = |set: &DataSet| {
        let (is_there, by) = (set.there.etag.is_some(), &set.there.manifest.owner);
        match &owner {
            // One that names nobody is of an older version.
            Some(Owner::Ours) => !is_there || by.is_empty() || *by == whose,
            // Where there is no manifest yet, somebody's objects may be.
            Some(Owner::Adopted) => is_there && *by == whose,
            _ => false,
        }
    };
    Ok(sets.iter().all(may_be_sent).then_some(sets))
}

/// Reads what has to be compared: the files of sets that have something in the bucket, or may have. The
/// others are read only once, while they are sent.
fn read_files(
    session: &mut Session,
    sets: &[DataSet],
    mut reading: impl FnMut(&Path, u64),
) -> Result<(), Diagnostic> {
    let inputs = &mut session.context.inputs;
    inputs.recall(&session.context.cache);
    for set in sets.iter().filter(|set| set.there.etag.is_some()) {
        let (path, use_as) = (&set.spec.path, set.spec.use_as());
        reading(path, inputs.unread(path, &use_as));
        inputs.hash(path, &use_as);
        if let Some(Err(problem)) = inputs.tree(path, &use_as) {
            return Err(problem.clone());
        }
    }
    Ok(())
}

/// Why an upload was not started.
#[derive(Debug)]
pub enum UploadRefusal {
    Op(OpError),
    /// A file cannot be read, or what would be sent or deleted is refused.
    Problems(Diagnostics),
    /// Somebody else has uploaded it since its manifest was read.
    UploadedMeanwhile(ResourceId),
}

/// Data sets that may be sent: the lease is held, and the bucket has not changed since it was read.
#[must_use = "send it, or its lease is kept until it expires"]
pub struct Upload {
    sets: Vec<DataSet>,
    lease: Option<Lease>,
    /// Before it waited for the lease.
    began: Instant,
}

/// How an upload ended.
pub struct Uploaded {
    /// The set that failed, or was cut off: those after it were not begun.
    pub failed: Option<(ResourceId, OpError)>,
}

impl Upload {
    /// Takes the lease, and looks whether the bucket is still as it was when the differences were shown, now
    /// that nobody else may change it. Where nothing differs there is no lease.
    ///
    /// # Errors
    /// See [`UploadRefusal`]; the lease is given back.
    pub async fn begin(session: &Session, compared: Comparison) -> Result<Self, UploadRefusal> {
        let (sets, began) = (compared.todo, Instant::now());
        session.context.cancel.commit().map_err(UploadRefusal::Op)?;
        let Some(first) = sets.first() else { return Ok(Self { sets, lease: None, began }) };
        let lease =
            lease::acquire(&session.context, &first.spec.bucket, &session.who, LeaseTiming::default());
        let lease = Some(session.context.cancel.briefly("lease", lease).await.map_err(UploadRefusal::Op)?);
        let look = async { Ok(unchanged(session, &sets).await) };
        let looked = session.context.cancel.reading("looking", look).await;
        match looked.unwrap_or_else(|error| Err(UploadRefusal::Op(error))) {
            Ok(()) => Ok(Self { sets, lease, began }),
            Err(why) => {
                release(&session.context, lease).await;
                Err(why)
            }
        }
    }

    /// Sends one data set after the other, each at full speed. Releases the lease, and sends the last event.
    pub async fn send(self, session: &mut Session) -> Uploaded {
        let events = session.context.events.clone();
        let began = self.began;
        events.send(Event::RunStarted { steps: self.sets.len() });
        let mut failed: Option<(ResourceId, OpError)> = None;
        let last = self.sets.last().map(|set| set.id.clone());
        for (step, set) in self.sets.into_iter().enumerate() {
            let (target, op, start) = (set.id.clone(), set.verb(), Instant::now());
            let physical = set.spec.uri();
            events.send(Event::StepStarted {
                step,
                target: target.clone(),
                op,
                physical,
                contents: None,
                usual_ms: None,
            });
            let sent = send(session, step, set).await.map(|line| {
                events.send(Event::StepLog { step, target: target.clone(), line });
            });
            let result = StepResult::of(&sent, &session.context.cancel);
            failed = sent.err().map(|error| (target.clone(), error));
            events.send(Event::StepFinished { step, target, op, result, elapsed_ms: ms(start.elapsed()) });
            if failed.is_some() {
                break;
            }
        }
        session.context.inputs.remember(&session.context.cache);
        let lost = release(&session.context, self.lease).await;
        if let (Some(lost), Some(id), None) = (lost, last, &failed) {
            failed = Some((id, OpError::lease_lost(&lost)));
        }
        let result = match failed.as_ref().map(|(_, error)| &error.kind) {
            None => RunResult::Ok,
            Some(OpErrorKind::Cancelled) => RunResult::Interrupted,
            Some(OpErrorKind::TimedOut) => RunResult::TimedOut,
            Some(_) => RunResult::Failed,
        };
        let calls = session.context.aws.calls.total();
        events.send(Event::RunFinished { result, calls, elapsed_ms: ms(began.elapsed()) });
        Uploaded { failed }
    }
}

/// Sends one data set; returns its summary.
async fn send(session: &mut Session, step: usize, set: DataSet) -> OpResult<String> {
    if !set.difference(session).is_empty() {
        let (with, uri) = ((&session.context, &session.registry), set.spec.uri());
        let look = readers::none_of(with, &set.id, &uri);
        session.context.cancel.reading("looking", look).await?;
    }
    let (path, use_as) = (&set.spec.path, set.spec.use_as());
    let mut tree = session.context.inputs.take(path, &use_as).expect("the session has read it");
    let ended = {
        let cx = OpCx::new(&session.context, set.id.clone()).in_step(step);
        let sent = sync::run(&cx, &set.spec, &mut tree, set.there);
        session.context.cancel.writing("waiting for an answer", sent).await
    };
    session.context.inputs.put(path, &use_as, tree);
    ended.map(|report| report.to_string())
}

async fn unchanged(session: &Session, sets: &[DataSet]) -> Result<(), UploadRefusal> {
    try_join_all(sets.iter().map(|set| async move {
        let cx = OpCx::new(&session.context, set.id.clone());
        match sync::read_manifest(&cx, &set.spec.uri()).await {
            Ok(now) if now.etag == set.there.etag => Ok(()),
            Ok(_) => Err(UploadRefusal::UploadedMeanwhile(set.id.clone())),
            Err(error) => Err(UploadRefusal::Op(error)),
        }
    }))
    .await
    .map(drop)
}
