//! Kinds with their verbs behind one object type, so that the engine knows none of them by name.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::aws::{OpError, OpErrorKind};
use crate::desired::{AnyKind, AnySpec};
use crate::domain::{Contents, KindName, Owner};
use crate::engine::{Driver, Found, OpCx, gone};
use crate::plan::{Op, Step};

/// [`Driver`] with its types erased to JSON.
pub trait AnyDriver: AnyKind {
    fn list<'a>(&'a self, cx: &'a OpCx<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>>;
    fn look<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, OpError>>;
    fn perform<'a>(&'a self, cx: &'a OpCx<'a>, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>>;
    fn take_over<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>>;
    fn count<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Contents>, OpError>>;
}

impl<D: Driver> AnyDriver for D {
    fn list<'a>(&'a self, cx: &'a OpCx<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        Box::pin(self.owned(cx))
    }

    fn look<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, OpError>> {
        Box::pin(async move {
            let seen = self.observe(cx, physical).await?;
            Ok(seen.map(|seen| serde_json::to_value(seen).expect("an observation is plain data")))
        })
    }

    fn perform<'a>(&'a self, cx: &'a OpCx<'a>, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            match &step.op {
                Op::Create { spec } => self.create(cx, &step.physical, own::<D>(spec)?).await,
                Op::Update { spec, changes } => {
                    self.update(cx, &step.physical, own::<D>(spec)?, changes).await
                }
                Op::Delete => {
                    self.delete(cx, &step.physical).await?;
                    gone(self, cx, &step.physical).await
                }
                Op::DeleteWhole { .. } => {
                    self.delete_whole(cx, &step.physical).await?;
                    gone(self, cx, &step.physical).await
                }
                Op::Release => self.release(cx, &step.physical).await,
            }
        })
    }

    fn take_over<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(self.adopt(cx, physical))
    }

    fn count<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Contents>, OpError>> {
        Box::pin(self.contents(cx, physical, owner))
    }
}

/// The spec as the step's own kind knows it.
fn own<D: Driver>(spec: &AnySpec) -> Result<&D::Spec, OpError> {
    spec.of::<D>().ok_or_else(|| {
        let (own, other) = (D::NAME.words(), spec.kind().words());
        let message = format!("the plan would make a {own} of the spec of a {other}");
        OpError::new("plan", OpErrorKind::Unexpected, message)
    })
}

/// Every kind with its verbs, in order of dependency.
pub struct Registry(pub Vec<Box<dyn AnyDriver>>);

impl Registry {
    pub fn of(&self, kind: KindName) -> &dyn AnyDriver {
        self.0.iter().find(|d| d.kind() == kind).expect("every kind is registered").as_ref()
    }
}
