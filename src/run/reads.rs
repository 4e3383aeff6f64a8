//! What a job reads is looked at once more before the job is made. The plan was made with what was there when
//! the lease was taken, and uploads and roles have come since (docs/decisions/0044, 0064).

use futures_util::future::BoxFuture;

use super::remote;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::{AnyKind, Desired, Node, kind_of};
use crate::domain::Verb;
use crate::engine::{BeforeStep, OpCx, Registry, RunContext};
use crate::plan::Step;

/// Of one run.
pub(super) struct Reads<'a> {
    pub(super) context: &'a RunContext,
    pub(super) registry: &'a Registry,
    pub(super) kinds: &'a [Box<dyn AnyKind>],
    pub(super) desired: &'a Desired,
}

/// Whether a step makes something that is named after what it is made of.
pub(super) fn is_named_after(kinds: &[Box<dyn AnyKind>], step: &Step) -> bool {
    step.op.verb() == Verb::Create && kind_of(kinds, step.target.kind).fingerprinted()
}

impl BeforeStep for Reads<'_> {
    fn look<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>> {
        if !is_named_after(self.kinds, step) {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(async move {
            if let Some(uri) = remote::changed(self.context).await?.first() {
                return Err(changed(&format!("{uri} holds something else than when this was planned")));
            }
            let node = self.desired.node(&step.target);
            for need in node.into_iter().flat_map(|node| &node.needs) {
                if let Some(node) = self.desired.node(need) {
                    self.compare(node).await?;
                }
            }
            Ok(())
        })
    }
}

impl Reads<'_> {
    /// What is needed with what is there, where that takes a closer look.
    async fn compare(&self, node: &Node) -> OpResult<()> {
        let (cx, driver) = (OpCx::new(self.context, node.id.clone()), self.registry.of(node.id.kind));
        let Some(seen) = driver.observe_closely(&cx, &node.physical, &node.spec).await? else {
            return Ok(());
        };
        if let Some(mixed) = seen.mixed() {
            return Err(changed(&mixed.said(node.id.kind, &node.physical)));
        }
        match node.spec.diff(&seen).first() {
            Some(change) => Err(changed(&format!("{} is not as it was planned: {change}", node.physical))),
            None => Ok(()),
        }
    }
}

fn changed(what: &str) -> OpError {
    let message = format!("{what}, so nothing was made of it");
    OpError::new("looking at what it reads", OpErrorKind::Conflict, message)
        .with_help("run the command again: it plans with what is there by then")
}
