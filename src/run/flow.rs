//! One run: observe, plan, pass the gates, take the lease, plan again, execute, verify, release the lease.
//! The results are typed; the command line puts them into words.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::lease::ProjectLease;
use super::reads::Reads;
use super::{
    Difference, Done, Gates, Host, Intent, Refusal, SavedPlan, Session, Standing, Verified, continues,
    readers, reads, remote,
};
use crate::aws::{LeaseLost, OpError, OpErrorKind, OpResult};
use crate::desired::{AnyKind, Desired, Kind};
use crate::domain::{KindName, Money, Needs, Owner, ResourceId, Verb, action};
use crate::engine::lease::{self, Lease, LeaseHolder, LeaseTiming};
use crate::engine::{
    Event, OpCx, Probe, Registry, RunContext, RunResult, count, execute_with, observe, observe_closely,
};
use crate::plan::{self, Mode, Observation, Observed, Op, Plan, Step};
use crate::resources::bucket::{self, Bucket};

/// A run: what it is for, and what it works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub context: &'a RunContext,
    pub registry: &'a Registry,
    pub kinds: &'a [Box<dyn AnyKind>],
    pub desired: &'a Desired,
    pub mode: Mode,
    /// Whether what is ours but not in `desired` counts: only when all of it is looked at.
    pub whole: bool,
    /// What its plans are held against; a session's run has the config's budget.
    pub gates: Option<Gates<'a>>,
    pub host: Host,
}

/// A plan that has passed the gates. Only [`Run::gate`] makes one.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "begin it"]
pub struct Gated {
    pub plan: Plan,
    pub have: Observed,
}

/// A run that may write: its lease is held, and the plan is true under it.
#[must_use = "carry it out, or release its lease"]
pub struct LeasedRun<'a> {
    run: Run<'a>,
    pub plan: Plan,
    pub have: Observed,
    lease: Option<Lease>,
    /// Before it waited for the lease: a person has seen the clock run since.
    began: Instant,
}

impl LeasedRun<'_> {
    /// Executes the plan, verifies the result, releases the lease, and sends the last events. Never an
    /// error: what went wrong is in [`Done`].
    pub async fn carry_out(self) -> Done {
        let Self { run, plan, have, lease, began } = self;
        for (target, reason, _) in have.unread {
            run.context.events.send(Event::Unread { target, reason });
        }
        let Run { context, registry, kinds, desired, .. } = run;
        let reads = Reads { context, registry, kinds, desired };
        // On the heap, as all large futures here: the caller may have a small stack.
        let mut outcome = Box::pin(execute_with(&plan, run.registry, run.context, Some(&reads))).await;
        let (verified, have) = match outcome.result() {
            RunResult::Ok if !plan.is_empty() => Box::pin(run.verify_and_observe(&plan)).await,
            _ => (Verified::AsWanted, None),
        };
        let lost = release(run.context, lease).await;
        outcome.lease_lost = outcome.lease_lost.or(lost);
        let continues = continues::of(&plan, &outcome, run.kinds, run.host);
        let lease_beside = match outcome.result() {
            RunResult::Ok => ProjectLease::beside(context, registry, &plan).await,
            _ => None,
        };
        let done = Done { plan, outcome, verified, have, continues, lease_beside };
        done.tell(run.context, run.host, began);
        done
    }

    /// Releases the lease without doing anything.
    pub async fn release(self) {
        release(self.run.context, self.lease).await;
    }
}

/// How long releasing the lease may take: everything else is done by then.
const RELEASE: Duration = Duration::from_secs(10);

/// Gives the lease back; tells if it was somebody else's already.
pub async fn release(context: &RunContext, lease: Option<Lease>) -> Option<LeaseLost> {
    let lease = lease?;
    let release = async {
        timeout(RELEASE, lease.release()).await.map_err(|_| {
            let limit = humantime::format_duration(RELEASE);
            OpError::new("lease", OpErrorKind::TimedOut, format!("no answer within {limit}"))
        })
    };
    match context.cancel.briefly("lease", release).await {
        Ok(released) => released.err(),
        // It expires by itself.
        Err(error) => {
            context.aws.fence.leave(error.message);
            None
        }
    }
}

