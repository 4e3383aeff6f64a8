//! Who the credentials are of.

use crate::aws::{AnswerDate, Clients, OpResult, SdkResultExt};
use crate::domain::action;
use opsctl_iam::arn::Arn;

/// What STS says of whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
    /// Seconds since 1970 by AWS's clock. `None`: the answer had no date.
    pub at: Option<i64>,
}

impl Caller {
    /// The partition of the account, if STS said it.
    pub fn partition(&self) -> Option<&str> {
        Arn::parse(&self.arn).map(|arn| arn.partition)
    }
}

/// Asks STS.
///
/// # Errors
/// What it said.
pub async fn whoami(aws: &Clients) -> OpResult<Caller> {
    let date = AnswerDate::default();
    let call = aws.sts.get_caller_identity().customize().interceptor(date.clone());
    let identity = call.send().await.op(action::sts::GetCallerIdentity)?;
    Ok(Caller {
        account: identity.account().unwrap_or_default().to_owned(),
        arn: identity.arn().unwrap_or_default().to_owned(),
        at: date.get().map(|date| date.secs()),
    })
}
