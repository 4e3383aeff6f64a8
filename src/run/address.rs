//! Where a resource can be looked at: its own page, or that of AWS's console.

use super::jobs::Job;
use super::{Session, whose};
use crate::aws::{OpError, OpErrorKind};
use crate::engine::OpCx;

/// The address of a page.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub url: String,
    /// Whoever has it may use the page, for some minutes.
    pub is_secret: bool,
}

/// Why there is no address.
#[derive(Debug)]
pub enum AddressError {
    Op(OpError),
    Absent,
    /// It has a page only while it runs.
    NotRunning,
    /// Nobody has a page for it.
    NoPage,
}

impl From<OpError> for AddressError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// A link that opens it, for a kind that gives one; else its page in the console, if it is in AWS.
///
/// # Errors
/// See [`AddressError`].
pub async fn of(session: &Session, job: &Job) -> Result<Address, AddressError> {
    whose::ours(session, &job.id, &job.physical).await?;
    let driver = session.registry.of(job.id.kind);
    let cx = OpCx::new(&session.context, job.id.clone());
    let found = session.context.cancel.reading("looking", driver.observe(&cx, &job.physical)).await?;
    let found = found.ok_or(AddressError::Absent)?;
    let link = session.context.cancel.reading("looking", driver.link(&cx, &job.physical)).await;
    let link = link.map_err(|error| match error.kind {
        OpErrorKind::Invalid | OpErrorKind::Conflict => AddressError::NotRunning,
        _ => error.into(),
    })?;
    if let Some(url) = link {
        return Ok(Address { url, is_secret: true });
    }
    let page = found.console_page(&job.physical, &session.context.scope.region);
    page.filter(|_| session.is_aws()).map(|url| Address { url, is_secret: false }).ok_or(AddressError::NoPage)
}