impl Session {
    /// What can be done with this intent.
    pub fn run<'a>(&'a self, intent: &'a Intent) -> Run<'a> {
        Run::new(self, intent)
    }
}

impl<'a> Run<'a> {
    fn new(session: &'a Session, intent: &'a Intent) -> Self {
        Self {
            context: &session.context,
            registry: &session.registry,
            kinds: &session.kinds,
            desired: &intent.desired,
            mode: intent.mode,
            whole: intent.whole,
            gates: Some(Gates::of(session)),
            host: session.host,
        }
    }

    /// The whole run, for callers that need not see the plan first.
    ///
    /// # Errors
    /// See [`Refusal`]; what went wrong after that is in [`Done`].
    pub async fn carry_out(&self, who: &LeaseHolder) -> Result<Done, Refusal> {
        let (plan, have) = Box::pin(self.plan()).await?;
        let gated = Box::pin(self.gate(plan, have)).await?;
        let begun = Box::pin(self.begin(gated, who, false)).await?;
        Ok(Box::pin(begun.carry_out()).await)
    }

    /// The whole run, of exactly the plan that was saved. Where that was applied already, nothing is left to
    /// do, and the plan of what is [`Done`] is empty.
    ///
    /// # Errors
    /// [`Refusal::OutOfDate`], and as [`Self::carry_out`].
    pub async fn carry_out_saved(&self, saved: &SavedPlan, who: &LeaseHolder) -> Result<Done, Refusal> {
        let (plan, have) = Box::pin(self.plan()).await?;
        self.is_saved(saved, &plan)?;
        let gated = Box::pin(self.gate(plan, have)).await?;
        let begun = Box::pin(self.begin(gated, who, true)).await?;
        Ok(Box::pin(begun.carry_out()).await)
    }

    /// Whether a plan is what was saved, or what is left when that was applied (`true`): nothing.
    ///
    /// # Errors
    /// [`Refusal::OutOfDate`]: it is neither.
    pub fn is_saved(&self, saved: &SavedPlan, plan: &Plan) -> Result<bool, Refusal> {
        match saved.standing(plan, self.desired) {
            Standing::True => Ok(false),
            Standing::Applied => Ok(true),
            Standing::OutOfDate(different) => Err(Refusal::OutOfDate(different)),
        }
    }

    /// With another limit of what a month may cost than the config's, where one is given.
    #[must_use]
    pub fn within(self, monthly: Option<Money>) -> Self {
        Self { gates: self.gates.map(|gates| gates.within(monthly)), ..self }
    }

    /// Refuses a plan that could cost more than a month may. Taking away and doing nothing are always
    /// allowed.
    ///
    /// # Errors
    /// [`Refusal::OverBudget`]: it could, or nobody knows.
    pub async fn afford(&self, plan: &Plan, have: &Observed) -> Result<(), Refusal> {
        let gates = self.gates.filter(|_| !self.mode.destroys() && !plan.is_empty());
        match gates {
            Some(gates) => {
                Box::pin(gates.afford(plan, self.desired, have)).await.map_err(Refusal::OverBudget)
            }
            None => Ok(()),
        }
    }

    /// Holds a plan against all gates. It asks AWS, and writes nothing.
    ///
    /// # Errors
    /// [`Refusal::OverBudget`], [`Refusal::NotHere`], [`Refusal::Impossible`], or that the look was cut off.
    pub async fn gate(&self, plan: Plan, have: Observed) -> Result<Gated, Refusal> {
        self.afford(&plan, &have).await?;
        self.fit_host(&plan).await?;
        self.look_ahead(&plan).await?;
        self.nobody_reads(&plan).await?;
        Ok(Gated { plan, have })
    }

    /// A job of an earlier deploy may be at work, and read what the plan changes.
    async fn nobody_reads(&self, plan: &Plan) -> Result<(), Refusal> {
        let is =
            |step: &Step, kind, verbs: &[Verb]| step.target.kind == kind && verbs.contains(&step.op.verb());
        // A manifest may have been deleted, but nobody reads a bucket that is still to be made.
        if plan.steps.iter().any(|step| is(step, KindName::Bucket, &[Verb::Create])) {
            return Ok(());
        }
        let is_changed = |step: &&Step| is(step, KindName::Data, &[Verb::Create, Verb::Update]);
        for step in plan.steps.iter().filter(is_changed) {
            let with = (self.context, self.registry);
            let look = Box::pin(readers::none_of(with, &step.target, &step.physical));
            self.context.cancel.reading("looking", look).await?;
        }
        Ok(())
    }

