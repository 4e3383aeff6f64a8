//! A run that somebody reviews: they see the plan before it is done, may be asked, and can refuse. In which
//! order, and what that means for the lease, is here; a terminal is the command line's.

use std::future::Future;

use super::{Done, Intent, Refusal, SavedPlan, Session, prices};
use crate::desired::Kind as _;
use crate::domain::{Money, Verb};
use crate::plan::{Observed, Plan};
use crate::resources::bucket::Bucket;

/// Who reviews a run.
pub trait Reviewer {
    /// Why they end it.
    type Refused;

    /// Hears that the saved plan was applied already: nothing is left to do.
    fn applied(&mut self);

    /// Shows the plan, and returns whether it could be seen.
    fn show(&mut self, plan: &Plan, have: &Observed) -> bool;

    /// Whether this is to be done. Called where [`Terms::asks`] says so, and there is something to do.
    ///
    /// # Errors
    /// There is nobody who could answer.
    fn consent(&mut self, plan: &Plan) -> impl Future<Output = Result<bool, Self::Refused>>;

    /// Hears that the run begins: what follows are events, and the wait for the lease.
    ///
    /// # Errors
    /// There is nobody who could hear it.
    fn begin(&mut self, plan: &Plan) -> impl Future<Output = Result<(), Self::Refused>>;
}

/// What holds for a run before it is planned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// Only shows the plan.
    pub dry_run: bool,
    /// Asks before anything is changed.
    pub asks: bool,
    /// Only this plan is done, and no other.
    pub saved: Option<&'a SavedPlan>,
    /// What a month may cost, in place of the config's budget.
    pub monthly: Option<Money>,
}

/// How a run ended that nothing has stopped.
#[derive(Debug)]
pub enum Ending {
    /// It was a dry run.
    Shown,
    /// The plan could not be seen, so nobody wanted it. All that was done, if anything: the bucket of this
    /// name was created, empty, because the lease is in it.
    Unseen {
        created: Option<String>,
    },
    /// The answer was no.
    Declined,
    Done(Box<Done>),
}

/// What has stopped a run before its first step.
#[derive(Debug)]
pub enum Stopped<R> {
    Before(Refusal),
    /// After it was asked for, on the way to the lease or under it.
    Beginning(Refusal),
    Reviewer(R),
}

impl<R> From<Refusal> for Stopped<R> {
    fn from(refusal: Refusal) -> Self {
        Self::Before(refusal)
    }
}

impl Session {
    /// Plans and shows the plan; where there is something to do, asks, takes the lease, plans again,
    /// executes, verifies, and releases the lease.
    ///
    /// # Errors
    /// See [`Stopped`]: nothing was done. What went wrong after the first step is in [`Done`].
    pub async fn carry_out_reviewed<O: Reviewer>(
        &self,
        intent: &Intent,
        terms: Terms<'_>,
        reviewer: &mut O,
    ) -> Result<Ending, Stopped<O::Refused>> {
        let run = self.run(intent).within(terms.monthly);
        let (plan, have) = Box::pin(run.plan()).await?;
        if let Some(saved) = terms.saved
            && run.is_saved(saved, &plan)?
        {
            reviewer.applied();
        }
        prices::load(self, &intent.desired, &have).await;
        // Where nobody has to answer, what is shown is what is done: under the lease, when it can no longer
        // change.
        let shown = terms.dry_run || terms.asks || terms.saved.is_some() || plan.is_empty();
        let unseen = shown && !reviewer.show(&plan, &have);
        if terms.dry_run {
            run.afford(&plan, &have).await?;
            return Ok(if unseen { Ending::Unseen { created: None } } else { Ending::Shown });
        }
        let gated = Box::pin(run.gate(plan, have)).await?;
        if unseen {
            return Ok(Ending::Unseen { created: None });
        }
        let asks = terms.asks && !gated.plan.is_empty();
        if asks && !reviewer.consent(&gated.plan).await.map_err(Stopped::Reviewer)? {
            return Ok(Ending::Declined);
        }
        reviewer.begin(&gated.plan).await.map_err(Stopped::Reviewer)?;
        let leased = Box::pin(run.begin(gated, &self.who, shown)).await.map_err(Stopped::Beginning)?;
        if !shown && !reviewer.show(&leased.plan, &leased.have) {
            let created = bucket_of_lease(&leased.plan);
            leased.release().await;
            return Ok(Ending::Unseen { created });
        }
        Ok(Ending::Done(Box::new(Box::pin(leased.carry_out()).await)))
    }
}

/// The bucket that was created for the lease of this plan.
fn bucket_of_lease(plan: &Plan) -> Option<String> {
    let main = Bucket::id(Bucket::MAIN);
    let creates = plan.steps.iter().find(|step| step.target == main && step.op.verb() == Verb::Create);
    creates.map(|step| step.physical.clone())
}
