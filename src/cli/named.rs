//! The resource that an argument means, and why it means none, in words.

use super::error::Failure;
use super::exit::Exit;
use crate::domain::{KindName, codes};
use crate::run::Session;
use crate::run::jobs::Job;
use crate::run::named::{Unnamed, resource};

/// Of which resources one is meant.
pub struct Among<'a> {
    /// What they have in common: "has a log".
    pub what: &'a str,
    pub kinds: &'a dyn Fn(KindName) -> bool,
}

/// The resource that `given` means.
pub async fn named(session: &Session, given: &str, among: &Among<'_>) -> Result<Job, Failure> {
    let unnamed = match resource(session, given, among.kinds).await? {
        Ok(job) => return Ok(job),
        Err(unnamed) => unnamed,
    };
    let (message, help) = match unnamed {
        Unnamed::Unknown { help } => (format!("there is no `{given}`"), help),
        Unnamed::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let (last, others) = ids.split_last().expect("several are some");
            (format!("several resources are named `{given}`"), format!("{} or {last}?", others.join(", ")))
        }
        Unnamed::OtherKind { known } => {
            let message = format!("`{given}` is nothing that {}", among.what);
            let ids = known.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let help = match ids.is_empty() {
                true => format!("the config has nothing that {}", among.what),
                false => format!("what {}: {ids}", among.what),
            };
            (message, help)
        }
    };
    Err(Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help))
}