    async fn fit_host(&self, plan: &Plan) -> Result<(), Refusal> {
        match self.gates {
            Some(gates) => gates.fit_host(plan).await.map_err(Refusal::NotHere),
            None => Ok(()),
        }
    }

    async fn look_ahead(&self, plan: &Plan) -> Result<(), Refusal> {
        let is_deploy = matches!(self.mode, Mode::Deploy { .. }) && !plan.is_empty();
        let Some(gates) = self.gates.filter(|_| is_deploy) else { return Ok(()) };
        match gates.look_ahead(plan).await? {
            wrong if wrong.is_empty() => Ok(()),
            wrong => Err(Refusal::Impossible(wrong)),
        }
    }

    /// Takes the lease, plans once more under it, and holds that plan against the gates too; an empty plan
    /// needs none of this. From here on a signal no longer cuts the run off, it ends on its own. `shown` to a
    /// person, or saved, the plan must still be what is done.
    ///
    /// # Errors
    /// See [`Refusal`]; the lease is given back.
    pub async fn begin(
        &self,
        gated: Gated,
        who: &LeaseHolder,
        shown: bool,
    ) -> Result<LeasedRun<'a>, Refusal> {
        let (run, began, Gated { plan: first, have }) = (*self, Instant::now(), gated);
        self.context.cancel.commit().map_err(Refusal::Lease)?;
        if first.is_empty() {
            // An unchanged project writes nothing.
            return Ok(LeasedRun { run, plan: first, have, lease: None, began });
        }
        let take = async {
            for other in have.leftovers.iter().filter(|leftover| leftover.id.kind == KindName::Bucket) {
                lease::ensure_free(self.context, &other.physical).await?;
            }
            self.lease(&first, &have, who).await
        };
        let lease = self.context.cancel.briefly("lease", take).await.map_err(Refusal::Lease)?;
        let again = async {
            self.reads_the_same(&first).await?;
            let (plan, have) = Box::pin(self.plan_again(&first, shown)).await?;
            self.nobody_reads(&plan).await?;
            self.afford(&plan, &have).await?;
            // The account is asked once more only where there is something else to do.
            if !differences(&first, &plan).is_empty() {
                self.fit_host(&plan).await?;
                self.look_ahead(&plan).await?;
            }
            Ok((plan, have))
        };
        match again.await {
            Ok((plan, have)) => Ok(LeasedRun { run, plan, have, lease, began }),
            Err(refusal) => {
                release(self.context, lease).await;
                Err(refusal)
            }
        }
    }

    /// What lies in buckets of others was looked at when the session began, and what is about to be made is
    /// named after it.
    async fn reads_the_same(&self, plan: &Plan) -> Result<(), Refusal> {
        if !plan.steps.iter().any(|step| reads::is_named_after(self.kinds, step)) {
            return Ok(());
        }
        let look = Box::pin(remote::changed(self.context));
        match self.context.cancel.reading("looking", look).await? {
            changed if changed.is_empty() => Ok(()),
            changed => {
                Err(Refusal::Changed(changed.into_iter().map(|uri| Difference::Elsewhere { uri }).collect()))
            }
        }
    }

    /// Observes and plans; has the plan checked by the independent checker.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn plan(&self) -> Result<(Plan, Observed), Refusal> {
        let look = async {
            let mut have = observe(self.desired, self.registry, self.context).await?;
            if !self.whole {
                have.leftovers.clear();
                have.lost.clear();
                have.seen_leftovers.clear();
                // What may be an earlier one of what it is about; the rest is nobody's question here.
                have.unread.retain(|(id, ..)| self.desired.nodes.iter().any(|node| node.id.kind == id.kind));
            }
            count(self.desired, &mut have, self.mode, self.registry, self.context).await?;
            Ok(have)
        };
        let mut have = self.context.cancel.reading("looking", Box::pin(look)).await?;
        let build = |have: &Observed| {
            plan::build(self.desired, have, self.kinds, self.mode).map_err(Refusal::Problems)
        };
        let mut plan = build(&have)?;
        let look = observe_closely(self.desired, &plan, &mut have, self.registry, self.context);
        if self.context.cancel.reading("looking", Box::pin(look)).await? {
            plan = build(&have)?;
        }
        match plan::check::check(&plan, self.desired, &have, self.kinds, self.mode) {
            wrong if wrong.is_empty() => Ok((plan, have)),
            wrong => Err(Refusal::Unsound(wrong)),
        }
    }

    /// Takes the lease for a plan that has something to do. Where the plan creates the bucket that holds it,
    /// that is made first, empty, and nothing else: of two first deploys one wins. `None`: there is no
    /// bucket, so nobody can deploy without making it.
    ///
    /// # Errors
    /// [`OpErrorKind::LeaseHeld`], or what AWS said.
    pub async fn lease(&self, plan: &Plan, have: &Observed, who: &LeaseHolder) -> OpResult<Option<Lease>> {
        let Some(name) = self.context.wanted(KindName::Bucket).next() else { return Ok(None) };
        let cx = OpCx::new(self.context, Bucket::id(Bucket::MAIN));
        let step = plan.steps.iter().find(|step| step.target == cx.target);
        if let Some(step) = step.filter(|step| step.op.verb() == Verb::Create) {
            let cx = cx.in_step(step.id);
            bucket::found(&cx, name).await?;
            // A new bucket may be unknown for a moment where the next call arrives.
            let take = || lease::acquire(self.context, name, who, LeaseTiming::default());
            let again = |kind: &OpErrorKind| *kind == OpErrorKind::NotFound;
            return cx.retry(action::s3::PutObject, Duration::from_secs(30), again, take).await.map(Some);
        }
        match have.observations.get(&cx.target) {
            None => leased(self.context, who).await,
            Some(Observation::Present(seen)) if step.is_some() || holds_lease(seen.owner()) => {
                lease::acquire(self.context, name, who, LeaseTiming::default()).await.map(Some)
            }
            Some(Observation::Present(_)) => unlocked(self.context, name).await,
            Some(_) => Ok(None),
        }
    }

    /// Plans once more, under the lease: from here on nobody else changes anything. What was shown to a
    /// person, or saved, must still be what is done.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn plan_again(&self, first: &Plan, shown: bool) -> Result<(Plan, Observed), Refusal> {
        let (mut plan, have) = self.plan().await?;
        // The bucket was made for the lease, and is still to be set up: for a person it is made.
        let target = Bucket::id(Bucket::MAIN);
        let made = first.steps.iter().find(|step| step.target == target && step.op.verb() == Verb::Create);
        let now = plan.steps.iter_mut().find(|step| step.target == target && step.op.verb() == Verb::Update);
        if let (Some(made), Some(now)) = (made, now) {
            (now.op, now.why) = (made.op.clone(), made.why.clone());
        }
        match differences(first, &plan) {
            different if shown && !different.is_empty() => Err(Refusal::Changed(different)),
            _ => Ok((plan, have)),
        }
    }

    /// Deletes what this run has deleted and AWS has recreated, which has no tags.
    async fn delete_again(&self, done: &Plan) -> OpResult<bool> {
        let mut again = false;
        for step in done.steps.iter().filter(|step| self.mode.destroys() && comes_back(step)) {
            let cx = OpCx::new(self.context, step.target.clone()).in_step(step.id);
            let driver = self.registry.of(step.target.kind);
            let seen = driver.observe(&cx, &step.physical).await?;
            if seen.is_some_and(|seen| *seen.owner() == Owner::Nobody) {
                driver.perform(&cx, step).await?;
                again = true;
            }
        }
        Ok(again)
    }

    /// Success is re-read: plans once more. Reads may lag behind writes for seconds (Amazon SageMaker and IAM
    /// are eventually consistent), so a difference must stay for some looks; what has failed will not get
    /// better by waiting.
    pub async fn verify(&self, done: &Plan) -> Verified {
        self.verify_and_observe(done).await.0
    }

    /// [`Self::verify`], and what was seen last.
    async fn verify_and_observe(&self, done: &Plan) -> (Verified, Option<Observed>) {
        let (every, limit) = (Duration::from_secs(5), Duration::from_secs(60));
        let (last, have) = (Mutex::new(Verified::AsWanted), Mutex::new(None));
        // What comes back by itself is looked at twice: the last lines of a log are written a moment after
        // its writer is gone, and recreate its log group.
        let quiet = AtomicBool::new(!done.steps.iter().any(comes_back));
        let looked = self.context.wait("everything as configured", every, limit, || async {
            let again = self.delete_again(done).await?;
            let (verified, settled) = match self.plan().await {
                Err(Refusal::Op(error)) => return Err(error),
                Err(refusal) => (Verified::Unread(refusal), true),
                Ok((plan, seen)) if plan.is_empty() => {
                    *have.lock().await = Some(seen);
                    (Verified::AsWanted, quiet.swap(true, Ordering::Relaxed) && !again)
                }
                Ok((plan, _)) => {
                    let failed = |step: &Step| step.op.verb() == Verb::Delete && !self.mode.destroys();
                    let words = |step: &Step| format!("{}: {}", step.target, step.why.join(", "));
                    let settled = plan.steps.iter().any(failed);
                    let differs: Vec<String> = plan.steps.iter().map(words).collect();
                    let known = matches!(&*last.lock().await, Verified::Unlike(known) if *known == differs);
                    if !settled && !known {
                        self.context.events.send(Event::Verifying { differs: differs.clone() });
                    }
                    (Verified::Unlike(differs), settled)
                }
            };
            *last.lock().await = verified;
            Ok(if settled { Probe::Ready(()) } else { Probe::Pending("not yet".into()) })
        });
        let verified = match looked.await {
            // What was seen last stays so.
            Err(error)
                if error.kind == OpErrorKind::TimedOut
                    && matches!(*last.lock().await, Verified::Unlike(_)) =>
            {
                last.into_inner()
            }
            Err(error) => Verified::Unread(Refusal::Op(error)),
            Ok(()) => last.into_inner(),
        };
        (verified, have.into_inner())
    }
}

