//! What a job reads is looked at once more before the job is made. The plan was made with what was there when
//! the lease was taken, and uploads and roles have come since (docs/decisions/0044, 0064).

use futures_util::future::BoxFuture;

use super::{Run, remote};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::{AnyKind, Node, kind_of};
use crate::domain::{KindName, Verb};
use crate::engine::{BeforeStep, OpCx};
use crate::plan::Step;
use crate::resources::data::Data;

/// Of one run.
pub(super) struct Reads<'a>(pub(super) Run<'a>);

/// Whether a step makes something that is named after what it is made of.
pub(super) fn is_named_after(kinds: &[Box<dyn AnyKind>], step: &Step) -> bool {
    step.op.verb() == Verb::Create && kind_of(kinds, step.target.kind).fingerprinted()
}

impl BeforeStep for Reads<'_> {
    fn look<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>> {
        let Self(run) = self;
        if !is_named_after(run.kinds, step) {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(async move {
            if let Some(uri) = remote::changed(run.context).await?.first() {
                return Err(changed(&format!("{uri} holds something else than when this was planned")));
            }
            let node = run.desired.node(&step.target);
            let needs = node.into_iter().flat_map(|node| &node.needs);
            for data in needs.filter(|id| id.kind == KindName::Data).filter_map(|id| run.desired.node(id)) {
                self.compare(data).await?;
            }
            Ok(())
        })
    }
}

impl Reads<'_> {
    /// A data set of this project with what is there.
    async fn compare(&self, data: &Node) -> OpResult<()> {
        let Self(run) = self;
        let (cx, driver) = (OpCx::new(run.context, data.id.clone()), run.registry.of(data.id.kind));
        let Some(seen) = driver.observe_closely(&cx, &data.physical, &data.spec).await? else {
            return Ok(());
        };
        let Some(seen) = seen.of::<Data>() else { return Ok(()) };
        let unlike = [&seen.state.mixed, &seen.state.altered].into_iter().flatten().next();
        unlike.map_or(Ok(()), |unlike| Err(changed(&format!("{} has {unlike}", data.physical))))
    }
}

fn changed(what: &str) -> OpError {
    let message = format!("{what}, so nothing was made of it");
    OpError::new("looking at what it reads", OpErrorKind::Conflict, message)
        .with_help("run the command again: it plans with what is there by then")
}
