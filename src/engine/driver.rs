//! The half of a kind that calls AWS.

use super::OpCx;
use super::invoke::{NoAnswer, Request, Response};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::desired::{Kind, Seen};
use crate::domain::{Contents, FieldChange, Owner, Tags};

/// A resource that AWS says is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub physical: String,
    /// Seconds since 1970; the newest generation is the one to compare with.
    pub created: i64,
}

impl Found {
    /// One that goes by this name.
    pub fn new(physical: impl Into<String>) -> Self {
        Self { physical: physical.into(), created: 0 }
    }
}

/// The verbs of a kind. Each is idempotent: running it twice, or after a run that was killed half-way, is
/// success.
pub trait Driver: Kind {
    /// Everything of this kind that belongs to the project and environment, wanted or not; by name prefix,
    /// path or tag, in as many pages as AWS has. Kinds whose resources go with another one's return nothing.
    fn owned(&self, cx: &OpCx<'_>) -> impl Future<Output = OpResult<Vec<Found>>> + Send;

    /// `None` when AWS says that it is not there. All calls of one look go out at the same time.
    fn observe(
        &self,
        cx: &OpCx<'_>,
        physical: &str,
    ) -> impl Future<Output = OpResult<Option<Seen<Self::State>>>> + Send;

    /// A look that costs more, for one that is about to be read by what a plan makes; `None`: the first look
    /// said all. A plan without such steps believes the first.
    fn observe_closely(
        &self,
        _cx: &OpCx<'_>,
        _physical: &str,
        _spec: &Self::Spec,
    ) -> impl Future<Output = OpResult<Option<Seen<Self::State>>>> + Send {
        std::future::ready(Ok(None))
    }

    /// What of somebody else's has the name of something that is made with it: when it is not there itself,
    /// its creation would fail half-way, or overwrite that.
    fn in_the_way(
        &self,
        _cx: &OpCx<'_>,
        _physical: &str,
    ) -> impl Future<Output = OpResult<Option<String>>> + Send {
        std::future::ready(Ok(None))
    }

    fn create(
        &self,
        cx: &OpCx<'_>,
        physical: &str,
        spec: &Self::Spec,
    ) -> impl Future<Output = OpResult<()>> + Send;

    /// Brings what is there to `spec`. `changes` has a [`crate::domain::Needs::Wait`] when AWS is still
    /// making it.
    fn update(
        &self,
        cx: &OpCx<'_>,
        physical: &str,
        spec: &Self::Spec,
        changes: &[FieldChange],
    ) -> impl Future<Output = OpResult<()>> + Send;

    /// What it contains, made by opsctl or by others. Only kinds that people put things into count it.
    fn contents(
        &self,
        _cx: &OpCx<'_>,
        _physical: &str,
        _owner: &Owner,
    ) -> impl Future<Output = OpResult<Option<Contents>>> + Send {
        std::future::ready(Ok(None))
    }

    /// Deletes it and whatever hangs on it. What hangs on it goes first, so that a killed delete finds the
    /// rest again. The engine awaits the end ([`super::gone`]).
    fn delete(&self, cx: &OpCx<'_>, physical: &str) -> impl Future<Output = OpResult<()>> + Send;

    /// Deletes it with what others put into it (`destroy --adopted`), if that is what was agreed to, by
    /// [`Contents::digest`].
    fn delete_whole(
        &self,
        cx: &OpCx<'_>,
        physical: &str,
        _agreed: &str,
    ) -> impl Future<Output = OpResult<()>> + Send {
        self.delete(cx, physical)
    }

    /// For kinds with [`Kind::STOPS`]: stops it, unless it has ended, and waits for that.
    fn stop(&self, _cx: &OpCx<'_>, _physical: &str) -> impl Future<Output = OpResult<()>> + Send {
        std::future::ready(Err(unsupported::<Self>("stopped")))
    }

    /// Those at work that may still read something below `uri`: what is put there now may be used under the
    /// name of what was there before.
    fn reading(&self, _cx: &OpCx<'_>, _uri: &str) -> impl Future<Output = OpResult<Vec<String>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// For kinds with [`Kind::STARTS`]: starts it, unless it runs, and waits for that.
    fn start(&self, _cx: &OpCx<'_>, _physical: &str) -> impl Future<Output = OpResult<()>> + Send {
        std::future::ready(Err(unsupported::<Self>("started")))
    }

    /// A link that opens it, for a kind that has a page of its own; it is a credential.
    fn link(&self, _cx: &OpCx<'_>, _physical: &str) -> impl Future<Output = OpResult<Option<String>>> + Send {
        std::future::ready(Ok(None))
    }

    /// For kinds with [`Kind::INVOKED`]: sends it a payload, with which the user's code runs.
    fn invoke(
        &self,
        _cx: &OpCx<'_>,
        _physical: &str,
        _request: Request,
    ) -> impl Future<Output = Result<Response, NoAnswer>> + Send {
        std::future::ready(Err(unsupported::<Self>("invoked").into()))
    }

    /// For adoptable kinds: takes out what is ours, our tags last, and leaves the rest as it is.
    fn release(&self, _cx: &OpCx<'_>, _physical: &str) -> impl Future<Output = OpResult<()>> + Send {
        let message = format!("a {} is never adopted, so it cannot be released", Self::NAME.words());
        std::future::ready(Err(OpError::new("release", OpErrorKind::Unexpected, message)))
    }

    /// Puts our tags on a resource that was there before (`--adopt`); on one of an adoptable kind, also the
    /// tag that says so.
    fn adopt(&self, cx: &OpCx<'_>, physical: &str) -> impl Future<Output = OpResult<()>> + Send;

    /// Takes tags off, by their keys, and then puts others on or gives them other values: in this order, so
    /// that the list of their keys ([`crate::domain::tags::KEYS_TAG`]) is right whenever a run ends. For
    /// kinds that show tags ([`Seen::tags`]).
    fn retag(
        &self,
        _cx: &OpCx<'_>,
        _physical: &str,
        _gone: Vec<String>,
        _put: Tags,
    ) -> impl Future<Output = OpResult<()>> + Send {
        std::future::ready(Err(unsupported::<Self>("tagged")))
    }
}

fn unsupported<K: Kind + ?Sized>(what: &str) -> OpError {
    let message = format!("a {} cannot be {what}", K::NAME.words());
    OpError::new("", OpErrorKind::Unexpected, message)
}