/// The lease for what is done without looking at the bucket first. `None`: there is none of ours, so nothing
/// is deployed.
///
/// # Errors
/// [`OpErrorKind::LeaseHeld`], or what AWS said.
pub async fn leased(context: &RunContext, who: &LeaseHolder) -> OpResult<Option<Lease>> {
    let Some(name) = context.wanted(KindName::Bucket).next() else { return Ok(None) };
    let cx = OpCx::new(context, Bucket::id(Bucket::MAIN));
    match bucket::owner(&cx, name).await? {
        Some(owner) if holds_lease(&owner) => {
            lease::acquire(context, name, who, LeaseTiming::default()).await.map(Some)
        }
        _ => unlocked(context, name).await,
    }
}

/// Whether the lease is in a bucket of that owner: ours, also when it has lost a tag meanwhile.
pub fn holds_lease(owner: &Owner) -> bool {
    owner.is_managed() || matches!(owner, Owner::Partly { .. })
}

/// No lease, because nothing may be written into a bucket of that name: but it may have lost all its tags
/// under a run that holds one.
async fn unlocked(context: &RunContext, bucket: &str) -> OpResult<Option<Lease>> {
    match lease::ensure_free(context, bucket).await {
        // Another account's bucket has no lease of ours.
        Err(error) if error.kind == OpErrorKind::Denied => Ok(None),
        free => free.map(|()| None),
    }
}

/// Whether a step deletes what AWS recreates when its writer writes once more.
fn comes_back(step: &Step) -> bool {
    step.target.kind == KindName::LogGroup && step.op.verb() == Verb::Delete
}

/// How two plans differ in what they do. Order and reasons follow from that; a step that only waits does
/// nothing.
pub fn differences(first: &Plan, now: &Plan) -> Vec<Difference> {
    fn steps(plan: &Plan) -> BTreeMap<(&ResourceId, &str), &Op> {
        let waits = |op: &Op| match op {
            Op::Update { changes, .. } => changes.iter().all(|c| c.needs == Needs::Wait),
            _ => false,
        };
        let doing = plan.steps.iter().filter(|step| !waits(&step.op));
        doing.map(|step| ((&step.target, step.op.verb().as_str()), &step.op)).collect()
    }
    let does = |(id, verb): &(&ResourceId, &str)| ((*verb).to_owned(), id.to_string());
    Difference::of_steps(&steps(first), &steps(now), does)
}
