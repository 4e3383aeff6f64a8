//! Kinds with their verbs behind one object type, so that the engine knows none of them by name.

use futures_util::future::BoxFuture;

use crate::aws::{OpError, OpErrorKind};
use crate::desired::{AnyKind, AnySeen, AnySpec};
use crate::domain::{Contents, KindName, Owner, Tags};
use crate::engine::invoke::{NoAnswer, Request, Response};
use crate::engine::{Driver, Found, OpCx, gone};
use crate::plan::{Op, Step};

/// [`Driver`] without its types: the methods of the same names. [`Self::perform`] is `create`, `update`,
/// `delete`, `delete_whole` or `release`, whichever the step says.
pub trait AnyDriver: AnyKind {
    fn owned<'a>(&'a self, cx: &'a OpCx<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>>;
    fn observe<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<AnySeen>, OpError>>;
    fn observe_closely<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        spec: &'a AnySpec,
    ) -> BoxFuture<'a, Result<Option<AnySeen>, OpError>>;
    fn in_the_way<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, OpError>>;
    fn perform<'a>(&'a self, cx: &'a OpCx<'a>, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>>;
    fn adopt<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>>;
    fn retag<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        gone: Vec<String>,
        put: Tags,
    ) -> BoxFuture<'a, Result<(), OpError>>;
    fn stop<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>>;
    fn start<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>>;
    fn reading<'a>(&'a self, cx: &'a OpCx<'a>, uri: &'a str) -> BoxFuture<'a, Result<Vec<String>, OpError>>;
    fn link<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, OpError>>;
    fn invoke<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        request: Request,
    ) -> BoxFuture<'a, Result<Response, NoAnswer>>;
    fn contents<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Contents>, OpError>>;
}

impl<D: Driver> AnyDriver for D {
    fn owned<'a>(&'a self, cx: &'a OpCx<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        Box::pin(Driver::owned(self, cx))
    }

    fn observe<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<AnySeen>, OpError>> {
        Box::pin(async move {
            let seen = Driver::observe(self, cx, physical).await?;
            Ok(seen.map(AnySeen::new::<D>))
        })
    }

    fn observe_closely<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        spec: &'a AnySpec,
    ) -> BoxFuture<'a, Result<Option<AnySeen>, OpError>> {
        Box::pin(async move {
            let seen = Driver::observe_closely(self, cx, physical, own::<D>(spec)?).await?;
            Ok(seen.map(AnySeen::new::<D>))
        })
    }

    fn in_the_way<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, OpError>> {
        Box::pin(Driver::in_the_way(self, cx, physical))
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
                Op::DeleteWhole { others } => {
                    self.delete_whole(cx, &step.physical, others).await?;
                    gone(self, cx, &step.physical).await
                }
                Op::Release => self.release(cx, &step.physical).await,
            }
        })
    }

    fn adopt<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(Driver::adopt(self, cx, physical))
    }

    fn retag<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        gone: Vec<String>,
        put: Tags,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(Driver::retag(self, cx, physical, gone, put))
    }

    fn stop<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(Driver::stop(self, cx, physical))
    }

    fn start<'a>(&'a self, cx: &'a OpCx<'a>, physical: &'a str) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(Driver::start(self, cx, physical))
    }

    fn reading<'a>(&'a self, cx: &'a OpCx<'a>, uri: &'a str) -> BoxFuture<'a, Result<Vec<String>, OpError>> {
        Box::pin(Driver::reading(self, cx, uri))
    }

    fn link<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, OpError>> {
        Box::pin(Driver::link(self, cx, physical))
    }

    fn invoke<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        request: Request,
    ) -> BoxFuture<'a, Result<Response, NoAnswer>> {
        Box::pin(Driver::invoke(self, cx, physical, request))
    }

    fn contents<'a>(
        &'a self,
        cx: &'a OpCx<'a>,
        physical: &'a str,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Contents>, OpError>> {
        Box::pin(Driver::contents(self, cx, physical, owner))
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
    /// The kind with its verbs.
    pub fn of(&self, kind: KindName) -> &dyn AnyDriver {
        self.0.iter().find(|d| d.name() == kind).expect("every kind is registered").as_ref()
    }
}
