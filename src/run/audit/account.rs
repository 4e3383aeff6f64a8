//! The account that is audited: read from AWS or from a dump, with what its roles used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::account::plain_text;
use crate::audit::collect::{self, Collected};
use crate::audit::last_accessed::{Detail, Fetched, Reporter, Reports};
use crate::audit::{Account, Instant, Settings, Usage};
use crate::aws::{Clients, OpResult, PollPace};
use crate::domain::many;
use crate::inputs::{read_kept, write_kept};
use crate::run::whoami;

/// An account as IAM shows it.
#[derive(Debug)]
pub struct LiveAccount {
    pub id: String,
    pub found: Collected,
    /// When that was, by AWS's clock: what roles were made and used is dated by it, and the clock of this
    /// machine may be wrong. `None`: AWS did not say.
    pub now: Option<Instant>,
}

impl LiveAccount {
    /// Asks for the account of the credentials, and reads it. What cannot be read is a gap of the account.
    ///
    /// # Errors
    /// What STS said.
    pub async fn read(aws: &Clients) -> OpResult<Self> {
        let caller = whoami(aws).await?;
        let (id, now) = (caller.account, caller.at.map(Instant));
        Ok(Self { id, found: collect::collect(&aws.iam).await, now })
    }

    /// As a dump, which [`dump`] reads.
    pub fn to_dump(&self) -> String {
        format!("{:#}\n", self.found.dump)
    }

    /// As the rules see it.
    pub fn account(&self) -> Account {
        self.found.account(&self.id)
    }
}

/// Reads a saved dump. JSON of another shape has no roles, and would pass as a clean account.
///
/// # Errors
/// Why it is none.
pub fn dump(text: &[u8]) -> Result<Account, String> {
    let odd = |error: serde_json::Error| {
        if error.is_eof() { format!("it is cut off ({error})") } else { error.to_string() }
    };
    let value: Value = serde_json::from_slice(&plain_text(text)).map_err(odd)?;
    if !value.get("RoleDetailList").is_some_and(Value::is_array) {
        return Err("it has no RoleDetailList".to_owned());
    }
    whole(text).map_err(odd)
}

/// What is known to be a dump.
pub(super) fn whole(text: &[u8]) -> Result<Account, serde_json::Error> {
    let mut account = Account::from_json(text)?;
    account.doubt();
    Ok(account)
}

/// What was asked of IAM about the use of roles.
#[derive(Debug)]
pub struct Used {
    pub fetched: Fetched,
    /// How old the oldest report is that was kept and could count again.
    pub kept_minutes: Option<i64>,
    /// The cache, where it could not be written: the reports are asked for again.
    pub not_kept: Option<(PathBuf, io::Error)>,
}

/// Asks IAM what the roles used. Reports are kept in `cache`.
pub async fn used(
    aws: &Clients,
    pace: PollPace,
    (account, settings): (&Account, &Settings),
    (detail, now): (Detail, Instant),
    cache: Option<&Path>,
) -> Used {
    let kept = cache.and_then(|file| String::from_utf8(read_kept(file).ok()?).ok()).unwrap_or_default();
    let mut reports = Reports::read(&kept, now);
    let kept_minutes = reports.oldest().map(|day| (now.0 - day.0) / 60);
    let reporter = Reporter::new(&aws.iam, pace, detail, now);
    let fetched = reporter.fetch(account, settings, &mut reports).await;
    let not_kept = cache.filter(|_| fetched.asked > 0).and_then(|file| {
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| write_kept(file, reports.to_text().as_bytes()));
        written.err().map(|error| (file.to_owned(), error))
    });
    Used { kept_minutes: kept_minutes.filter(|_| fetched.cached > 0), fetched, not_kept }
}

/// The file in `folder` that keeps reports on an account. Not shared between the real one and one of the same
/// number elsewhere.
pub fn cache(folder: &Path, account: &str, endpoint: Option<&Endpoint<'_>>) -> PathBuf {
    let place = match endpoint {
        Some(Endpoint::Sandbox) => "-sandbox".to_owned(),
        Some(Endpoint::Url(url)) => format!("-{}", &blake3::hash(url.as_bytes()).to_hex()[..8]),
        None => String::new(),
    };
    folder.join(format!("iam-usage-{account}{place}.json"))
}

/// Where an account is that is not in AWS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    Sandbox,
    Url(&'a str),
}

/// Usage data that is about other roles says nothing of these, and is not to look as if it did.
pub fn doubt_usage(account: &mut Account, usage: &Usage, file: &Path) {
    if account.roles.iter().any(|role| usage.roles.contains_key(&role.arn)) {
        return;
    }
    let message = format!(
        "{} has the use of {}, and none of them is in the account: its keys are whole role ARNs",
        file.display(),
        many(usage.roles.len(), "role")
    );
    account.not_evaluated_because("IAM404", &message);
}
